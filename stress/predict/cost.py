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
from stress.predict.workloads import BY_NAME

#: the points of two workers that the cost model is fitted to
TRAINING = ("add", "turns", "get_put_shared")
ASSUMED_REQUEST_NS, ASSUMED_TRANSFER_NS = 14.0, 13.0  # of two cores that share a last-level cache, AMD Zen 4; where there is one core
LEAST_PLAIN_NS = 0.1
_TRIES, _FIT_ACCESSES = 20, 16_000


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
        costs = {"pause_ns": self.pause_ns, "hold_ns": self.request_ns, "transfer_ns": self.transfer_ns, "socket_ns": socket_ns}
        return replace(job, plain_ns=plain_ns, atomic_ns=atomic_ns, **costs)


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
    from scipy.optimize import minimize

    costs = HostCosts(median(measured["add"].alone_ns), median(measured["pause"].alone_ns), ASSUMED_REQUEST_NS, ASSUMED_TRANSFER_NS, False)
    training = [name for name in TRAINING if measured[name].both_ns]
    if len(training) < len(TRAINING):
        return costs
    wanted = [both_over_alone(measured[name]) * (median(measured[name].alone_ns) if not BY_NAME[name].pair_only else 1) for name in training]

    def loss(logs: Sequence[float]) -> float:
        trial = replace(costs, request_ns=math.exp(logs[0]), transfer_ns=math.exp(logs[1]))
        jobs = [two_cpus(name, {}, trial, measured[name], by_one.get(name)) for name in training]
        jobs = [replace(job, max_accesses=_FIT_ACCESSES) for job in jobs]
        tick(f"fitting: request {trial.request_ns:.1f} ns, transfer {trial.transfer_ns:.1f} ns")
        found = [ns_per_op(result) for result in interpreters.results(jobs)]
        return sum(math.log(ns / want) ** 2 for ns, want in zip(found, wanted, strict=True))

    # in a turn of both, the line travels four times: each CPU reads it, then takes it from the other
    trip_ns = max(wanted[1] / 4, 2.0)
    start = [math.log(0.5 * trip_ns), math.log(0.5 * trip_ns)]
    simplex = [start, [math.log(0.6 * trip_ns), math.log(0.4 * trip_ns)], [math.log(0.5 * trip_ns), math.log(0.4 * trip_ns)]]
    best = minimize(loss, start, method="Nelder-Mead", options={"maxfev": _TRIES, "initial_simplex": simplex, "xatol": 0.01, "fatol": 1e-4})
    return replace(costs, request_ns=math.exp(best.x[0]), transfer_ns=math.exp(best.x[1]), fitted=True)


def two_cpus(
    name: str, policies: dict[str, str], costs: HostCosts, rounds: WorkerRounds, by_one: VirtualResult | None, seed: int = 1
) -> VirtualJob:
    """The job that predicts a workload by two CPUs of one socket."""
    plain_ns, atomic_ns = LEAST_PLAIN_NS * 4, costs.atomic_ns
    if by_one is not None:
        plain_ns, atomic_ns = access_ns(median(rounds.alone_ns), by_one, costs.atomic_ns)
    return costs.job(VirtualJob(name, 2, policies=policies, seed=seed), plain_ns, atomic_ns, costs.transfer_ns)


def ns_per_op(result: VirtualResult) -> float:
    """What an operation takes one CPU."""
    return 1000 * result.nr_cpus / result.ops_per_us if result.ops_per_us > 0 else math.inf
