"""`pfnstorm explore`: every model under every strategy of a portfolio, in forked workers, within a budget; a verdict each.

The parent compiles, forks and deals out blocks; it has no engine and no thread. Each worker makes its own machine. A worker that dies or is
stopped ends the run, and what was found until then is reported.
"""

import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any, TextIO

import psutil

from kernels.base import flavour
from stress.errors import EXIT_CLEAN, EXIT_INTERRUPTED, EXIT_LOST, EXIT_VACUOUS, EXIT_VIOLATED, PfnstormError, UserError
from stress.explore.compiling import build_models
from stress.explore.engine import Engine
from stress.explore.failure import save_failure
from stress.explore.model import Model
from stress.explore.session import BLOCK_SCHEDULES, Progress, Session, Tally
from stress.explore.story import describe
from stress.explore.strategies import NAMED, STRATEGIES
from stress.io.json_report import write_report
from stress.io.output import LiveLine
from stress.process.child import fork_child

SCHEMA = "pfnstorm-explore/1"
#: all strategies but dfs, which is there to be compared with; those first that end, or that find most things soonest
PORTFOLIO = ("dpor", "random", "surw", "pos", "pct-3", "urw", "pct-10", "pct-2", "delay", "preemption")
_LIVE_S = 0.5
_INTERPRETED_BLOCK = 64
_ABSENT_S = 5.0
_SILENT_S = 3600.0 if flavour.INTERPRETED else 120.0  # a slice of schedules takes less on the slowest of hosts


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
        self.heard = time.monotonic()  # when it last said something, or was asked
        self.pid = fork_child(partial(self._serve, theirs, models), "a worker")
        theirs.close()

    def _serve(self, pipe: Connection, models: Sequence[Model]) -> None:
        self.pipe.close()
        with suppress(EOFError):  # the parent has closed its end: no more blocks
            _serve(pipe, {model.name: model for model in models})

    def stop(self) -> None:
        self.pipe.close()
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def how_it_died(self) -> str:
        """Reap a worker that has closed its pipe; why it went."""
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.pid = 0
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else "failed: see its message above"

    @property
    def is_stopped(self) -> bool:
        """Whether somebody has stopped it: it will not answer."""
        return bool(psutil.Process(self.pid).status() == psutil.STATUS_STOPPED)


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
        pipe.send(session.run_block(block.strategy, block.seed, block.first, block.nr_schedules, deadline, pipe.send))


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


class Live(LiveLine):
    """The line about all searches."""

    def __init__(self, out: TextIO) -> None:
        super().__init__(out)
        self._before = (time.monotonic(), 0)

    def tell(self, searches: Sequence["Search"]) -> None:
        """Say how far they are, now and then."""
        if not self.is_due:
            return
        now = time.monotonic()
        nr_run = sum(search.nr_run for search in searches)
        then, before = self._before
        self._before = (now, nr_run)
        running = [search.describe() for search in searches if search.running]
        left = sum(not search.finished for search in searches)
        rate = (nr_run - before) / max(now - then, 1e-9)
        self.say(f"{nr_run:,} schedules, {rate:,.0f}/s, {left} of {len(searches)} searches left: {'; '.join(running)}")


class LostWorkerError(PfnstormError):
    """A worker died, or was stopped."""

    exit_code = EXIT_LOST


