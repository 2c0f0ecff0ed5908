"""`pfnstorm bugs --explore`: how soon each strategy finds each seeded bug, under each memory model.

A story names the model that finds its bug (`explore`), or says why no model can (`explore_not`). A trial is a seed; it ends at the first
schedule that any net reports, or at its cap. A strategy that draws nothing has one trial.
"""

import select
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, TextIO

from stress.bugs.story import SeededBug, seeded_bugs
from stress.bugs.weave import weave_bugs
from stress.errors import EXIT_CLEAN, EXIT_INTERRUPTED, EXIT_VIOLATED
from stress.explore.strategies import CHOOSABLE, NAMED, STRATEGIES
from stress.io.json_report import check_json_path, write_report
from stress.machine.host import usable_cores
from stress.mutate.alive import UNCHANGED
from stress.mutate.messages import DetectAnswer, DetectRequest
from stress.mutate.server import Server
from stress.process.child import hangup_interrupts
from stress.process.scratch import scratch_folder

SCHEMA = "pfnstorm-detect/1"
MEMORIES = ("sc", "tso", "pso")  # those that every strategy is for
CONTROL, CONTROL_CAP, CONTROL_STRATEGIES = "unchanged", 20_000, ("pos", "pct-3")
_TICK_S = 1.0
_SAID_S = 5.0


@dataclass(frozen=True)
class DetectOptions:
    """The command line of `pfnstorm bugs --explore`. No names: all bugs; jobs None: one per core.

    seconds     of each cell: a bug under one strategy and memory model, all trials together
    """

    names: tuple[str, ...]
    trials: int
    cap: int
    seconds: float
    jobs: int | None
    json: Path | None


@dataclass(frozen=True)
class Cell:
    """One bug in its model under one strategy and memory model; `numbers` and `found` as in DetectAnswer."""

    bug: str
    model: str
    memory: str
    strategy: str
    numbers: tuple[int | None, ...]
    found: str
    seconds: float

    @property
    def hits(self) -> list[int]:
        return [each for each in self.numbers if each is not None]


@dataclass
class DetectOutcome:
    """What exploring one bug showed. `error`: why it could not be explored."""

    bug: SeededBug
    cells: list[Cell] = field(default_factory=list)
    error: str = ""

    @property
    def found(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.found]


# ------------------------------------------------------------------------------------------------------------------- running


def control_requests(cap: int, seconds: float) -> list[DetectRequest]:
    """The cells of the unchanged kernels: a model that finds something there proves nothing about a bug."""
    return [
        DetectRequest(UNCHANGED, memory, strategy, 1, min(cap, CONTROL_CAP), seconds)
        for memory in MEMORIES
        for strategy in CONTROL_STRATEGIES
    ]


def requests_for(number: int, options: DetectOptions) -> list[DetectRequest]:
    """The cells of one bug."""
    found = []
    for memory in MEMORIES:
        for strategy in CHOOSABLE:
            trials = 1 if STRATEGIES[NAMED[strategy][0]].exhaustive else options.trials
            found.append(DetectRequest(number, memory, strategy, trials, options.cap, options.seconds))
    return found


def run_detection(bugs: Sequence[SeededBug], options: DetectOptions, out: TextIO) -> tuple[list[DetectOutcome], list[Cell], int]:
    """Explore every bug that a model can find; the outcomes so far, false alarms, and the exit status if it was interrupted."""
    alarms: list[Cell] = []
    outcomes = {bug.name: DetectOutcome(bug) for bug in bugs}
    chosen = [bug for bug in bugs if bug.story.explore]
    status = EXIT_CLEAN
    try:
        with hangup_interrupts(), scratch_folder("pfnstorm-detect-") as scratch:
            folder = scratch / "woven"
            for bug_name, error in weave_bugs(folder, chosen).items():
                outcomes[bug_name].error = error
            waiting: dict[str, list[DetectRequest]] = {}
            for number, bug in enumerate(chosen, 1):
                if not outcomes[bug.name].error:
                    mine = waiting.setdefault(bug.story.explore, control_requests(options.cap, options.seconds))
                    mine.extend(requests_for(number, options))
            for cell in _ask_all(waiting, chosen, options.jobs or usable_cores(), folder, out):
                if cell.bug != CONTROL:
                    outcomes[cell.bug].cells.append(cell)
                elif cell.found:
                    alarms.append(cell)
    except KeyboardInterrupt:
        status = EXIT_INTERRUPTED
    return list(outcomes.values()), alarms, status


