"""Dealing out: which worker explores which model, and when a worker is lost.

A worker stays with its model while that has blocks to run. Then it takes the next model that no worker explores; it compiles that model
first, if it is not in the cache. If there is none, it helps with a model that is compiled. Neither order decides a result (search.py).
"""

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
        self._looked_at = time.monotonic()

    def turn(self) -> None:
        """Deal out blocks, and take what workers send; ends when one has sent something, or after _LIVE_S.

        Raises      LostWorkerError; UserError or HostError if a model cannot be compiled
        """
        for worker in self._made:
            if worker not in self._busy and (search := self._next_search(worker)) is not None:
                search.start(worker)
                self._busy[worker], self._last[worker] = search, search.model
        self._live.show(self._searches, self._budget)
        for pipe in wait([worker.pipe for worker in self._busy], _LIVE_S):
            worker = next(each for each in self._busy if each.pipe is pipe)
            self._receive(worker)
        if (now := time.monotonic()) - self._looked_at >= _LIVE_S:
            self._find_lost(now, suspended=now - self._looked_at > _ABSENT_S)
            self._looked_at = now

    def _receive(self, worker: Worker) -> None:
        search = self._busy[worker]
        sent = worker.receive(search.model.name)
        if isinstance(sent, ModelCompiled):
            self._live.clear()
            self._budget.model_compiled(search.model.name, sent.seconds)
        elif search.take(worker, sent):
            del self._busy[worker]

    def _next_search(self, worker: Worker) -> Search | None:
        """What a worker is to explore next; a search for which no time is left is marked, and the next one is chosen."""
        while (search := next(self._wanted_searches(worker), None)) is not None:
            if search.begun or self._give_time(search):
                return search
            search.unreached = True
        return None

    def _wanted_searches(self, worker: Worker) -> Iterator[Search]:
        """The first wanted search of each model, those that this worker should take first."""
        explored = {search.model.name for search in self._busy.values()}
        last = self._last.get(worker)
        ranks: tuple[list[Search], ...] = ([], [], [])
        for group in self._groups:
            if (search := next((each for each in group.searches if each.wanted), None)) is not None:
                if last is not None and group.model.name == last.name:
                    ranks[0].append(search)
                elif group.model.name not in explored:
                    ranks[1].append(search)
                elif group.model.name not in self._budget.uncompiled:
                    ranks[2].append(search)
        for rank in ranks:
            yield from rank

    def _give_time(self, search: Search) -> bool:
        """Give a search that begins its share of the time; whether there is any. The first of all searches always begins."""
        reserved_s = sum(each.left_s for each in self._searches if each.begun and not each.finished)
        share_s = self._budget.share_s(reserved_s, sum(each.wanted and not each.begun for each in self._searches))
        if share_s is not None and share_s <= 0 and any(each.begun for each in self._searches):
            return False
        search.worker_s = share_s
        return True

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
