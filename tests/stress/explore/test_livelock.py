"""Livelocks, and what only looks like one: a task that spins until another one has run."""

import pytest

from stress.explore import state
from tests.stress.explore.flavours import explored, interpreted


def explore_variant(engine, variant, strategy, nr_schedules, nr_tasks=2):
    """Explore one variant of livelock_model, from the first schedule on."""
    engine.put_back()
    engine.mem.arrays["scratch"][0] = variant
    engine.set_tasks(nr_tasks)
    engine.begin(strategy, 1)
    engine.explore(0, nr_schedules)
    return engine.found()


@explored
@pytest.mark.parametrize(
    ("memory", "strategy"), [("sc", "random"), ("sc", "pct-3"), ("sc", "dpor"), ("tso", "random"), ("tso", "dfs"), ("pso", "pos")]
)
def test_a_livelock_is_described_with_its_loop_shrinks_and_replays(engine_of, memory, strategy):
    from stress.explore.shrink import shrink
    from tests.stress.explore.livelock_model import MODEL, NEVER_END, UNDO

    engine = engine_of(MODEL, memory)
    for variant in NEVER_END:
        found = explore_variant(engine, variant, strategy, 1)
        assert found.verdict == "livelock", variant
        assert "the same state came back 32 times in" in found.message
        assert found.message.count("scratch") == 2
        choices = engine.choices()
        assert engine.replay(choices) == found
        if variant == UNDO and memory == "sc":  # one of a thousand runs takes long to shrink with store buffers
            small = shrink(engine, choices, found)
            assert engine.replay([]).same_failure(found)  # no switch is needed before the schedule is made fair
            most = engine.nr_preemptions()
            assert engine.replay(small).same_failure(found)
            assert engine.nr_preemptions() <= most


@explored
@pytest.mark.parametrize("memory", ["sc", "tso"])
@pytest.mark.parametrize("strategy", ["random", "pct-3", "dpor", "dfs", "preemption"])
def test_a_task_that_spins_until_another_one_has_run_is_no_livelock(engine_of, memory, strategy):
    from tests.stress.explore.livelock_model import END, MODEL, POLL_ENDS

    engine = engine_of(MODEL, memory)
    for variant in END:
        assert explore_variant(engine, variant, strategy, 200) is None
    if strategy == "dfs":  # lets CPU 0 spin first
        assert explore_variant(engine, POLL_ENDS, strategy, 1) is None
        assert engine.words[state.CUT]
        assert engine.words[state.MOST_STEPS] > 1024


@explored
def test_a_search_that_cut_schedules_is_not_complete(engine_of):
    from tests.stress.explore.livelock_model import COUNT, MODEL

    engine = engine_of(MODEL, privacy=False)
    for strategy, complete in (("dfs", True), ("dpor", False)):  # the one schedule of one CPU is more than dpor can remember
        assert explore_variant(engine, COUNT, strategy, 1, nr_tasks=1) is None
        assert engine.stop == state.STOP_COMPLETE
        assert bool(engine.words[state.COMPLETE]) == complete
    found = explore_variant(engine, COUNT, "random", 1)
    assert found.verdict == "livelock"
    assert "no end after 5,000 steps" in found.message


@interpreted
def test_a_fair_draw_takes_each_task_equally_often():
    from stress.explore.livelock import drawn

    words, counts = [0] * state.STRATEGY_WORDS, dict.fromkeys((1, 4, 32), 0)
    for step in range(3000):
        words[state.NR_STEPS] = step
        counts[drawn(words, 1 | 4 | 32)] += 1
    assert all(abs(count - 1000) < 100 for count in counts.values())


@interpreted
def test_a_state_that_comes_back_is_counted_until_it_is_forgotten():
    from stress.explore.livelock import TURNS_MIN, comes_back, forget_states

    words = [0] * state.STRATEGY_WORDS
    words[state.NR_TASKS] = 2
    forget_states(words)
    assert [comes_back(words, 3) for _ in range(TURNS_MIN + 1)] == [False] * TURNS_MIN + [True]
    assert words[state.LOOP_TURNS] == TURNS_MIN
    words[state.HASH] = 1  # another state of memory
    assert not comes_back(words, 3)
    words[state.HASH] = 0
    assert not comes_back(words, 2)  # another set of tasks that can run
    assert comes_back(words, 3)
    forget_states(words)
    assert not comes_back(words, 3)
