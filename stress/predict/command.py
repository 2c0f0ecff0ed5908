"""`pfnstorm predict`: measure this host, count by interpretation, print what other machines would do."""

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stress.errors import HostError, UserError, unknown
from stress.io.drawing import check_plot
from stress.io.json_report import check_json_path, write_report
from stress.io.output import StageLine
from stress.machine.host import describe_host, usable_cpus
from stress.machine.sizes import parse_size
from stress.predict import picture, show
from stress.predict.coherence import LINE_SHIFT
from stress.predict.cost import TRAINING, HostCosts, fit_costs, median
from stress.predict.forecast import Case, Forecast, PredictedMachines, interpreted_points, law_of, validations
from stress.predict.interpreted import Interpreters, VirtualJob
from stress.predict.measured import WorkerRounds, rounds_of
from stress.predict.workloads import MODULES, WORKLOADS, variant
from stress.process import build

SCHEMA = "pfnstorm-predict/1"
MAX_CPUS = 1024
SOCKET_RATIO = (
    4.0  # of a line between sockets to one between cores of a socket, where --socket-ns does not say; measured figures are 3 to 6
)
ROUNDS, ROUNDS_S = 40, 1.5  # of each workload, and the most seconds for them
PLAIN_INTERVAL_S = 10.0


@dataclass(frozen=True)
class PredictOptions:
    """The command line of `pfnstorm predict`. No workloads: all; socket_ns None: SOCKET_RATIO; cache None: without a limit."""

    cpus: str
    sockets: int
    socket_ns: float | None
    cache: str | None
    workloads: tuple[str, ...]
    seconds: float
    seed: int
    json: Path | None
    plot: Path | None


def parse_cpus(text: str) -> tuple[int, ...]:
    """ "64,256" as numbers of CPUs.

    Raises      UserError
    """
    numbers = []
    for word in text.split(","):
        if not (word.strip().isascii() and word.strip().isdecimal()) or len(word) > 9 or not 1 <= int(word) <= MAX_CPUS:
            raise UserError(f"--cpus {text[:40]!r}: numbers from 1 to {MAX_CPUS:,}, such as 64,256")
        numbers.append(int(word))
    return tuple(sorted(set(numbers)))


def chosen_cases(names: Sequence[str]) -> list[Case]:
    """The workloads of these names under each policy value that matters, or all; primitives of the cost model come first, always.

    Raises      UserError
    """
    known = [workload.name for workload in WORKLOADS if not workload.primitive]
    for name in names:
        if name not in known:
            raise unknown("workload", name, known)
    wanted = [
        each
        for each in WORKLOADS
        if each.primitive or any(known.startswith(each.name) for known in TRAINING) or not names or each.name in names
    ]
    return [(workload, policies) for workload in wanted for policies in workload.values()]


def _measured(cases: Sequence[Case], processors: list[int], progress: StageLine) -> dict[str, WorkerRounds]:
    found = {}
    for workload, policies in cases:
        name = variant(workload.name, policies)
        progress(f"measuring {name}")
        if workload.pair_only and len(processors) < 2:
            found[name] = WorkerRounds([], None)
            continue
        found[name] = rounds_of(workload, policies, processors, ROUNDS, ROUNDS_S)
    if not (found["add"].alone_ns and found["pause"].alone_ns):
        raise HostError("this host is too busy: no slice of some milliseconds in which one worker kept its processor")
    return found


def _forecasts(
    cases: Sequence[Case], measured: dict[str, WorkerRounds], machines_of: Any, options: PredictOptions, progress: StageLine
) -> tuple[list[Forecast], HostCosts, PredictedMachines]:
    timed = [(w, p) for w, p in cases if not w.pair_only and measured[variant(w.name, p)].alone_ns]
    with Interpreters(max(1, min(2, len(usable_cpus())))) as interpreters:
        progress("counting by one CPU")
        jobs = [VirtualJob(workload.name, 1, policies=policies, seed=options.seed) for workload, policies in timed]
        by_one = {variant(w.name, p): r for (w, p), r in zip(timed, interpreters.results(jobs), strict=True)}
        costs = fit_costs(measured, by_one, interpreters, progress)
        machines = machines_of(costs)
        progress("predicting two workers")
        trained = TRAINING if costs.fitted else ()
        checked = validations(cases, measured, by_one, costs, interpreters, trained)
        forecasts = {}
        for workload, policies in cases:
            name = variant(workload.name, policies)
            rounds = measured[name]
            alone_ns = 0.0 if workload.pair_only or not rounds.alone_ns else median(rounds.alone_ns)
            law = None if workload.primitive else law_of(rounds)
            forecasts[name] = Forecast(name, variant(workload.title, policies), workload.unit, alone_ns, checked.get(name), law, [])
        shown = [case for case in timed if not case[0].primitive]
        end_s = time.monotonic() + options.seconds
        alone = {name: each.alone_ns for name, each in forecasts.items()}
        for name, points in interpreted_points(shown, alone, by_one, costs, machines, interpreters, progress, end_s).items():
            forecasts[name].points.extend(points)
    return list(forecasts.values()), costs, machines


def execute(options: PredictOptions) -> int:
    """Measure, interpret, print and save.

    Returns     the exit code
    Raises      UserError, HostError
    """
    cpus, cases = parse_cpus(options.cpus), chosen_cases(options.workloads)
    if options.sockets > max(cpus):
        raise UserError(f"--sockets {options.sockets}: more than CPUs")
    cache_lines = None if options.cache is None else max(1, parse_size(options.cache) >> LINE_SHIFT)
    if options.json is not None:
        check_json_path(options.json)
    if options.plot is not None:
        check_plot(options.plot)
    build.build_entries(build.entries_of(MODULES))
    started_s, host, processors = time.monotonic(), describe_host(), usable_cpus()
    progress = StageLine("predict", sys.stderr, plain_every_s=PLAIN_INTERVAL_S)

    def machines_of(costs: HostCosts) -> PredictedMachines:
        socket_ns = options.socket_ns if options.socket_ns is not None else SOCKET_RATIO * costs.transfer_ns
        return PredictedMachines(cpus, options.sockets, socket_ns, cache_lines, options.seed)

    measured = _measured(cases, processors, progress)
    forecasts, costs, machines = _forecasts(cases, measured, machines_of, options, progress)
    progress.clear()
    shown = [each for each in forecasts if each.law is not None and (not options.workloads or each.name.split(",")[0] in options.workloads)]
    lines = [f"{host['cpu']}, {len(processors)} cores here; {machines.sockets} socket(s), {options.cpus} CPUs predicted"]
    if len(processors) < 2:
        lines.append("one core: two workers, and so what a line's transfer costs, cannot be measured here; counts do not depend on it")
    lines += [*show.costs_lines(costs), "", *show.validation_table(forecasts), *show.forecast_table(shown, machines)]
    print("\n".join([*lines, *show.assumptions(machines, costs, options.socket_ns is None)]), flush=True)
    result = {
        "schema": SCHEMA,
        "host": host,
        "costs": asdict(costs),
        "machines": asdict(machines),
        "workloads": [each.as_json(cpus) for each in forecasts],
        "seconds": time.monotonic() - started_s,
    }
    unwritten = write_report(options.json, result)
    if options.plot is not None:
        picture.plot(shown, machines, f"{host['cpu']}, {host['cores']} cores", options.plot)
    return unwritten
