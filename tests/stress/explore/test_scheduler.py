"""Schedules: each begins in the same state, follows from seed and number, and ends with a verdict; when a batch returns."""

import numpy as np
import pytest

from kernels.base import points
from kernels.base.cache import import_closure
from stress.explore import state
from tests.stress.explore.flavours import explored


def shared_memory(engine):
    """A copy of every field that the scheduler writes."""
    return {name: np.array(array) for name, array in engine.mem.arrays.items() if name not in points.UNSCHEDULED}


@explored
@pytest.mark.parametrize("memory", ["sc", "tso", "pso", "rmo"])
def test_every_schedule_begins_in_the_same_state(engine_of, memory):
    from stress.explore.models import all_models

    engine = engine_of(all_models()["offline-deflate"], memory)
    before, changed = shared_memory(engine), 0
    engine.begin("random", 1)
    for number in range(50):
        engine.explore(number, 1)
        changed += any((before[name] != array).any() for name, array in shared_memory(engine).items())
        engine.put_back()
        for name, array in shared_memory(engine).items():
            assert (before[name] == array).all(), (number, name)
    assert changed == 50


@explored
@pytest.mark.parametrize("memory", ["sc", "rmo"])
def test_a_schedule_follows_from_its_seed_and_number(engine_of, memory):
    from tests.stress.explore.race_model import MODEL

    made = {}
    for seed, first in ((5, 0), (5, 10), (6, 10)):
        engine, choices = engine_of(MODEL, memory, races=False), []
        engine.begin("random", seed)
        for number in range(first, 40):
            engine.explore(number, 1)
            choices.append(engine.choices())
        made[seed, first] = choices[10 - first :]
    assert made[5, 0] == made[5, 10] != made[6, 10]


@explored
def test_the_check_runs_alone_after_all_steps(engine_of):
    from tests.stress.explore.lost_update_model import MODEL

    engine = engine_of(MODEL)
    assert engine.replay([]) is None  # cpu 0, then cpu 1
    assert engine.results() == [1, 2]  # the check's own result is not among them
    assert engine.words[points.PHASE] == state.CHECK


@explored
def test_a_batch_returns_at_a_failure_at_a_noted_state_or_at_its_end(engine_of):
    from tests.stress.explore.lost_update_model import MODEL

    engine = engine_of(MODEL)
    engine.begin("random", 1)
    first = engine.explore(0, 100_000)
    assert (engine.stop, engine.verdict) == (state.STOP_FAILURE, "bug")
    assert engine.explore(0, first - 1) == first - 1
    assert (engine.stop, engine.verdict) == (state.STOP_BUDGET, "clean")
    engine.forget_states()
    assert engine.explore(0, first - 1, note_every=1) == 1  # the first state is new
    assert engine.stop == state.STOP_STATE
    states = {engine.final_state()}
    assert engine.final_states() == list(states)


@explored
def test_the_first_new_states_are_noted_whatever_their_hash(engine_of):
    from stress.explore.models import all_models

    stops = {}
    for noted in (0, 2):
        engine = engine_of(all_models()["refcount-cas"])
        engine.begin("random", 1)
        engine.words[state.NOTE_FIRST] = noted
        number = stops[noted] = 0
        while number < 3000:
            number = engine.explore(number, 3000 - number, note_every=1 << 40)
            stops[noted] += engine.stop == state.STOP_STATE
        assert len(engine.final_states()) > 2
    assert stops == {0: 0, 2: 2}


@explored
def test_a_given_choice_that_is_impossible_is_replaced(engine_of):
    from tests.stress.explore.lost_update_model import MODEL

    engine = engine_of(MODEL)
    engine.replay([1, 1, 1])
    choices = engine.choices()
    assert choices[:3] == [1, 1, 1]
    first_of_0 = choices.index(0)
    assert set(choices[:first_of_0]) == {1}  # it continues until it ends
    engine.replay([1, 5, -1, 0])
    assert engine.choices()[:4] == [1, 1, 1, 0]
    assert engine.words[state.DIVERGED_AT] == 1


def test_an_edit_of_a_strategy_compiles_the_scheduler_again():
    files = {path.name for path in import_closure("stress.explore.scheduler")}
    assert {"scheduler.py", "serving.py", "dpor.py", "random_walk.py", "_tree.py", "livelock.py", "points.py"} <= files
    assert "random_walk.py" not in {path.name for path in import_closure("stress.explore.serving")}  # nor the code that tasks call