class Search:
    """One model under one strategy: deals out blocks until its budget is spent, it fails, or all is explored.

    Blocks are merged in their order, and none after the first that failed, so that the result does not depend on how many ran at a time.
    """

    def __init__(self, model: Model, strategy: str, options: Options, worker_s: float | None) -> None:
        self.model, self.strategy = model, strategy
        self.total = Tally(strategy)
        self.running: dict[Worker, Block] = {}
        self._ahead: dict[int, tuple[Block, Tally]] = {}  # blocks that wait for one before them, by their first schedule
        self._merged = 0  # schedules of all blocks that are in the total
        self.cut = False  # nobody wants to know any more
        self._options, self._worker_s = options, worker_s
        self._exhaustive = STRATEGIES[NAMED[strategy][0]].exhaustive
        self._following = 0
        self._spent_s = 0.0  # by workers
        self._progress = Progress(0, "")

    @property
    def finished(self) -> bool:
        return not self.running and not self.wanted

    @property
    def decided(self) -> bool:
        return self.finished and not self.cut

    @property
    def nr_run(self) -> int:
        return self.total.nr_run + self._progress.nr_run + sum(tally.nr_run for _, tally in self._ahead.values())

    @property
    def wanted(self) -> bool:
        """Whether there is another block to run."""
        if self.cut or self._failed:  # what lies below the failing schedule is running already
            return False
        if self._exhaustive and self._following > 0:
            return False
        if self._options.schedules is not None:
            return self._following < self._options.schedules
        return self._left_s() > 0

    @property
    def _failed(self) -> bool:
        return self.total.failure is not None or any(tally.failure is not None for _, tally in self._ahead.values())

    def _left_s(self) -> float:
        """What is left of the worker-seconds, those of running blocks guessed."""
        blocks = self._following // _block_size() - len(self.running)
        each = self._spent_s / blocks if blocks > 0 else 0.0
        assert self._worker_s is not None
        return self._worker_s - self._spent_s - each * len(self.running)

    def start(self, worker: Worker) -> None:
        """Give a worker the next block.

        Raises      LostWorkerError if the worker has died
        """
        schedules, size = self._options.schedules, _block_size()
        if self._exhaustive:
            size = schedules or 1 << 40
        count = size if schedules is None else min(size, schedules - self._following)
        left = None if schedules is not None else self._left_s()
        block = Block(self.model.name, self._options.memory, self.strategy, self._options.seed, self._following, count, left)
        try:
            worker.pipe.send(block)
        except ConnectionError as error:
            raise LostWorkerError(f"a worker that was to explore {self.model.name} {worker.how_it_died()}") from error
        worker.heard = time.monotonic()
        self.running[worker] = block
        self._following += count

    def receive(self, worker: Worker) -> bool:
        """Take what a worker says; whether its block is done.

        Raises      LostWorkerError if the worker has died
        """
        worker.heard = time.monotonic()
        try:
            said = worker.pipe.recv()
        except (EOFError, ConnectionError) as error:
            raise LostWorkerError(f"a worker that explored {self.model.name} {worker.how_it_died()}") from error
        if isinstance(said, Progress):
            self._progress = said
            return False
        self._progress = Progress(0, "")
        block = self.running.pop(worker)
        self._spent_s += said.seconds
        self._ahead[block.first] = (block, said)
        while self.total.failure is None and self._merged in self._ahead:
            block, tally = self._ahead.pop(self._merged)
            self.total.add(tally)
            self._merged += block.nr_schedules
        return True

    def break_off(self) -> Tally:
        """What is known of a search that was not brought to its end."""
        self.total.nr_run, self._progress = self.nr_run, Progress(0, "")
        for _, tally in self._ahead.values():
            tally.nr_run = 0
            self.total.add(tally)
        self._ahead.clear()
        return self.total

    def describe(self) -> str:
        return f"{self.model.name} {self.strategy}{' ' if self._progress.said else ''}{self._progress.said}"


def _block_size() -> int:
    return _INTERPRETED_BLOCK if flavour.INTERPRETED else BLOCK_SCHEDULES


