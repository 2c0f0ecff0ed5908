"""Blocks of schedules in one process: where they end, what they count, and that they do not depend on each other."""

import time

from stress.explore.diagnosis import Found
from stress.explore.failure import Failure
from stress.explore.session import SLICE_SCHEDULES, Session, StrategyTally
from tests.stress.explore.flavours import explored


def failure(number):
    return Failure("m", "sc", "random", 1, number, "", Found("bug"), ())


def test_tallies_add_up_and_the_failure_of_the_lowest_schedule_stays():
    total = StrategyTally("random", 10, 100, 50, 12, 1.0, states={1, 2}, met={"a": 1}, failure=failure(7), original=(3, 9))
    total.add(StrategyTally("random", 5, 40, 20, 20, 0.5, complete=True, states={2, 3}, met={"a": 2, "b": 1}, failure=failure(8)))
    assert (total.nr_run, total.nr_steps, total.nr_points, total.most_steps, total.seconds) == (15, 140, 70, 20, 1.5)
    assert (total.complete, total.states, total.met) == (True, {1, 2, 3}, {"a": 3, "b": 1})
    assert (total.failure.number, total.original) == (7, (3, 9))
    total.add(StrategyTally("random", failure=failure(6), original=(1, 4), shrunk=(0, 4)))
    assert (total.failure.number, total.original, total.shrunk) == (6, (1, 4), (0, 4))


def comparable(tally):
    tally.seconds = 0.0
    return tally


@explored
def test_a_block_does_not_depend_on_what_its_process_ran_before(engine_of):
    from stress.explore.models import all_models

    model = all_models()["refcount-cas"]
    fresh = comparable(Session(engine_of(model)).run_block("random", 1, 500, 700))
    session = Session(engine_of(model))
    session.run_block("pos", 9, 0, 900)
    assert comparable(session.run_block("random", 1, 500, 700)) == fresh
    assert (fresh.nr_run, fresh.failure, fresh.complete) == (700, None, False)
    assert set(fresh.met) == set(model.meetings)
    assert fresh.most_steps >= fresh.nr_steps / 700 > fresh.nr_points / 700


@explored
def test_a_block_ends_at_its_first_failure_which_is_written_down_shrunk(engine_of):
    from tests.stress.explore.lost_update_model import MODEL

    engine = engine_of(MODEL)
    engine.begin("random", 1)
    first = engine.explore(0, 100_000) - 1
    tally = Session(engine).run_block("random", 1, 0, 100_000)
    assert (tally.failure.number, tally.nr_run) == (first, first + 1)
    assert tally.failure.found.code == "WORD_CHANGED"
    assert tally.shrunk[0] == 1 <= tally.original[0]
    assert tally.shrunk[1] == len(tally.failure.schedule)
    assert engine.replay(tally.failure.choices) == tally.failure.found
    fresh = engine_of(MODEL)
    fresh.begin("random", 1)
    fresh.explore(0, first + 1)
    from stress.explore import state

    assert tally.nr_steps == fresh.words[state.TOTAL_STEPS]  # the replays of shrinking are not counted


@explored
def test_a_block_of_an_exhaustive_strategy_ends_when_it_is_complete(engine_of):
    from stress.explore.models import all_models

    tally = Session(engine_of(all_models()["refcount-cas"])).run_block("dpor", 1, 0, 1 << 40)
    assert tally.complete
    assert len(tally.states) == 4


@explored
def test_a_deadline_ends_a_block_after_a_few_schedules(engine_of):
    from stress.explore.models import all_models
    from stress.explore.session import _LEAST_SCHEDULES, _TIMED_SLICE

    session = Session(engine_of(all_models()["refcount-cas"]))
    nr_run = session.run_block("urw", 1, 0, 1 << 40, deadline=time.monotonic()).nr_run
    assert _LEAST_SCHEDULES <= nr_run < _LEAST_SCHEDULES + _TIMED_SLICE


@explored
def test_progress_is_reported_from_time_to_time(engine_of, monkeypatch):
    from stress.explore import session as module
    from stress.explore.models import all_models

    monkeypatch.setattr(module, "TELL_S", 0.0)
    reported = []
    Session(engine_of(all_models()["refcount-cas"])).run_block("urw", 1, 100, 3 * SLICE_SCHEDULES, report=reported.append)
    assert [each.nr_run for each in reported] == sorted(each.nr_run for each in reported)
    assert 0 < reported[0].nr_run <= reported[-1].nr_run <= 3 * SLICE_SCHEDULES


@explored
def test_a_final_state_that_a_checker_rejects_is_a_failure(engine_of, monkeypatch):
    from stress.explore.diagnosis import AT_REST
    from stress.explore.models import all_models

    engine = engine_of(all_models()["refcount-cas"])
    monkeypatch.setattr(engine, "at_rest", lambda: Found(AT_REST, "refcounts"))
    tally = Session(engine).run_block("random", 1, 0, 100)
    assert tally.failure.number == 0  # the first state is new
    assert tally.failure.found.verdict == AT_REST
