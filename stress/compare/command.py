"""`pfnstorm compare`: the figures of each axis, printed, saved and drawn."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernels.base.layout import POLICIES
from stress.compare import counts, references, show, storms, windows
from stress.errors import HostError, UserError
from stress.io.json_report import check_json_path, write_report
from stress.io.output import StageLine
from stress.machine.host import describe_host, memory_headroom, usable_cores, usable_cpus
from stress.measure.limits import CProgram
from stress.measure.ratio import Figure, interval
from stress.process import build
from stress.storm.entries import ENTRY_PACKAGES
from stress.storm.scenario import find_scenario

SCHEMA = "pfnstorm-compare/1"
KERNEL_NS_PER_FRAME = 3600  # a compaction of all memory, 143,848 frames in 0.52 s, recorded on Linux 6.18, x86-64, 2 CPUs
COPY_BYTES = 1 << 30  # the memory in which limits.c copies frames
PLAIN_INTERVAL_S = 10.0  # between lines of progress on a pipe
STORM_ROUNDS_DIVISOR = 3  # a round of a storm takes seconds, one of a stage milliseconds

Tick = Callable[[str], None]


@dataclass(frozen=True)
class CompareOptions:
    """The command line of `pfnstorm compare`. No axes: all; workers None: one per core; memory None: the scenario's."""

    axes: tuple[str, ...]
    scenario: str
    nr_rounds: int
    storm_seconds: float
    workers: int | None
    memory: str | None
    json: Path | None
    plot: Path | None


def check_workers(workers: int | None) -> int:
    """The number of workers of a storm. With more workers than cores the scheduler of the host would be timed.

    Raises      HostError
    """
    cores = usable_cores()
    if workers is not None and workers > cores:
        raise HostError(f"--workers {workers}: this host has {cores} cores; with more workers the timings would compare its scheduler")
    return workers or cores


def _axes() -> dict[str, dict[str, dict[str, str]]]:
    """Every axis: the names of its values, and the policies that each value sets."""
    axes = {name: {value: {name: value} for value in values} for name, values in POLICIES.items() if len(values) > 1}
    axes["offline"] = {value: each | {"balloon_order": "0"} for value, each in axes["offline"].items()}  # blocks of one size under all
    batchings = {value: {key: str(number) for key, number in each.items()} for value, each in windows.BATCHINGS.items()}
    return axes | {windows.BATCH: batchings}


def axes_of(names: Sequence[str]) -> tuple[str, ...]:
    """The axes of these names, or all of them.

    Raises      UserError
    """
    comparable = tuple(_axes())
    for name in names:
        if name not in comparable:
            raise UserError(f"--axis {name}: there is nothing to compare; axes: {', '.join(comparable)}")
    return tuple(dict.fromkeys(names)) or comparable


def _micro_figures(axis: str, nr_rounds: int, workers: int, tick: Tick) -> tuple[list[Figure], dict[str, Any]]:
    """The figures of one axis on a quiet machine, and its exact counts."""
    if axis == windows.BATCH:
        return windows.figures(axis, nr_rounds, tick), {}
    if axis in windows.AXES:
        tick("counting atomics and cache lines by interpretation")
        return windows.figures(axis, nr_rounds, tick), counts.counts(axis)
    if axis == "refcount":
        return references.figures(nr_rounds, usable_cpus()[:workers], tick), {}
    return [], {}


def _beside(nr_rounds: int, tick: Tick) -> dict[str, Any]:
    """Figures to compare a whole migration with: a plain copy of a frame in C, and the kernel's own time."""
    beside: dict[str, Any] = {"kernel_ns_per_frame": KERNEL_NS_PER_FRAME, "ipi_ns": 0, "plain_copy_ns": None, "left_out": None}
    if memory_headroom().available_bytes < COPY_BYTES * 3 // 2:
        return beside | {"left_out": "too little memory for 1 GiB of frames"}
    cpus = usable_cpus()
    try:
        with CProgram((cpus[0], cpus[-1])) as program:
            taken = []
            for number in range(nr_rounds):
                tick(f"plain copy in C, round {number + 1} of {nr_rounds}")
                taken.append(program.ns("copy", (0,)))
    except HostError as error:
        return beside | {"left_out": str(error)}
    copy = interval(taken)
    return beside | {"plain_copy_ns": {"median": copy.median, "low": copy.low, "high": copy.high}}


def execute(options: CompareOptions) -> int:
    """Measure, print and save.

    Returns     the exit code
    Raises      UserError, HostError, StormFailedError
    """
    find_scenario(options.scenario)
    if options.json is not None:
        check_json_path(options.json)
    if options.plot is not None:
        show.check_plot(options.plot)
    axes, workers = axes_of(options.axes), check_workers(options.workers)
    build.import_all_entries(ENTRY_PACKAGES)
    storm = storms.ComparedStorm(options.scenario, options.storm_seconds, workers, options.memory)
    for axis in axes:
        for policies in _axes()[axis].values():
            storm.check(policies)
    build.build_entries()
    progress = StageLine("compare", sys.stderr, plain_every_s=PLAIN_INTERVAL_S)
    host, started_s = describe_host(), time.monotonic()
    result: dict[str, Any] = {"schema": SCHEMA, "host": host, "axes": {}}
    drawn: list[tuple[str, list[Figure], str]] = []
    print(f"{host.get('cpu', '')}, {options.nr_rounds} interleaved rounds; a cost ratio below 1 favours the first value named")
    for axis in axes:
        settings = _axes()[axis]
        values = tuple(settings)
        figures, counted = _micro_figures(axis, options.nr_rounds, workers, progress)
        nr_storms = max(3, options.nr_rounds // STORM_ROUNDS_DIVISOR)
        figures += storms.figures(settings, storm, nr_storms, progress)
        progress.clear()
        print(f"\n{axis}: {' | '.join(values)}\n")
        print("\n".join([*show.table(figures, values[0]), *(show.counts_table(counted) if counted else [])]), flush=True)
        beside = _beside(options.nr_rounds, progress) if axis == "migration" else None
        if beside is not None:
            progress.clear()
            print("\n".join(show.beside_lines(beside)), flush=True)
        result["axes"][axis] = {
            "beside": beside,
            "base": values[0],
            "counts": counted,
            "figures": [_as_json(figure, values[0]) for figure in figures],
        }
        drawn.append((axis, figures, values[0]))
    result["seconds"] = time.monotonic() - started_s
    unwritten = write_report(options.json, result)
    if options.plot is not None:
        show.plot(drawn, options.plot)
    return unwritten


def _as_json(figure: Figure, base: str) -> dict[str, Any]:
    ratios: dict[str, Any] = {}
    for value in figure.rounds:
        ratio = figure.ratio(value, base) if value != base else None
        if ratio is not None:
            ratios[value] = {"median": ratio.median, "low": ratio.low, "high": ratio.high, "shown": figure.shown(value, base)}
    return {
        "name": figure.name,
        "unit": figure.unit,
        "more_is_better": figure.more_is_better,
        "rounds": figure.rounds,
        "ratio_to_base": ratios,
    }
