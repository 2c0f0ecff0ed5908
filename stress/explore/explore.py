"""`pfnstorm explore`: every model under every strategy of a portfolio, in forked workers, within a budget; a verdict each.

The parent compiles, forks and deals out blocks; it has no engine and no thread. Each worker makes its own machine. A worker that dies is
said so and ends the run.
"""

import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any, TextIO

from kernels.base import jit, points
from stress.errors import EXIT_CLEAN, EXIT_INTERRUPTED, EXIT_VACUOUS, EXIT_VIOLATED, HostError
from stress.explore.engine import Engine, compiled_task
from stress.explore.failure import save_failure
from stress.explore.model import Model
from stress.explore.session import BLOCK_SCHEDULES, Session, Tally
from stress.explore.story import describe
from stress.explore.strategies import NAMED, STRATEGIES
from stress.soak import write_json
from stress.workers import die_with

SCHEMA = "pfnstorm-explore/1"
PORTFOLIO = ("random", "pct-3", "pos", "pct-10")
_LIVE_S = 0.5
_INTERPRETED_BLOCK = 64


@dataclass(frozen=True)
class Options:
    """What a user asked for. Exactly one of `seconds` (for all models together) and `schedules` (of each model and strategy) rules."""

    models: tuple[Model, ...]
    strategies: tuple[str, ...]
    memory: str
    seconds: float
    schedules: int | None
    seed: int
    jobs: int
    json: Path | None
    failures: Path


@dataclass(frozen=True)
class Block:
    """A range of schedules of one model under one strategy."""

    model: str
    memory: str
    strategy: str
    seed: int
    first: int
    nr_schedules: int
    seconds: float | None


class Worker:
    """A forked process with an engine, answering blocks with tallies."""

    def __init__(self, models: Sequence[Model]) -> None:
        self.pipe, theirs = Pipe()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                die_with(parent)
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal signals the whole group; the parent answers for all
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                self.pipe.close()
                _serve(theirs, {model.name: model for model in models})
                status = 0
            except EOFError:
                status = 0
            except BaseException:  # noqa: BLE001  # nothing of the parent may run here
                traceback.print_exc()
            finally:
                os._exit(status)
        theirs.close()

    def stop(self) -> None:
        self.pipe.close()
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def _serve(pipe: Connection, models: dict[str, Model]) -> None:
    session, key = None, ("", "")
    while True:
        block: Block = pipe.recv()
        if session is None or key != (block.model, block.memory):
            if session is not None:
                session.engine.close()
            key = (block.model, block.memory)
            session = Session(Engine(models[block.model], block.memory))
        deadline = None if block.seconds is None else time.monotonic() + block.seconds
        pipe.send(session.run_block(block.strategy, block.seed, block.first, block.nr_schedules, deadline))


@contextmanager
def workers(models: Sequence[Model], jobs: int) -> Iterator[list[Worker]]:
    """So many workers, gone at the end whatever ends it."""
    made: list[Worker] = []
    try:
        for _ in range(jobs):
            made.append(Worker(models))  # noqa: PERF401  # those made before one fails are stopped, too
        yield made
    finally:
        for worker in made:
            worker.stop()


def build_models(models: Sequence[Model], out: TextIO) -> None:
    """Compile, or load, the scheduler and every model, saying what takes time.

    Raises      HostError if the cache cannot be written
    """
    from stress.build import build_entries, entries_of

    if jit.INTERPRETED:
        return
    points.provide_state()
    build_entries(entries_of(["stress.explore.scheduler"]), out)
    for number, model in enumerate(models, 1):
        start = time.monotonic()
        try:
            compiled_task(model)
        except OSError as error:
            raise HostError(f"cannot write compiled kernels to {jit.cache_root()}: {error}; set PFNSTORM_CACHE_DIR") from error
        if time.monotonic() - start > 1:
            print(f"[{number}/{len(models)}] model {model.name}: compiled in {time.monotonic() - start:.1f} s", file=out, flush=True)


