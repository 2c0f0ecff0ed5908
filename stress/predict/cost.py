"""What accesses and line transfers cost on this host, fitted to measured points.

* An atomic read-modify-write and a turn of a spin loop are timed alone. What an operation takes beyond its atomics, by one worker, is
  spread evenly over its plain accesses: so each workload's time by one worker is reproduced, and nothing of its time by two is used.
* The time that a request travels and the time that a line travels are the same for all workloads. They are fitted to the points of two
  workers in TRAINING alone.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from stress.predict.interpreted import Interpreters, VirtualJob, VirtualResult
from stress.predict.measured import WorkerRounds
from stress.predict.workloads import variant

#: the points of two workers that the cost model is fitted to
_TRAINING: tuple[tuple[str, dict[str, str]], ...] = (("turns", {}), ("get_put_shared", {}), ("get_put_shared", {"refcount": "frozen-bit"}))
TRAINING = tuple(variant(name, policies) for name, policies in _TRAINING)
ASSUMED_REQUEST_NS, ASSUMED_TRANSFER_NS = 14.0, 13.0  # of two cores that share a last-level cache, AMD Zen 4; where there is one core
LEAST_PLAIN_NS = 0.1
POLL_NS = 1.0  # a turn of a loop that loads one word
_TRIES, _FIT_ACCESSES = 9, 30_000


@dataclass(frozen=True)
class HostCosts:
    """Nanoseconds on this host. `fitted`: whether request_ns and transfer_ns are, or are assumed."""

    atomic_ns: float
    pause_ns: float
    request_ns: float
    transfer_ns: float
    fitted: bool

    def job(self, job: VirtualJob, plain_ns: float, atomic_ns: float, socket_ns: float) -> VirtualJob:
        """A job with these costs."""
        line = replace(job, hold_ns=self.request_ns, transfer_ns=self.transfer_ns, socket_ns=socket_ns)
        return replace(line, plain_ns=plain_ns, atomic_ns=atomic_ns, pause_ns=self.pause_ns)


def median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else math.nan


def both_over_alone(rounds: WorkerRounds) -> float:
    """The time by two workers over that by one, the median of the rounds; the time by two alone where one cannot do it."""
    if not rounds.both_ns:
        return math.nan
    return median([both / alone if alone else both for alone, both in zip(rounds.alone_ns, rounds.both_ns, strict=True)])


def access_ns(alone_ns: float, by_one: VirtualResult, atomic_ns: float) -> tuple[float, float]:
    """(ns of a plain access, ns of an atomic one) with which an operation by one worker takes as long as measured."""
    rest_ns = alone_ns - by_one.atomics * atomic_ns
    if by_one.plain and rest_ns >= LEAST_PLAIN_NS * by_one.plain:
        return rest_ns / by_one.plain, atomic_ns
    factor = alone_ns / max(by_one.plain * LEAST_PLAIN_NS + by_one.atomics * atomic_ns, 1e-9)
    return LEAST_PLAIN_NS * factor, atomic_ns * factor


def fit_costs(
    measured: Mapping[str, WorkerRounds], by_one: Mapping[str, VirtualResult], interpreters: Interpreters, tick: Callable[[str], None]
) -> HostCosts:
    """The costs of this host.

    Parameters  measured: by workload; by_one: the interpreted workloads by one CPU
    """
    from scipy.optimize import minimize_scalar

    costs = HostCosts(median(measured["add"].alone_ns), median(measured["pause"].alone_ns), ASSUMED_REQUEST_NS, ASSUMED_TRANSFER_NS, False)
    if not all(measured[name].both_ns for name in TRAINING):
        return costs
    wanted = [both_over_alone(measured[name]) * (median(measured[name].alone_ns) or 1) for name in TRAINING]

    def loss(trip_ns: float, share: float) -> float:
        trial = replace(costs, request_ns=share * trip_ns, transfer_ns=(1 - share) * trip_ns)
        names = zip(_TRAINING, TRAINING, strict=True)
        jobs = [two_cpus(name, policies, trial, measured[known], by_one.get(known)) for (name, policies), known in names]
        tick(f"fitting: request {trial.request_ns:.1f} ns, transfer {trial.transfer_ns:.1f} ns")
        found = [ns_per_op(result) for result in interpreters.results([replace(job, max_accesses=_FIT_ACCESSES) for job in jobs])]
        return sum(math.log(min(ns, 1e6) / want) ** 2 for ns, want in zip(found, wanted, strict=True))

    # In a turn of both the line travels four times: each CPU reads it, then takes it from the other. One variable after the other, since
    # a loss that schedules make uneven misleads methods that follow its slope.
    trip_ns = max(wanted[0] / 4, 2.0)
    share = minimize_scalar(lambda tried: loss(trip_ns, tried), bounds=(0.1, 0.9), method="bounded", options={"maxiter": _TRIES}).x
    factor = minimize_scalar(lambda tried: loss(tried * trip_ns, share), bounds=(0.7, 1.4), method="bounded", options={"maxiter": _TRIES}).x
    return replace(costs, request_ns=share * factor * trip_ns, transfer_ns=(1 - share) * factor * trip_ns, fitted=True)


def two_cpus(
    name: str, policies: dict[str, str], costs: HostCosts, rounds: WorkerRounds, by_one: VirtualResult | None, seed: int = 1
) -> VirtualJob:
    """The job that predicts a workload by two CPUs of one socket."""
    plain_ns, atomic_ns = POLL_NS, costs.atomic_ns
    if by_one is not None:
        plain_ns, atomic_ns = access_ns(median(rounds.alone_ns), by_one, costs.atomic_ns)
    return costs.job(VirtualJob(name, 2, policies=policies, seed=seed), plain_ns, atomic_ns, costs.transfer_ns)


def ns_per_op(result: VirtualResult) -> float:
    """What an operation takes one CPU."""
    return 1000 * result.nr_cpus / result.ops_per_us if result.ops_per_us > 0 else math.inf
