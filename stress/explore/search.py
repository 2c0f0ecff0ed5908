"""Searches: a model under a strategy, split into blocks that are merged so that the number of workers does not matter.

The failure of the lowest schedule is reported, and blocks below it are waited for: with a budget of schedules the result is the same for
any number of workers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from kernels.base import flavour
from stress.explore.model import Model
from stress.explore.session import BlockProgress, StrategyTally
from stress.explore.strategies import NAMED, STRATEGIES
from stress.explore.verdict import ModelVerdict
from stress.explore.workers import Block, Worker

_BLOCK_SCHEDULES = 64 if flavour.INTERPRETED else 4096


@dataclass(frozen=True)
class SearchPlan:
    """What all searches have in common. `schedules`: the budget of each; None: its share of the time (Search.worker_s)."""

    memory: str
    seed: int
    schedules: int | None


class Search:
    """One model under one strategy: deals out blocks until its budget is spent, it fails, or everything is explored.

    Blocks are merged in their order, and none after the first that failed, so that the result does not depend on how many ran at a time.

    cut         no more blocks are started, and its result does not count
    unreached   the time was over before its model began
    worker_s    the seconds that all its workers together have; None: any number
    used_s      the seconds that they have used, with what comes before and after a block
    total       of the blocks that are merged
    """

    def __init__(self, model: Model, strategy: str, plan: SearchPlan) -> None:
        self.model, self.strategy = model, strategy
        self.total = StrategyTally(strategy)
        self.running: dict[Worker, Block] = {}
        self.cut = self.unreached = False
        self.worker_s: float | None = None
        self.used_s = 0.0
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
    def begun(self) -> bool:
        return self._following > 0

    @property
    def nr_run(self) -> int:
        return self.total.nr_run + self._progress.nr_run + sum(tally.nr_run for _, tally in self._ahead.values())

    @property
    def wanted(self) -> bool:
        """Whether there is another block to run."""
        if self.cut or self.unreached or self._failed:  # the blocks below the failing schedule are running already
            return False
        if not self.begun:
            return True
        if self._exhaustive:
            return False
        if self._plan.schedules is not None:
            return self._following < self._plan.schedules
        return self.left_s > 0

    @property
    def _failed(self) -> bool:
        return self.total.failure is not None or any(tally.failure is not None for _, tally in self._ahead.values())

    @property
    def left_s(self) -> float:
        """What is left of the worker-seconds, if they are limited; a running block counts as the mean of those that are done."""
        blocks = self._following // _BLOCK_SCHEDULES - len(self.running)
        each = self._spent_s / blocks if blocks > 0 else 0.0
        return (self.worker_s or 0.0) - self._spent_s - each * len(self.running)

    def start(self, worker: Worker) -> None:
        """Give a worker the next block.

        Raises      LostWorkerError if the worker has died
        """
        plan, size = self._plan, _BLOCK_SCHEDULES
        if self._exhaustive:
            size = plan.schedules or 1 << 40
        count = size if plan.schedules is None else min(size, plan.schedules - self._following)
        left = None if plan.schedules is not None else self.left_s
        block = Block(self.model.name, plan.memory, self.strategy, plan.seed, self._following, count, left)
        worker.start(block)
        self.running[worker] = block
        self._following += count

    def take(self, worker: Worker, sent: BlockProgress | StrategyTally) -> bool:
        """Take what a worker has sent; whether its block is done."""
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
        self.model = model
        self.verdict = ModelVerdict(model)
        self.searches = [Search(model, strategy, plan) for strategy in strategies]
        self._may_end_early = plan.schedules is None  # else every strategy has its number of schedules, whatever one explored
        self._nr_settled = 0  # the first searches, about which the verdict says all

    @property
    def begun(self) -> bool:
        return any(search.begun for search in self.searches)

    def settle(self) -> bool:
        """Add the searches that are over to the verdict; whether it is final."""
        verdict = self.verdict
        for search in self.searches[self._nr_settled :]:
            if verdict.failed is not None or not search.finished or search.cut:
                break
            if not search.unreached:
                verdict.tallies.append(search.total)
            self._nr_settled += 1
        if verdict.failed is not None or (verdict.complete and self._may_end_early):
            for search in self.searches[self._nr_settled :]:
                search.cut = True
        return all(search.finished for search in self.searches)

    def break_off(self) -> None:
        """Add what is known of the searches that were interrupted."""
        self.verdict.broken_off = True
        left = self.searches[self._nr_settled :]
        self.verdict.tallies += [tally for search in left if (tally := search.break_off()).nr_run]