class Live:
    """One line that says how far it is, on a terminal; silent elsewhere."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._said = out, 0.0

    def say(self, model: Model, tally: Tally, start: float) -> None:
        now = time.monotonic()
        if self._out.isatty() and now - self._said > _LIVE_S:
            self._said = now
            rate = tally.nr_run / max(now - start, 1e-9)
            self._out.write(f"\r\x1b[K{model.name} {tally.strategy}: {tally.nr_run:,} schedules, {rate:,.0f}/s")
            self._out.flush()

    def clear(self) -> None:
        if self._out.isatty():
            self._out.write("\r\x1b[K")
            self._out.flush()


def explore_one(model: Model, strategy: str, options: Options, seconds: float | None, made: Sequence[Worker], live: Live) -> Tally:
    """One model under one strategy: until its budget is spent, it fails, or all is explored."""
    total, start = Tally(strategy), time.monotonic()
    deadline = None if seconds is None else start + seconds
    exhaustive = STRATEGIES[NAMED[strategy][0]].exhaustive
    size = BLOCK_SCHEDULES if not jit.INTERPRETED else _INTERPRETED_BLOCK
    if exhaustive:
        size = options.schedules or 1 << 40
    following = 0
    running: dict[Worker, Block] = {}

    def wanted() -> bool:
        if exhaustive and following > 0:
            return False
        if total.failure is not None:  # what lies below the failing schedule is running already
            return False
        if options.schedules is not None:
            return following < options.schedules
        return deadline is not None and time.monotonic() < deadline

    idle = list(made)
    while running or wanted():
        while idle and wanted():
            worker = idle.pop()
            count = size if options.schedules is None else min(size, options.schedules - following)
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            block = Block(model.name, options.memory, strategy, options.seed, following, count, left)
            worker.pipe.send(block)
            running[worker] = block
            following += count
        for pipe in wait([worker.pipe for worker in running], _LIVE_S):
            worker = next(each for each in running if each.pipe is pipe)
            try:
                total.add(worker.pipe.recv())
            except EOFError as error:
                raise HostError(f"a worker that explored {model.name} has died: see its message above") from error
            del running[worker]
            idle.append(worker)
        live.say(model, total, start)
    live.clear()
    total.seconds = time.monotonic() - start
    return total


@dataclass
class Outcome:
    """What became of one model."""

    model: Model
    tallies: list[Tally]

    @property
    def failed(self) -> Tally | None:
        return next((tally for tally in self.tallies if tally.failure is not None), None)

    @property
    def nr_run(self) -> int:
        return sum(tally.nr_run for tally in self.tallies)

    @property
    def nr_states(self) -> int:
        return len(set().union(*(tally.states for tally in self.tallies)))

    @property
    def complete(self) -> bool:
        return any(tally.complete for tally in self.tallies)

    @property
    def never_met(self) -> list[str]:
        """Meetings of the model that no schedule had."""
        return [name for name in self.model.meetings if not any(tally.met.get(name) for tally in self.tallies)]

    def verdict(self) -> str:
        if self.failed is not None and self.failed.failure is not None:
            return f"violated: {describe(self.failed.failure.found)}"
        if self.never_met:
            return f"vacuous: no schedule had {', '.join(self.never_met)}"
        return "clean, complete" if self.complete else "clean"

    def to_json(self) -> dict[str, Any]:
        tallies = [
            {
                "strategy": tally.strategy,
                "schedules": tally.nr_run,
                "steps": tally.nr_steps,
                "most_steps": tally.most_steps,
                "seconds": tally.seconds,
                "complete": tally.complete,
                "failed_at": tally.failure.number if tally.failure else None,
                "failure": tally.failure.to_json() if tally.failure else None,
            }
            for tally in self.tallies
        ]
        met = {name: sum(tally.met.get(name, 0) for tally in self.tallies) for name in self.model.meetings}
        return {"model": self.model.name, "verdict": self.verdict(), "final_states": self.nr_states, "met": met, "strategies": tallies}


def execute(options: Options, out: TextIO = sys.stderr) -> int:
    """Explore, print a line for each model and a table, write the JSON; returns the exit code."""
    build_models(options.models, out)
    outcomes: list[Outcome] = []
    status, live = EXIT_CLEAN, Live(out)
    each_s = None if options.schedules is not None else options.seconds / (len(options.models) * len(options.strategies))
    try:
        with workers(options.models, options.jobs) as made:
            for model in options.models:
                outcome = Outcome(model, [])
                outcomes.append(outcome)
                for strategy in options.strategies:
                    outcome.tallies.append(explore_one(model, strategy, options, each_s, made, live))
                    if outcome.failed is not None or outcome.complete:
                        break
                print(_line(outcome, options), flush=True)
    except KeyboardInterrupt:
        live.clear()
        status = EXIT_INTERRUPTED
    print("\n".join(table_of(outcomes)), flush=True)
    if options.json is not None:
        written = {"schema": SCHEMA, "memory": options.memory, "seed": options.seed, "models": [each.to_json() for each in outcomes]}
        try:
            write_json(options.json, written)
        except OSError as error:
            raise HostError(f"--json {options.json}: {error.strerror}") from error
    if any(outcome.failed is not None for outcome in outcomes):
        return EXIT_VIOLATED
    if status == EXIT_CLEAN and any(outcome.never_met for outcome in outcomes):
        return EXIT_VACUOUS
    return status


def _line(outcome: Outcome, options: Options) -> str:
    said = f"{outcome.model.name}: {outcome.verdict()}"
    tally = outcome.failed
    if tally is None or tally.failure is None:
        return said
    path = options.failures / f"{outcome.model.name}-{options.memory}.json"
    options.failures.mkdir(parents=True, exist_ok=True)
    save_failure(tally.failure, path)
    steps = len(tally.failure.schedule)
    return (
        f"{said}\n  {tally.strategy}, seed {options.seed}, schedule {tally.failure.number:,}; shrunk from {tally.original} steps to {steps}"
        f"\n  pfnstorm replay {path}"
    )


def table_of(outcomes: Sequence[Outcome]) -> list[str]:
    """One line for each model and strategy."""
    width = max((len(outcome.model.name) for outcome in outcomes), default=5)
    head = f"{'model'.ljust(width)}  strategy      schedules  schedules/s  steps (most)  final states  verdict"
    lines = [head]
    for outcome in outcomes:
        for tally in outcome.tallies:
            rate = tally.nr_run / tally.seconds if tally.seconds else 0
            steps = tally.nr_steps / tally.nr_run if tally.nr_run else 0
            verdict = "violated" if tally.failure else "complete" if tally.complete else "clean"
            lines.append(
                f"{outcome.model.name.ljust(width)}  {tally.strategy:10}  {tally.nr_run:11,}  {rate:11,.0f}  "
                f"{steps:5.0f} ({tally.most_steps:4})  {len(tally.states):12,}  {verdict}"
            )
    return lines