@dataclass
class Outcome:
    """What became of one model."""

    model: Model
    may_end_early: bool  # when one strategy has explored everything: not where every strategy has a number of schedules
    tallies: list[Tally] = field(default_factory=list)
    broken_off: bool = False

    def add(self, searches: Sequence[Search]) -> bool:
        """Take the searches that are over, in order; whether there is nothing more to come.

        What ran beside a search that failed does not count, so that the result does not depend on how many ran at a time.
        """
        for search in searches[len(self.tallies) :]:
            if self.failed is not None or not search.finished or search.cut:
                break
            self.tallies.append(search.total)
        if self.failed is not None or (self.complete and self.may_end_early):
            for search in searches[len(self.tallies) :]:
                search.cut = True
        return all(search.finished for search in searches)

    def break_off(self, searches: Sequence[Search]) -> None:
        """Take what is known of the searches that were not brought to their end."""
        self.broken_off = True
        self.tallies += [tally for search in searches[len(self.tallies) :] if (tally := search.break_off()).nr_run]

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
        if self.broken_off:
            return f"interrupted after {self.nr_run:,} schedules, clean until then"
        if self.never_met:
            return f"vacuous: no schedule had {', '.join(self.never_met)}"
        return "clean, complete" if self.complete else "clean"

    def to_json(self) -> dict[str, Any]:
        tallies = [
            {
                "strategy": tally.strategy,
                "schedules": tally.nr_run,
                "steps": tally.nr_steps,
                "points": tally.nr_points,
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


def search_all(options: Options, made: Sequence[Worker], live: Live) -> Iterator[Outcome]:
    """Keep all workers busy with the searches in order; the outcome of each model when it is known, or was interrupted.

    Raises      KeyboardInterrupt, LostWorkerError, after the outcomes until then
    """
    nr_searches = len(options.models) * len(options.strategies)
    worker_s = None if options.schedules is not None else options.seconds * len(made) / nr_searches
    by_model = [[Search(model, strategy, options, worker_s) for strategy in options.strategies] for model in options.models]
    outcomes = [Outcome(model, options.schedules is None) for model in options.models]
    searches = [search for group in by_model for search in group]
    reported, ended_by = 0, None
    steps = _searching(searches, made, live)
    while reported < len(outcomes) and ended_by is None:
        try:
            next(steps)
        except (KeyboardInterrupt, LostWorkerError) as error:
            ended_by = error
        done = [outcome.add(group) for outcome, group in zip(outcomes, by_model, strict=True)]
        while reported < len(outcomes) and done[reported]:
            yield outcomes[reported]
            reported += 1
    if ended_by is not None:
        for outcome, group in zip(outcomes[reported:], by_model[reported:], strict=True):
            outcome.break_off(group)
            if outcome.tallies:
                yield outcome
        raise ended_by


def _searching(searches: Sequence[Search], made: Sequence[Worker], live: Live) -> Iterator[None]:
    """Deal out blocks for ever; a turn ends when something was said, or nothing for a while.

    Raises      LostWorkerError
    """
    busy: dict[Worker, Search] = {}
    looked = time.monotonic()
    while True:
        for worker in made:
            if worker not in busy and (search := next((each for each in searches if each.wanted), None)) is not None:
                search.start(worker)
                busy[worker] = search
        live.tell(searches)
        for pipe in wait([worker.pipe for worker in busy], _LIVE_S):
            worker = next(each for each in busy if each.pipe is pipe)
            if busy[worker].receive(worker):
                del busy[worker]
        if (now := time.monotonic()) - looked >= _LIVE_S:
            if now - looked > _ABSENT_S:  # this process was stopped, as by Ctrl-Z, and they with it
                for each in busy:
                    each.heard = now
            looked = now
            if (stopped := next((each for each in busy if each.is_stopped), None)) is not None:
                raise LostWorkerError(f"a worker that explored {busy[stopped].model.name}, process {stopped.pid}, was stopped by a signal")
            if (silent := next((each for each in busy if looked - each.heard > _SILENT_S), None)) is not None:
                about = f"a worker that explores {busy[silent].model.name} has said nothing for {_SILENT_S:.0f} s"
                raise LostWorkerError(f"{about}: its preparation waits for somebody, or a kernel of it never ends")
        yield


def execute(options: Options, out: TextIO = sys.stderr) -> int:
    """Explore, print a line for each model and a table, write the JSON; returns the exit code."""
    build_models(options.models, out)
    outcomes: list[Outcome] = []
    status, live = EXIT_CLEAN, Live(out)
    lost: LostWorkerError | None = None
    try:
        with workers(options.models, options.jobs) as made:
            for outcome in search_all(options, made, live):
                outcomes.append(outcome)  # those before an interrupt count
                live.clear()
                print(_line(outcome, options), flush=True)
    except KeyboardInterrupt:
        status = EXIT_INTERRUPTED
    except LostWorkerError as error:
        lost = error
    live.clear()
    print("\n".join(table_of(outcomes)), flush=True)
    written = {
        "schema": SCHEMA,
        "memory": options.memory,
        "seed": options.seed,
        "interrupted": status == EXIT_INTERRUPTED or lost is not None,
        "models": [each.to_json() for each in outcomes],
    }
    unwritten = write_report(options.json, written)
    if lost is not None:
        raise lost
    if status == EXIT_CLEAN and any(outcome.failed is not None for outcome in outcomes):
        return EXIT_VIOLATED
    if status == EXIT_CLEAN and any(outcome.never_met for outcome in outcomes):
        return EXIT_VACUOUS
    return status or unwritten


def _line(outcome: Outcome, options: Options) -> str:
    said = f"{outcome.model.name}: {outcome.verdict()}"
    tally = outcome.failed
    if tally is None or tally.failure is None:
        return said
    path = options.failures / f"{outcome.model.name}-{options.memory}.json"
    try:
        save_failure(tally.failure, path)
        told = f"pfnstorm replay {'-- ' if str(path).startswith('-') else ''}{shlex.quote(str(path))}"
    except UserError as error:
        told = f"cannot be kept: {error}"
    (switches, steps), (switches_left, steps_left) = tally.original, tally.shrunk
    return (
        f"{said}\n  {tally.strategy}, seed {options.seed}, schedule {tally.failure.number:,}"
        f"\n  shrunk: preemptions {switches} -> {switches_left}, steps {steps} -> {steps_left}"
        f"\n  {told}"
    )


def table_of(outcomes: Sequence[Outcome]) -> list[str]:
    """One line for each model and strategy."""
    width = max((len(outcome.model.name) for outcome in outcomes), default=5)
    head = f"{'model'.ljust(width)}  strategy      schedules  schedules/s  points  steps (most)  final states  verdict"
    lines = [head]
    for outcome in outcomes:
        for tally in outcome.tallies:
            rate = tally.nr_run / tally.seconds if tally.seconds else 0
            steps = tally.nr_steps / tally.nr_run if tally.nr_run else 0
            points = tally.nr_points / tally.nr_run if tally.nr_run else 0
            verdict = "violated" if tally.failure else "complete" if tally.complete else "vacuous" if outcome.never_met else "clean"
            lines.append(
                f"{outcome.model.name.ljust(width)}  {tally.strategy:10}  {tally.nr_run:11,}  {rate:11,.0f}  "
                f"{points:6.0f}  {steps:5.0f} ({tally.most_steps:4})  {len(tally.states):12,}  {verdict}"
            )
    return lines
