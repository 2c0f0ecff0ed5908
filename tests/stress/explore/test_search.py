"""Searches whose workers answer as the test says: order, budget, and what counts when one fails or explores everything."""

from dataclasses import dataclass, field

import pytest

from stress.explore import search as module
from stress.explore.diagnosis import Found
from stress.explore.failure import Failure
from stress.explore.search import ModelSearches, Search, SearchPlan
from stress.explore.session import BlockProgress, StrategyTally

BLOCK = module._BLOCK_SCHEDULES


@dataclass(eq=False)
class FakeWorker:
    """Takes blocks, and answers when the test says so."""

    blocks: list = field(default_factory=list)

    def start(self, block):
        self.blocks.append(block)

    def finish(self, search, *, failed_at=None, seconds=1.0, complete=False):
        """Answer the last block; a failure ends it."""
        block = self.blocks[-1]
        failure = None if failed_at is None else Failure("m", "sc", "random", 1, failed_at, "", Found("bug"), ())
        nr_run = block.nr_schedules if failed_at is None else failed_at - block.first + 1
        return search.take(self, StrategyTally(block.strategy, nr_run, seconds=seconds, complete=complete, failure=failure))


@pytest.fixture
def model():
    from stress.explore.models import all_models

    return all_models()["refcount-cas"]


def plan(schedules=None):
    return SearchPlan("sc", 3, schedules)


def timed_search(model, strategy, worker_s):
    search = Search(model, strategy, plan())
    search.worker_s = worker_s
    return search


def test_a_budget_of_schedules_is_dealt_out_exactly(model):
    search, workers = Search(model, "random", plan(2 * BLOCK + 10)), [FakeWorker() for _ in range(3)]
    for worker in workers:
        assert search.wanted
        search.start(worker)
    assert not search.wanted
    assert [(worker.blocks[0].first, worker.blocks[0].nr_schedules) for worker in workers] == [
        (0, BLOCK), (BLOCK, BLOCK), (2 * BLOCK, 10),
    ]  # fmt: skip
    assert {worker.blocks[0].seconds for worker in workers} == {None}
    for worker in reversed(workers):
        assert not search.finished
        assert worker.finish(search)
    assert search.finished
    assert search.total.nr_run == 2 * BLOCK + 10


def test_an_exhaustive_strategy_is_one_block(model):
    search, worker = timed_search(model, "dpor", 9.0), FakeWorker()
    search.start(worker)
    assert not search.wanted
    assert (worker.blocks[0].nr_schedules, worker.blocks[0].seconds) == (1 << 40, 9.0)


def test_a_budget_of_seconds_ends_when_it_is_spent_and_running_blocks_count(model):
    search, one, other = timed_search(model, "random", 5.0), FakeWorker(), FakeWorker()
    search.start(one)
    one.finish(search, seconds=2.0)
    search.start(one)
    assert search.wanted
    search.start(other)  # 2 spent, and two blocks of about 2 running
    assert not search.wanted
    assert other.blocks[0].seconds == 1.0


def test_the_lowest_failure_counts_and_nothing_after_it(model):
    search, workers = Search(model, "random", plan(10 * BLOCK)), [FakeWorker() for _ in range(3)]
    for worker in workers:
        search.start(worker)
    workers[2].finish(search)
    workers[1].finish(search, failed_at=BLOCK + 5)
    assert not search.wanted
    assert not search.finished  # the first block may fail, too
    assert search.total.failure is None
    workers[0].finish(search)
    assert search.finished
    assert (search.total.failure.number, search.total.nr_run) == (BLOCK + 5, BLOCK + 6)  # without the third block


def test_a_failure_below_another_one_is_the_one_that_is_reported(model):
    search, one, other = Search(model, "random", plan(10 * BLOCK)), FakeWorker(), FakeWorker()
    search.start(one)
    search.start(other)
    other.finish(search, failed_at=BLOCK)
    one.finish(search, failed_at=17)
    assert (search.total.failure.number, search.total.nr_run) == (17, 18)


def test_an_interrupted_search_knows_all_schedules_that_ran(model):
    search, workers = Search(model, "random", plan(10 * BLOCK)), [FakeWorker() for _ in range(3)]
    for worker in workers:
        search.start(worker)
    workers[1].finish(search)
    assert not search.take(workers[0], BlockProgress(100, "half"))
    assert search.describe() == "refcount-cas random half"
    assert search.break_off().nr_run == BLOCK + 100


def run_group(model, answers, plan_, *, settle_each=True):
    """Run the searches of one model side by side; `answers` are those of their workers, in this order."""
    group = ModelSearches(model, [strategy for strategy, _ in answers], plan_)
    workers = [FakeWorker() for _ in answers]
    for search, worker in zip(group.searches, workers, strict=True):
        search.worker_s = 1.0
        search.start(worker)
    done = []
    for search, worker, (_, answer) in zip(group.searches, workers, answers, strict=True):
        worker.finish(search, **answer)
        if settle_each or search is group.searches[-1]:
            done.append(group.settle())
    return group, done


@pytest.mark.parametrize("settle_each", [True, False])
def test_what_ran_beside_a_search_that_failed_does_not_count(model, settle_each):
    answers = [("random", {}), ("pos", {"failed_at": 3}), ("surw", {"failed_at": 1})]
    group, done = run_group(model, answers, plan(BLOCK), settle_each=settle_each)
    assert done == ([False, False, True] if settle_each else [True])  # the last one is waited for
    assert [tally.strategy for tally in group.verdict.tallies] == ["random", "pos"]
    assert group.verdict.failed.failure.number == 3


@pytest.mark.parametrize(("schedules", "counted"), [(None, ["dpor"]), (BLOCK, ["dpor", "random"])])
def test_a_complete_search_ends_the_others_unless_each_has_a_number_of_schedules(model, schedules, counted):
    group, done = run_group(model, [("dpor", {"complete": True}), ("random", {})], plan(schedules))
    assert done[-1]
    assert [tally.strategy for tally in group.verdict.tallies] == counted


def test_a_verdict_that_was_broken_off_has_what_ran(model):
    group = ModelSearches(model, ["random", "pos"], plan(2 * BLOCK))
    worker = FakeWorker()
    group.searches[0].start(worker)
    worker.finish(group.searches[0])
    group.break_off()
    assert group.verdict.broken_off
    assert [(tally.strategy, tally.nr_run) for tally in group.verdict.tallies] == [("random", BLOCK)]


def test_a_model_that_was_not_reached_has_a_verdict_without_tallies(model):
    group = ModelSearches(model, ["random", "pos"], plan())
    assert not group.settle()
    for search in group.searches:
        search.unreached = True
    assert group.settle()
    assert (group.verdict.ending, group.verdict.tallies) == ("not reached", [])
