"""Each workload on machines that one does not have: traffic and throughput by the number of CPUs, beside the scalability law."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from stress.predict.cost import HostCosts, access_ns, both_over_alone, median, ns_per_op, two_cpus
from stress.predict.interpreted import Interpreters, VirtualJob, VirtualResult
from stress.predict.measured import WorkerRounds
from stress.predict.scalability import ScalabilityLaw, fit
from stress.predict.workloads import HotPath, variant

SPREAD = 0.2  # transfers this much cheaper and dearer make the interval: the bound within which points of two workers are predicted
POINT_ACCESSES = 60_000
LEAST_OPS = 30  # a run with fewer operations is no point
VALIDATION_SEEDS = (1, 2, 3)

Case = tuple[HotPath, dict[str, str]]
Tick = Callable[[str], None]


@dataclass(frozen=True)
class PredictedMachines:
    """The machines to predict: numbers of CPUs; sockets; ns of a line between two sockets; lines of a private cache, or None."""

    cpus: tuple[int, ...]
    sockets: int
    socket_ns: float
    cache_lines: int | None
    seed: int


@dataclass(frozen=True)
class ForecastPoint:
    """One workload on one number of CPUs: what moves per operation, and operations per microsecond with their interval."""

    nr_cpus: int
    ops_per_us: float
    low: float
    high: float
    counts: VirtualResult


@dataclass(frozen=True)
class Validation:
    """The time by two workers over that by one, measured and predicted. `held_out`: nothing was fitted to it."""

    measured: float
    predicted: float
    nr_rounds: int
    held_out: bool

    @property
    def error(self) -> float:
        return self.predicted / self.measured - 1


@dataclass
class Forecast:
    """All that is known about one workload."""

    name: str
    title: str
    unit: str
    alone_ns: float
    validation: Validation | None
    law: ScalabilityLaw | None
    points: list[ForecastPoint]

    def as_json(self, cpus: Sequence[int]) -> dict[str, Any]:
        law = [dict(zip(("nr_cpus", "low", "median", "high"), (n, *self.law.interval(n)), strict=True)) for n in cpus] if self.law else None
        checked = asdict(self.validation) | {"error": self.validation.error} if self.validation else None
        points = [asdict(point) for point in self.points]
        return {"name": self.name, "unit": self.unit, "alone_ns": self.alone_ns, "two_workers": checked, "law": law, "points": points}


def validations(
    cases: Sequence[Case], measured: Mapping[str, WorkerRounds], by_one: Mapping[str, VirtualResult], costs: HostCosts,
    interpreters: Interpreters, trained: Sequence[str],
) -> dict[str, Validation]:  # fmt: skip
    """Every point that two workers gave, beside its prediction: the median of some schedules."""
    names, jobs = [], []
    for workload, policies in cases:
        name = variant(workload.name, policies)
        if measured[name].both_ns and (workload.pair_only or name in by_one):
            names.append(name)
            jobs += [two_cpus(workload.name, policies, costs, measured[name], by_one.get(name), seed) for seed in VALIDATION_SEEDS]
    results = list(interpreters.results(jobs))
    found = {}
    for number, name in enumerate(names):
        seeds = results[number * len(VALIDATION_SEEDS) : (number + 1) * len(VALIDATION_SEEDS)]
        rounds = measured[name]
        alone_ns = median(rounds.alone_ns) or 1.0
        predicted = median([ns_per_op(result) for result in seeds]) / alone_ns
        found[name] = Validation(both_over_alone(rounds), predicted, len(rounds.both_ns or ()), name not in trained)
    return found


def law_of(rounds: WorkerRounds) -> ScalabilityLaw | None:
    """The scalability law for what was measured."""
    if not rounds.alone_ns or not all(rounds.alone_ns):
        return None
    rates = {1: [1000 / ns for ns in rounds.alone_ns]}
    if rounds.both_ns:  # paired with the same round by one worker: the host's speed changes between rounds
        alone_ns = median(rounds.alone_ns)
        rates[2] = [2000 * alone / (both * alone_ns) for alone, both in zip(rounds.alone_ns, rounds.both_ns, strict=True)]
    return fit(rates)


def ladder(cpus: Sequence[int]) -> list[int]:
    """The numbers of CPUs to interpret: powers of four below the largest, and those that are asked for."""
    most = max(cpus)
    return sorted({*(4**k for k in range(8) if 4**k < most), *cpus})


def interpreted_points(
    cases: Sequence[Case], alone_ns: Mapping[str, float], by_one: Mapping[str, VirtualResult], costs: HostCosts,
    machines: PredictedMachines, interpreters: Interpreters, tick: Tick, end_s: float,
) -> dict[str, list[ForecastPoint]]:  # fmt: skip
    """The points of each workload that there is time for: all machines with transfers as fitted, then SPREAD cheaper and dearer.

    Parameters  end_s: of time.monotonic()
    """
    wanted = [(1.0, nr_cpus) for nr_cpus in ladder(machines.cpus)]
    wanted += [(factor, nr_cpus) for nr_cpus in machines.cpus for factor in (1 - SPREAD, 1 + SPREAD)]
    planned = []
    for order, (factor, nr_cpus) in enumerate(wanted):
        for workload, policies in cases:
            name = variant(workload.name, policies)
            plain_ns, atomic_ns = access_ns(alone_ns[name], by_one[name], costs.atomic_ns)
            bound = max(POINT_ACCESSES, nr_cpus * workload.cycle_accesses)
            job = VirtualJob(workload.name, nr_cpus, min(machines.sockets, nr_cpus), policies, cache_lines=machines.cache_lines)
            job = replace(job, seed=machines.seed + order, max_accesses=bound)
            scaled = replace(costs, request_ns=costs.request_ns * factor, transfer_ns=costs.transfer_ns * factor)
            cost = (order >= len(wanted) - 2 * len(machines.cpus), bound, nr_cpus)  # the cheap ones first: more points in the time
            planned.append((cost, name, scaled.job(job, plain_ns, atomic_ns, machines.socket_ns * factor)))
    planned.sort(key=lambda each: each[0])
    keys, jobs = [(name, job.nr_cpus) for _, name, job in planned], [job for *_, job in planned]
    found: dict[str, dict[int, list[VirtualResult]]] = {}
    for (name, nr_cpus), result in zip(keys, interpreters.results(jobs, end_s), strict=False):
        tick(f"{nr_cpus} CPUs: {name}")
        if result.ops >= LEAST_OPS:
            found.setdefault(name, {}).setdefault(nr_cpus, []).append(result)
    return {name: [_point(results) for _, results in sorted(by_count.items())] for name, by_count in found.items()}


def _point(results: list[VirtualResult]) -> ForecastPoint:
    rates = [result.ops_per_us for result in results]
    return ForecastPoint(results[0].nr_cpus, rates[0], min(rates), max(rates), results[0])
