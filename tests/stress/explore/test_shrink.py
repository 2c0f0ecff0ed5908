"""Shrinking: what does not matter goes, and what remains fails in the same way."""

import pytest

from stress.explore.shrink import minimal
from stress.explore.state import FLUSH
from tests.stress.explore.flavours import explored


@pytest.mark.parametrize("needed", [set(), {0}, {63}, {7, 8}, {0, 31, 63}, set(range(64))])
def test_a_list_becomes_the_minimal_one_that_fails(needed):
    runs = []

    def fails(items):
        runs.append(items)
        return needed <= set(items)

    assert minimal(list(range(64)), fails) == sorted(needed)
    assert len(runs) <= 64 if len(needed) < 3 else len(runs) <= 64 * 64


def test_what_remains_fails_only_whole():
    """Where leaving out one item may need another one left out, too, the result is 1-minimal."""

    def fails(items):
        return 9 in items and (3 in items) == (4 in items)

    assert minimal(list(range(12)), fails) == [9]


def failing_walk(engine, preemptions, strategy="random"):
    """The first schedule that fails after so many preemptions and flushes."""
    engine.begin(strategy, 3)
    number = 0
    while number < 50_000:
        number = engine.explore(number, 50_000 - number)
        flushes = sum(choice >= FLUSH for choice in engine.choices())
        if engine.found() is not None and engine.nr_preemptions() + flushes >= preemptions:
            return engine.choices(), engine.found()
    raise AssertionError("no such schedule")


@explored
@pytest.mark.parametrize("memory", ["sc", "tso", "pso"])
def test_irrelevant_preemptions_go_and_the_one_that_matters_stays(engine_of, memory):
    from stress.explore.shrink import shrink
    from tests.stress.explore.lost_update_model import MODEL

    engine = engine_of(MODEL, memory)
    choices, found = failing_walk(engine, 10)
    small = shrink(engine, choices, found)
    assert engine.replay(small) == found
    assert engine.nr_preemptions() == (1 if memory == "sc" else 0)  # a store that is flushed late loses an update, too
    if memory == "sc":
        assert engine.replay([0]) is engine.replay([1]) is None  # without a preemption nothing fails
        switches = [at for at in range(1, len(small)) if small[at] != small[at - 1]]
        assert len(switches) == 2  # away from the CPU that has loaded the sum, and back when the other one has ended


@explored
@pytest.mark.parametrize("memory", ["sc", "tso"])
@pytest.mark.parametrize("name", ["ring", "zspage-destroy-linux"])
def test_a_failure_with_twenty_preemptions_shrinks_to_the_few_that_matter(engine_of, name, memory):
    from stress.explore.models import known_models
    from stress.explore.shrink import shrink
    from tests.stress.explore.deadlock_model import MODEL

    engine = engine_of(known_models().get(name, MODEL), memory)
    choices, found = failing_walk(engine, 20)
    before = engine.nr_run
    small = shrink(engine, choices, found)
    assert engine.nr_run - before < 300
    assert engine.replay(small).same_failure(found)
    assert engine.nr_preemptions() <= 2


@explored
@pytest.mark.parametrize("memory", ["sc", "tso"])
def test_a_run_of_steps_that_only_comes_early_is_moved(engine_of, memory):
    from stress.explore.models import known_models
    from stress.explore.shrink import shrink

    engine = engine_of(known_models()["refcount-frozen-bit-cleared"], memory)
    choices, found = failing_walk(engine, 6, "pos")
    small = shrink(engine, choices, found)
    assert engine.replay(small).same_failure(found)
    assert engine.nr_preemptions() <= (0 if memory == "sc" else 1)  # findings.md, 5: no preemption is needed, one late adder suffices
    assert len({choice for choice in small if choice < FLUSH}) == 2
