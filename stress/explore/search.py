"""Searches: every model under every strategy, dealt out to workers as blocks and merged so that the number of workers does not matter.

The failure of the lowest schedule is reported, and blocks below it are waited for: with a budget of schedules the result is the same for
any number of workers.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import TextIO

from kernels.base import flavour
from stress.explore.model import Model
from stress.explore.session import BlockProgress, StrategyTally
from stress.explore.strategies import NAMED, STRATEGIES
from stress.explore.verdict import ModelVerdict
from stress.explore.workers import Block, LostWorkerError, Worker
from stress.io.output import LiveLine

_BLOCK_SCHEDULES = 64 if flavour.INTERPRETED else 4096
_LIVE_S = 0.5
_ABSENT_S = 5.0  # between two looks at the workers: more means that this process was suspended
_SILENT_S = 3600.0 if flavour.INTERPRETED else 120.0  # a slice of schedules takes less on the slowest of hosts


@dataclass(frozen=True)
class SearchPlan:
    """What all searches have in common. The budget of each is `schedules`, or if that is None `worker_s` (seconds, of all its workers)."""

    memory: str
    seed: int
    schedules: int | None
    worker_s: float


class Search:
    """One model under one strategy: deals out blocks until its budget is spent, it fails, or everything is explored.

    Blocks are merged in their order, and none after the first that failed, so that the result does not depend on how many ran at a time.

    cut         no more blocks are started, and its result does not count
    total       of the blocks that are merged
    """

    def __init__(self, model: Model, strategy: str, plan: SearchPlan) -> None:
        self.model, self.strategy = model, strategy
        self.total = StrategyTally(strategy)
        self.running: dict[Worker, Block] = {}
        self.cut = False
        self._plan = plan
        self._exhaustive = STRATEGIES[NAMED[strategy][0]].exhaustive
        self._ahead: dict[int, tuple[Block, StrategyTally]] = {}  # done before one that comes first, by their first schedule
        self._merged = 0  # schedules of the blocks that are merged
        self._following = 0  # the first schedule of the next block
        self._spent_s = 0.0  # by workers
        self._progress = BlockProgress(0, "")

    @property
    def finished(self) -> bool:
        return not self.running and not self.wanted

    @property
    def nr_run(self) -> int:
        return self.total.nr_run + self._progress.nr_run + sum(tally.nr_run for _, tally in self._ahead.values())

    @property
    def wanted(self) -> bool:
        """Whether there is another block to run."""
        if self.cut or self._failed:  # the blocks below the failing schedule are running already
            return False
        if self._exhaustive and self._following > 0:
            return False
        if self._plan.schedules is not None:
            return self._following < self._plan.schedules
        return self._left_s() > 0

    @property
    def _failed(self) -> bool:
        return self.total.failure is not None or any(tally.failure is not None for _, tally in self._ahead.values())

    def _left_s(self) -> float:
        """What is left of the worker-seconds; a running block counts as the mean of those that are done."""
        blocks = self._following // _BLOCK_SCHEDULES - len(self.running)
        each = self._spent_s / blocks if blocks > 0 else 0.0
        return self._plan.worker_s - self._spent_s - each * len(self.running)

    def start(self, worker: Worker) -> None:
        """Give a worker the next block.

        Raises      LostWorkerError if the worker has died
        """
        plan, size = self._plan, _BLOCK_SCHEDULES
        if self._exhaustive:
            size = plan.schedules or 1 << 40
        count = size if plan.schedules is None else min(size, plan.schedules - self._following)
        left = None if plan.schedules is not None else self._left_s()
        block = Block(self.model.name, plan.memory, self.strategy, plan.seed, self._following, count, left)
        worker.start(block)
        self.running[worker] = block
        self._following += count

    def receive(self, worker: Worker) -> bool:
        """Take what a worker sends; whether its block is done.

        Raises      LostWorkerError if the worker has died
        """
        sent = worker.receive(self.model.name)
        if isinstance(sent, BlockProgress):
            self._progress = sent
            return False
        self._progress = BlockProgress(0, "")
        block = self.running.pop(worker)
        self._spent_s += sent.seconds
        self._ahead[block.first] = (block, sent)
        while self.total.failure is None and self._merged in self._ahead:
            block, tally = self._ahead.pop(self._merged)
            self.total.add(tally)
            self._merged += block.nr_schedules
        return True

    def break_off(self) -> StrategyTally:
        """What is known of a search that was interrupted."""
        self.total.nr_run, self._progress = self.nr_run, BlockProgress(0, "")
        for _, tally in self._ahead.values():
            tally.nr_run = 0
            self.total.add(tally)
        self._ahead.clear()
        return self.total

    def describe(self) -> str:
        return f"{self.model.name} {self.strategy} {self._progress.text}".rstrip()


class ModelSearches:
    """The searches of one model, in order, and the verdict that they make.

    A search that ran beside one that failed, or after one that explored everything, does not count, so that the result does not depend on
    how many ran at a time.
    """

    def __init__(self, model: Model, strategies: Sequence[str], plan: SearchPlan) -> None:
        self.verdict = ModelVerdict(model)
        self.searches = [Search(model, strategy, plan) for strategy in strategies]
        self._may_end_early = plan.schedules is None  # else every strategy has its number of schedules, whatever one explored

    def settle(self) -> bool:
        """Add the searches that are over to the verdict; whether it is final."""
        tallies = self.verdict.tallies
        for search in self.searches[len(tallies) :]:
            if self.verdict.failed is not None or not search.finished or search.cut:
                break
            tallies.append(search.total)
        if self.verdict.failed is not None or (self.verdict.complete and self._may_end_early):
            for search in self.searches[len(tallies) :]:
                search.cut = True
        return all(search.finished for search in self.searches)

    def break_off(self) -> None:
        """Add what is known of the searches that were interrupted."""
        self.verdict.broken_off = True
        left = self.searches[len(self.verdict.tallies) :]
        self.verdict.tallies += [tally for search in left if (tally := search.break_off()).nr_run]


class SearchLine(LiveLine):
    """The live line about all searches."""

    def __init__(self, out: TextIO) -> None:
        super().__init__(out)
        self._before = (time.monotonic(), 0)

    def show(self, searches: Sequence[Search]) -> None:
        """Show how far they are, if it is time to."""
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


def search_all(
    models: Sequence[Model], strategies: Sequence[str], plan: SearchPlan, made: Sequence[Worker], live: SearchLine
) -> Iterator[ModelVerdict]:
    """Keep all workers busy with the searches in order; the verdict on each model when it is final, or was interrupted.

    Raises      KeyboardInterrupt, LostWorkerError, after the verdicts until then
    """
    groups = [ModelSearches(model, strategies, plan) for model in models]
    turns = _deal_out([search for group in groups for search in group.searches], made, live)
    nr_reported, ended_by = 0, None
    while nr_reported < len(groups) and ended_by is None:
        try:
            next(turns)
        except (KeyboardInterrupt, LostWorkerError) as error:
            ended_by = error
        done = [group.settle() for group in groups]
        while nr_reported < len(groups) and done[nr_reported]:
            yield groups[nr_reported].verdict
            nr_reported += 1
    if ended_by is not None:
        for group in groups[nr_reported:]:
            group.break_off()
            if group.verdict.tallies:
                yield group.verdict
        raise ended_by


def _deal_out(searches: Sequence[Search], made: Sequence[Worker], live: SearchLine) -> Iterator[None]:
    """Deal out blocks, without an end; a turn ends when a worker has sent something, or after _LIVE_S.

    Raises      LostWorkerError
    """
    busy: dict[Worker, Search] = {}
    looked = time.monotonic()
    while True:
        for worker in made:
            if worker not in busy and (search := next((each for each in searches if each.wanted), None)) is not None:
                search.start(worker)
                busy[worker] = search
        live.show(searches)
        for pipe in wait([worker.pipe for worker in busy], _LIVE_S):
            worker = next(each for each in busy if each.pipe is pipe)
            if busy[worker].receive(worker):
                del busy[worker]
        if (now := time.monotonic()) - looked >= _LIVE_S:
            _find_lost(busy, now, suspended=now - looked > _ABSENT_S)
            looked = now
        yield


def _find_lost(busy: dict[Worker, Search], now: float, *, suspended: bool) -> None:
    """Look for a worker that was stopped, or has sent nothing for too long.

    Parameters  suspended: pfnstorm and its workers were suspended (Ctrl-Z), so their silence proves nothing
    Raises      LostWorkerError
    """
    for worker, search in busy.items():
        if suspended:
            worker.active_at = now
        if worker.is_stopped:
            raise LostWorkerError(f"a worker that explored {search.model.name}, process {worker.pid}, was stopped by a signal")
        if now - worker.active_at > _SILENT_S:
            silence = f"a worker that explores {search.model.name} has sent nothing for {_SILENT_S:.0f} s"
            raise LostWorkerError(f"{silence}: its preparation waits for another CPU, or one of its kernels never ends")
