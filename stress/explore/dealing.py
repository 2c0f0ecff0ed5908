"""Dealing out: which worker explores which model, and when a worker is lost.

A worker stays with its model while that has blocks to run. Then it takes the next model that no worker explores; it compiles that model
first, if it is not in the cache. If there is none, it helps with a model that is compiled. Neither order decides a result (search.py).
"""

import itertools
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import wait
from typing import TextIO

from kernels.base import flavour
from stress.errors import PfnstormError
from stress.explore.budget import Budget
from stress.explore.model import Model
from stress.explore.search import ModelSearches, Search, SearchPlan
from stress.explore.verdict import ModelVerdict
from stress.explore.workers import LostWorkerError, ModelCompiled, Worker
from stress.io.output import LiveLine

_LIVE_S, _PLAIN_LIVE_S = 0.5, 30.0
_ABSENT_S = 5.0  # between two looks at the workers: more means that this process was suspended
_SILENT_S = 3600.0 if flavour.INTERPRETED else 120.0  # a slice of schedules takes less on the slowest of hosts


class SearchLine(LiveLine):
    """The live line about all searches."""

    def __init__(self, out: TextIO) -> None:
        super().__init__(out, plain_every_s=_PLAIN_LIVE_S)
        self._before = (time.monotonic(), 0)

    def show(self, searches: Sequence[Search], budget: Budget) -> None:
        """Show how far they are, if it is time to."""
        if not self.is_due:
            return
        now = time.monotonic()
        nr_run = sum(search.nr_run for search in searches)
        then, before = self._before
        self._before = (now, nr_run)
        running = [
            f"compiling {search.model.name}" if search.model.name in budget.uncompiled else search.describe()
            for search in searches
            if search.running
        ]
        unfinished = sum(not search.finished for search in searches)
        rate = (nr_run - before) / max(now - then, 1e-9)
        left = "" if budget.left_s is None else f", {max(budget.left_s, 0.0):.0f} s left"
        self.say(f"{nr_run:,} schedules, {rate:,.0f}/s{left}, {unfinished} of {len(searches)} searches left: {'; '.join(running)}")


class Dealer:
    """Keeps all workers busy with the searches of all models."""

    def __init__(self, groups: Sequence[ModelSearches], made: Sequence[Worker], budget: Budget, live: SearchLine) -> None:
        self._groups, self._made, self._budget, self._live = groups, made, budget, live
        self._searches = [search for group in groups for search in group.searches]
        self._busy: dict[Worker, Search] = {}
        self._last: dict[Worker, Model] = {}  # which each explored last
        self._started_at: dict[Worker, float] = {}  # when each began its block, or had compiled its model
        self._looked_at = self._budget.clock()

    def turn(self) -> None:
        """Deal out blocks, and take what workers send; ends when one has sent something, or after _LIVE_S.

        Raises      LostWorkerError; UserError or HostError if a model cannot be compiled
        """
        for worker in self._made:
            if worker not in self._busy and (search := self._next_search(worker)) is not None:
                self._start(worker, search)
        self._live.show(self._searches, self._budget)
        for pipe in wait([worker.pipe for worker in self._busy], _LIVE_S):
            worker = next(each for each in self._busy if each.pipe is pipe)
            self._receive(worker)
        if (now := self._budget.clock()) - self._looked_at >= _LIVE_S:
            self._find_lost(now, suspended=now - self._looked_at > _ABSENT_S)
            self._looked_at = now
            self._budget.revise()

    def _start(self, worker: Worker, search: Search) -> None:
        search.start(worker)
        if search.model.name in self._budget.uncompiled:
            self._budget.compiling(search.model.name)
        self._busy[worker], self._last[worker] = search, search.model
        self._started_at[worker] = self._budget.clock()

    def _receive(self, worker: Worker) -> None:
        search, now = self._busy[worker], self._budget.clock()
        sent = worker.receive(search.model.name)
        if isinstance(sent, ModelCompiled):
            self._live.clear()
            self._budget.compiled(search.model.name, sent.seconds)
            self._started_at[worker] = now
        elif search.take(worker, sent):
            del self._busy[worker]
            search.used_s += now - self._started_at[worker]
            if search.finished and search.worker_s is not None:
                self._budget.search_ended(search.worker_s, search.used_s)

    def _next_search(self, worker: Worker) -> Search | None:
        """What a worker is to explore next.

        When the time is over no model begins, but the first, so that there is a result. One that has begun gets to all its strategies.
        """
        while (group := self._next_group(worker)) is not None:
            if group.begun or not self._budget.is_over or not any(each.begun for each in self._groups):
                search = next(each for each in group.searches if each.wanted)
                if not search.begun:
                    search.worker_s = self._share_s()
                return search
            for search in group.searches:
                search.unreached = True
        return None

    def _next_group(self, worker: Worker) -> ModelSearches | None:
        """The model that a worker is to explore next: its last one, or else one that no worker explores, or else one that is compiled."""
        wanted = [group for group in self._groups if any(search.wanted for search in group.searches)]
        explored = {search.model.name for search in self._busy.values()}
        last = self._last.get(worker)
        ranks = (
            (group for group in wanted if last is not None and group.model.name == last.name),
            (group for group in wanted if group.model.name not in explored),
            (group for group in wanted if group.model.name not in self._budget.uncompiled),
        )
        return next(itertools.chain(*ranks), None)

    def _share_s(self) -> float | None:
        """The worker-seconds of a search that begins now."""
        reserved_s = sum(each.left_s for each in self._searches if each.begun and not each.finished)
        return self._budget.share_s(reserved_s, sum(each.wanted and not each.begun for each in self._searches))

    def _find_lost(self, now: float, *, suspended: bool) -> None:
        """Look for a worker that was stopped, or has sent nothing for too long. One that compiles sends nothing until it is done.

        Parameters  suspended: pfnstorm and its workers were suspended (Ctrl-Z), so their silence proves nothing
        Raises      LostWorkerError
        """
        for worker, search in self._busy.items():
            if suspended:
                worker.active_at = now
            if worker.is_stopped:
                raise LostWorkerError(f"a worker that explored {search.model.name}, process {worker.pid}, was stopped by a signal")
            if now - worker.active_at > _SILENT_S and search.model.name not in self._budget.uncompiled:
                silence = f"a worker that explores {search.model.name} has sent nothing for {_SILENT_S:.0f} s"
                raise LostWorkerError(f"{silence}: its preparation waits for another CPU, or one of its kernels never ends")


def search_all(
    models: Sequence[Model], strategies: Sequence[str], plan: SearchPlan, made: Sequence[Worker], budget: Budget, live: SearchLine
) -> Iterator[ModelVerdict]:
    """Explore models; the verdict on each, in their order, when it is final or was interrupted. It may be that none was reached.

    Raises      KeyboardInterrupt; LostWorkerError; UserError or HostError if a model cannot be compiled: after the verdicts until then
    """
    groups = [ModelSearches(model, strategies, plan) for model in models]
    dealer = Dealer(groups, made, budget, live)
    nr_reported, ended_by = 0, None
    while nr_reported < len(groups) and ended_by is None:
        try:
            dealer.turn()
        except (KeyboardInterrupt, PfnstormError) as error:
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
