"""`pfnstorm compare`: the figures of each axis, printed, saved and drawn."""

import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stress.compare import counts, picture, references, show, storms, windows
from stress.compare.axes import ComparedAxis, axes_of
from stress.compare.saved import SCHEMA, as_saved, read_comparison
from stress.compare.verdicts import RowGroup
from stress.errors import EXIT_CLEAN, HostError, UserError
from stress.io.drawing import check_plot
from stress.io.json_report import check_json_path, write_report
from stress.io.output import StageLine
from stress.machine.host import describe_host, memory_headroom, usable_cores, usable_cpus
from stress.measure.limits import CProgram
from stress.measure.ratio import Figure, interval
from stress.process import build
from stress.storm.entries import ENTRY_PACKAGES
from stress.storm.scenario import find_scenario

KERNEL_NS_PER_FRAME = 3600  # a compaction of all memory, 143,848 frames in 0.52 s, recorded on Linux 6.18, x86-64, 2 CPUs
TWINS_BYTES, COPY_SLICE_US = 1 << 29, 50_000  # what limits.c allocates; own CPU time of one figure
PLAIN_INTERVAL_S = 10.0  # between lines of progress on a pipe
STORM_ROUNDS_DIVISOR = 3  # a round of a storm takes seconds, one of a stage milliseconds

Tick = Callable[[str], None]


@dataclass(frozen=True)
class CompareOptions:
    """The command line of `pfnstorm compare`. No axes: all; workers None: one per core; memory None: the scenario's; saved:
    a comparison to draw in place of a new one."""

    axes: tuple[str, ...]
    scenario: str
    nr_rounds: int
    storm_seconds: float
    workers: int | None
    memory: str | None
    json: Path | None
    plot: Path | None
    saved: Path | None = None


def check_workers(workers: int | None) -> int:
    """The number of workers of a storm. With more workers than cores the scheduler of the host would be timed.

    Raises      HostError
    """
    cores = usable_cores()
    if workers is not None and workers > cores:
        raise HostError(f"--workers {workers}: this host has {cores} cores; with more workers the timings would compare its scheduler")
    return workers or cores


def _micro_figures(axis: ComparedAxis, nr_rounds: int, workers: int, tick: Tick) -> tuple[list[Figure], dict[str, Any]]:
    """The figures of one axis on a quiet machine, and its exact counts. Those of a value compared with itself are equal, and left out."""
    if axis.name in windows.AXES:
        figures = windows.figures(axis.name, nr_rounds, tick, axis.twin)
        if axis.name == windows.BATCH or axis.twin is not None:
            return figures, {}
        tick("counting atomics and cache lines by interpretation")
        return figures, counts.counts(axis.name)
    if axis.name == references.AXIS:
        return references.figures(nr_rounds, usable_cpus()[:workers], tick, axis.twin), {}
    return [], {}


def _measured(
    axis: ComparedAxis, options: CompareOptions, storm: storms.ComparedStorm, progress: Tick
) -> tuple[list[RowGroup], dict[str, Any]]:
    """The figures of one axis, in groups of those that are judged together, and its exact counts."""
    settings, short = axis.settings(), ""
    base = next(iter(settings))
    if storm.seconds < storms.SHORTEST_S:
        short = f"a storm of {storm.seconds:g} s measures mostly how it fills the machine: --seconds {storms.SHORTEST_S:g} or more"
    quiet, counted = _micro_figures(axis, options.nr_rounds, storm.workers, progress)
    stormed = storms.figures(settings, storm, _nr_storms(options.nr_rounds), progress)
    groups = [
        RowGroup("a quiet machine", quiet, base),
        RowGroup(f"storms of {storm.seconds:g} s", stormed, base, rounds_factor=STORM_ROUNDS_DIVISOR, too_short=short),
    ]
    return [group for group in groups if group.figures], counted


