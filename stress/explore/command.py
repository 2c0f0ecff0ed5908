"""`pfnstorm explore`: every model under every strategy of a portfolio, in forked workers, within a budget; a verdict each.

This process compiles the scheduler, forks and deals out blocks; it has no engine and no thread. A worker that dies or is stopped, or a
model that does not compile, ends the run, and what was found until then is reported.
"""

import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from stress.errors import EXIT_INTERRUPTED, EXIT_VACUOUS, EXIT_VIOLATED, PfnstormError, UserError
from stress.explore.budget import Budget
from stress.explore.compiling import build_scheduler, compile_work
from stress.explore.dealing import SearchLine, search_all
from stress.explore.failure import Failure, save_failure
from stress.explore.model import Model
from stress.explore.search import SearchPlan
from stress.explore.session import StrategyTally
from stress.explore.verdict import ModelVerdict, full_table_of, table_of, unreached_lines, verdict_line
from stress.explore.workers import workers
from stress.io.json_report import write_report

SCHEMA = "pfnstorm-explore/1"


@dataclass(frozen=True)
class ExploreOptions:
    """What a user asked for. The budget is `schedules` of each model and strategy, or if that is None `seconds` for all models together.

    full    print a row for each strategy of each model, too
    """

    models: tuple[Model, ...]
    strategies: tuple[str, ...]
    memory: str
    seconds: float
    schedules: int | None
    seed: int
    jobs: int
    json: Path | None
    failures: Path
    full: bool = False


def execute(options: ExploreOptions, out: TextIO = sys.stderr) -> int:
    """Explore, print what is not clean, a table and the verdict, write the JSON; returns the exit code.

    Raises      LostWorkerError, after that; UserError or HostError if a model cannot be compiled
    """
    start = time.monotonic()
    budget = Budget(
        None if options.schedules is not None else options.seconds, options.jobs, compile_work(options.models, options.jobs), out
    )
    budget.announce()
    budget.scheduler_built(build_scheduler(out))
    report, live = _Report(options), SearchLine(out)
    ended_by: KeyboardInterrupt | PfnstormError | None = None
    try:
        with workers(options.models, options.jobs) as made:
            plan = SearchPlan(options.memory, options.seed, options.schedules)
            for verdict in search_all(options.models, options.strategies, plan, made, budget, live):
                live.clear()
                report.add(verdict)  # those before an interrupt count
    except (KeyboardInterrupt, PfnstormError) as error:
        ended_by = error
    live.clear()
    unwritten = write_report(options.json, to_json(report.verdicts, options, interrupted=ended_by is not None))
    print("\n".join(report.lines(time.monotonic() - start, ended_by)), flush=True)
    if isinstance(ended_by, PfnstormError):
        raise ended_by
    if ended_by is not None:
        return EXIT_INTERRUPTED
    endings = {verdict.ending for verdict in report.verdicts}
    return EXIT_VIOLATED if "violated" in endings else EXIT_VACUOUS if "vacuous" in endings else unwritten


def to_json(verdicts: Sequence[ModelVerdict], options: ExploreOptions, *, interrupted: bool) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "memory": options.memory,
        "seed": options.seed,
        "interrupted": interrupted,
        "models": [verdict.to_json() for verdict in verdicts if verdict.tallies],
    }


class _Report:
    """The verdicts so far. One that is not clean is printed as soon as it is known, with what it takes to reproduce it."""

    def __init__(self, options: ExploreOptions) -> None:
        self.verdicts: list[ModelVerdict] = []
        self._options = options
        self._replays: dict[str, str] = {}  # where the failures are, by model

    def add(self, verdict: ModelVerdict) -> None:
        self.verdicts.append(verdict)
        if verdict.failed is not None and verdict.failed.failure is not None:
            lines = self._lines_about(verdict.model.name, verdict.failed, verdict.failed.failure)
            print("\n".join([f"{verdict.model.name}: {verdict.text()}", *lines]), flush=True)
        elif verdict.ending in ("vacuous", "interrupted"):
            print(f"{verdict.model.name}: {verdict.text()}", flush=True)

    def _lines_about(self, name: str, tally: StrategyTally, failure: Failure) -> list[str]:
        """How to reproduce a failure, which is saved; and the command that replays it."""
        path = self._options.failures / f"{name}-{self._options.memory}.json"
        try:
            save_failure(failure, path)
            replay = f"pfnstorm replay {'-- ' if str(path).startswith('-') else ''}{shlex.quote(str(path))}"
            self._replays[name] = f"see {path}; {replay}"
        except UserError as error:
            self._replays[name] = replay = f"the failure is not saved: {error}"
        (preemptions, steps), (preemptions_left, steps_left) = tally.original, tally.shrunk
        return [
            f"  {tally.strategy}, seed {failure.seed}, schedule {failure.number:,}",
            f"  shrunk: preemptions {preemptions} -> {preemptions_left}, steps {steps} -> {steps_left}",
            f"  {replay}",
        ]

    def lines(self, seconds: float, ended_by: KeyboardInterrupt | PfnstormError | None) -> list[str]:
        """The tables, what was not reached, and the verdict."""
        why = (
            "" if ended_by is None else "by a signal: " if isinstance(ended_by, KeyboardInterrupt) else f"{str(ended_by).splitlines()[0]}: "
        )
        return [
            *(full_table_of(self.verdicts) if self._options.full else ()),
            *table_of(self.verdicts),
            *unreached_lines(self.verdicts),
            verdict_line(self.verdicts, len(self._options.models), seconds, self._replays, why),
        ]
