"""`pfnstorm explore`: every model under every strategy of a portfolio, in forked workers, within a budget; a verdict each.

This process compiles, forks and deals out blocks; it has no engine and no thread. A worker that dies or is stopped ends the run, and what
was found until then is reported.
"""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from stress.errors import EXIT_INTERRUPTED, EXIT_VACUOUS, EXIT_VIOLATED, UserError
from stress.explore.compiling import build_models
from stress.explore.failure import save_failure
from stress.explore.model import Model
from stress.explore.search import SearchLine, SearchPlan, search_all
from stress.explore.verdict import ModelVerdict, table_of
from stress.explore.workers import LostWorkerError, workers
from stress.io.json_report import write_report

SCHEMA = "pfnstorm-explore/1"


@dataclass(frozen=True)
class ExploreOptions:
    """What a user asked for. The budget is `schedules` of each model and strategy, or if that is None `seconds` for all models together."""

    models: tuple[Model, ...]
    strategies: tuple[str, ...]
    memory: str
    seconds: float
    schedules: int | None
    seed: int
    jobs: int
    json: Path | None
    failures: Path


def execute(options: ExploreOptions, out: TextIO = sys.stderr) -> int:
    """Explore, print a line for each model and a table, write the JSON; returns the exit code.

    Raises      LostWorkerError, after that
    """
    build_models(options.models, out)
    verdicts: list[ModelVerdict] = []
    worker_s = options.seconds * options.jobs / (len(options.models) * len(options.strategies))
    plan = SearchPlan(options.memory, options.seed, options.schedules, worker_s)
    interrupted, live = False, SearchLine(out)
    lost: LostWorkerError | None = None
    try:
        with workers(options.models, options.jobs) as made:
            for verdict in search_all(options.models, options.strategies, plan, made, live):
                verdicts.append(verdict)  # those before an interrupt count
                live.clear()
                print(_lines_about(verdict, options), flush=True)
    except KeyboardInterrupt:
        interrupted = True
    except LostWorkerError as error:
        lost = error
    live.clear()
    print("\n".join(table_of(verdicts)), flush=True)
    unwritten = write_report(options.json, to_json(verdicts, options, interrupted=interrupted or lost is not None))
    if lost is not None:
        raise lost
    if interrupted:
        return EXIT_INTERRUPTED
    if any(verdict.failed is not None for verdict in verdicts):
        return EXIT_VIOLATED
    if any(verdict.never_met for verdict in verdicts):
        return EXIT_VACUOUS
    return unwritten


def to_json(verdicts: Sequence[ModelVerdict], options: ExploreOptions, *, interrupted: bool) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "memory": options.memory,
        "seed": options.seed,
        "interrupted": interrupted,
        "models": [verdict.to_json() for verdict in verdicts],
    }


def _lines_about(verdict: ModelVerdict, options: ExploreOptions) -> str:
    """The verdict on a model; if it was violated, how to reproduce it, and the command that replays it."""
    line = f"{verdict.model.name}: {verdict.text()}"
    tally = verdict.failed
    if tally is None or tally.failure is None:
        return line
    path = options.failures / f"{verdict.model.name}-{options.memory}.json"
    try:
        save_failure(tally.failure, path)
        replay = f"pfnstorm replay {'-- ' if str(path).startswith('-') else ''}{shlex.quote(str(path))}"
    except UserError as error:
        replay = f"the failure is not saved: {error}"
    (preemptions, steps), (preemptions_left, steps_left) = tally.original, tally.shrunk
    return (
        f"{line}\n  {tally.strategy}, seed {options.seed}, schedule {tally.failure.number:,}"
        f"\n  shrunk: preemptions {preemptions} -> {preemptions_left}, steps {steps} -> {steps_left}"
        f"\n  {replay}"
    )