def _nr_storms(nr_rounds: int) -> int:
    return max(3, nr_rounds // STORM_ROUNDS_DIVISOR)


def _beside(nr_rounds: int, tick: Tick) -> dict[str, Any]:
    """Figures to compare a whole migration with: a plain copy of a frame in C, and the kernel's own time."""
    beside: dict[str, Any] = {"kernel_ns_per_frame": KERNEL_NS_PER_FRAME, "ipi_ns": 0, "plain_copy_ns": None, "left_out": None}
    if memory_headroom().available_bytes < TWINS_BYTES * 3 // 2:
        return beside | {"left_out": "too little memory for 256 MiB of frames"}
    cpus = usable_cpus()
    try:
        with CProgram((cpus[0], cpus[-1])) as program:
            taken = []
            for number in range(nr_rounds):
                tick(f"plain copy in C, round {number + 1} of {nr_rounds}")
                taken.append(program.ns("copy", (0,), COPY_SLICE_US))
    except HostError as error:
        return beside | {"left_out": str(error)}
    copy = interval(taken)
    return beside | {"plain_copy_ns": asdict(copy)}


def execute(options: CompareOptions) -> int:
    """Measure, print and save.

    Returns     the exit code
    Raises      UserError, HostError, StormFailedError
    """
    if options.plot is not None:
        check_plot(options.plot)
    if options.saved is not None:
        return _draw_saved(options, options.saved)
    find_scenario(options.scenario)
    if options.json is not None:
        check_json_path(options.json)
    axes, workers = axes_of(options.axes), check_workers(options.workers)
    if options.plot is not None:
        picture.check_questions([str(axis) for axis in axes])
    build.import_all_entries(ENTRY_PACKAGES)
    storm = storms.ComparedStorm(options.scenario, options.storm_seconds, workers, options.memory)
    for axis in axes:
        for policies in axis.settings().values():
            storm.check(policies)
    build.build_entries()
    progress = StageLine("compare", sys.stderr, plain_every_s=PLAIN_INTERVAL_S)
    host, started_s = describe_host(), time.monotonic()
    result: dict[str, Any] = {"schema": SCHEMA, "host": host, "axes": {}}
    print(f"{host['cpu']}, {options.nr_rounds} interleaved rounds, {_nr_storms(options.nr_rounds)} of storms, the values in random order")
    for axis in axes:
        groups, counted = _measured(axis, options, storm, progress)
        progress.clear()
        print(f"\n{axis}: {' | '.join(axis.settings())}\n")
        tables = [line for group in groups for line in show.table(group)]
        print("\n".join([*tables, *(show.counts_table(counted) if counted else [])]), flush=True)
        beside = _beside(options.nr_rounds, progress) if axis == ComparedAxis("migration") else None
        if beside is not None:
            progress.clear()
            print("\n".join(show.beside_lines(beside)), flush=True)
        result["axes"][str(axis)] = {
            "beside": beside,
            "base": next(iter(axis.settings())),
            "counts": counted,
            "figures": [row for group in groups for row in _as_json(group)],
        }
    result["seconds"] = time.monotonic() - started_s
    unwritten = write_report(options.json, result)
    if options.plot is not None:
        picture.plot(as_saved(result), options.plot)
    return unwritten


def _draw_saved(options: CompareOptions, saved: Path) -> int:
    """Draw a saved comparison, and measure nothing."""
    if options.plot is None or options.json is not None or options.axes:
        raise UserError("--from FILE draws a saved comparison: it goes with --plot, and not with --json or --axis")
    picture.plot(read_comparison(saved), options.plot)
    return EXIT_CLEAN


def _as_json(group: RowGroup) -> list[dict[str, Any]]:
    shown, rows = group.verdicts(), []
    for figure in group.figures:
        ratios: dict[str, Any] = {}
        for value in figure.rounds:
            ratio = figure.ratio(value, group.base) if value != group.base else None
            if ratio is not None:
                ratios[value] = asdict(ratio) | {"shown": shown[figure.name, value]}
        row = {"name": figure.name, "unit": figure.unit, "more_is_better": figure.more_is_better}
        rows.append(row | {"rounds": figure.rounds, "ratio_to_base": ratios})
    return rows