def _ask_all(waiting: dict[str, list[DetectRequest]], bugs: Sequence[SeededBug], jobs: int, folder: Path, out: TextIO) -> Iterator[Cell]:
    """Ask one server a model, `jobs` of them at a time; each answer as soon as it arrives."""
    models, busy = list(waiting), list[Server]()
    total, done, start, said = sum(map(len, waiting.values())), 0, time.monotonic(), 0.0
    try:
        while models or busy:
            while models and len(busy) < jobs:
                model = models.pop(0)
                server = Server(("detect", model), folder)
                server.ask(waiting[model][0])
                busy.append(server)
            if time.monotonic() - said > _SAID_S:
                said = time.monotonic()
                running = ", ".join(server.words[1] for server in busy)
                print(f"{said - start:6.0f} s: {done} of {total} cells; {running}", file=out, flush=True)
            for server in select.select(busy, [], [], _TICK_S)[0]:
                model, answer = server.words[1], DetectAnswer(**server.read_answer())
                request = waiting[model].pop(0)
                name = bugs[request.mutant - 1].name if request.mutant != UNCHANGED else CONTROL
                yield Cell(name, model, request.memory, request.strategy, tuple(answer.numbers), answer.found, answer.seconds)
                done += 1
                if waiting[model]:
                    server.ask(waiting[model][0])
                else:
                    server.stop()
                    busy.remove(server)
    finally:
        for server in busy:
            server.stop()


# ------------------------------------------------------------------------------------------------------------------ reporting


def execute(options: DetectOptions, out: TextIO = sys.stderr) -> int:
    """Explore, print the table, write the JSON; returns the exit code: 1 if no strategy finds a bug that a model should find.

    Raises      UserError, HostError
    """
    bugs = seeded_bugs(options.names)
    if options.json is not None:
        check_json_path(options.json)
    outcomes, alarms, status = run_detection(bugs, options, out)
    said = [f"FALSE ALARM of {each.model}, {each.memory} {each.strategy}: {each.found} in the kernels as they are" for each in alarms]
    print("\n".join([*said, *table_of(outcomes)]), flush=True)
    unwritten = write_report(options.json, _to_json(options, outcomes, alarms))
    missed = any(each.error or (each.cells and not each.found) for each in outcomes)
    return status or (EXIT_VIOLATED if missed or alarms else unwritten)


def _to_json(options: DetectOptions, outcomes: Sequence[DetectOutcome], alarms: Sequence[Cell]) -> dict[str, Any]:
    table = [
        {
            "name": each.bug.name,
            "model": each.bug.story.explore,
            "explore_not": each.bug.story.explore_not,
            "error": each.error,
            "cells": [asdict(cell) for cell in each.cells],
        }
        for each in outcomes
    ]
    return {
        "schema": SCHEMA,
        "trials": options.trials,
        "cap": options.cap,
        "seconds": options.seconds,
        "bugs": table,
        "false_alarms": [asdict(each) for each in alarms],
    }


def table_of(outcomes: Sequence[DetectOutcome]) -> list[str]:
    """A block for each memory model, a line for each bug, for each strategy the median first schedule, and the share if not all."""
    lines: list[str] = []
    cells = [cell for each in outcomes for cell in each.cells]
    memories = list(dict.fromkeys(cell.memory for cell in cells))
    strategies = list(dict.fromkeys(cell.strategy for cell in cells))
    width = max((len(each.bug.name) for each in outcomes), default=3)
    if cells:
        lines.append("schedules to first detection: the median of the trials that found it (share of the trials); - none did")
    for memory in memories:
        lines.append(f"{memory.ljust(width)}  {'  '.join(strategy.rjust(13) for strategy in strategies)}")
        for each in outcomes:
            of_bug = {cell.strategy: cell for cell in each.cells if cell.memory == memory}
            if of_bug:
                lines.append(f"{each.bug.name.ljust(width)}  {'  '.join(_shown(of_bug.get(name)).rjust(13) for name in strategies)}")
    lines += _only(outcomes)
    for each in outcomes:
        if each.error:
            lines.append(f"{each.bug.name}: {each.error}")
        elif each.bug.story.explore_not:
            lines.append(f"{each.bug.name}: not explored: {each.bug.story.explore_not}")
    return lines


def _shown(cell: Cell | None) -> str:
    if cell is None:
        return ""
    if not cell.hits:
        return cell.found or "-"
    share = "" if len(cell.hits) == len(cell.numbers) else f" ({len(cell.hits)}/{len(cell.numbers)})"
    return f"{median(cell.hits):,.0f}{share}"


def _only(outcomes: Sequence[DetectOutcome]) -> list[str]:
    """Bugs that only one memory model or only one strategy finds, and bugs that nothing finds."""
    lines = []
    for each in outcomes:
        if not each.cells:
            continue
        memories = {cell.memory for cell in each.found}
        strategies = {cell.strategy for cell in each.found}
        if not each.found:
            lines.append(f"{each.bug.name}: found by NO strategy in {each.bug.story.explore}")
        elif "sc" not in memories:
            lines.append(f"{each.bug.name}: only under {' and '.join(sorted(memories))}")
        if len(strategies) == 1:
            lines.append(f"{each.bug.name}: only by {strategies.pop()}")
    return lines
