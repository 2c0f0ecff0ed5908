"""The engine: how a model is set up, and what its last schedules did."""

import pytest

from stress.explore import state
from tests.stress.explore.flavours import explored

pytestmark = explored


def test_a_preparation_that_breaks_an_invariant_is_refused(engine_of):
    from dataclasses import replace

    from tests.stress.explore import lost_update_model

    broken = replace(lost_update_model.MODEL, name="broken-preparation", prepare=lost_update_model.check)
    with pytest.raises(AssertionError, match="model broken-preparation: its preparation breaks: Found"):
        engine_of(broken)


def test_a_replay_makes_the_same_steps_under_every_memory_model(engine_of):
    from stress.explore.models import all_models

    for memory in state.LANES:
        engine = engine_of(all_models()["offline-deflate"], memory)
        engine.begin("random", 3)
        for number in range(20):
            engine.words[state.LOGGING] = 1
            engine.explore(number, 1)
            steps, results = engine.steps(), engine.results()
            choices = engine.choices()
            assert engine.replay(choices, logging=True) is None
            made = [(step.choice, step.op, step.offset, step.first, step.second, step.result, step.before) for step in engine.steps()]
            assert made == [(step.choice, step.op, step.offset, step.first, step.second, step.result, step.before) for step in steps]
            assert engine.results() == results
            engine.begin("random", 3)  # a replay chooses another strategy
        engine.close()


def test_final_states_are_remembered_until_they_are_forgotten(engine_of):
    from stress.explore.models import all_models

    engine = engine_of(all_models()["refcount-cas"])
    engine.begin("dpor", 1)
    free = engine.nr_states_free
    engine.explore(0, 100_000)
    assert len(set(engine.final_states())) == len(engine.final_states()) == free - engine.nr_states_free == 4
    engine.forget_states()
    assert engine.final_states() == []
    assert engine.nr_states_free == free


def test_counters_are_of_all_schedules(engine_of):
    from stress.explore.models import all_models

    model = all_models()["refcount-cas"]
    engine = engine_of(model)
    assert [engine.counters()[name] for name in model.meetings] == [0] * len(model.meetings)
    counted = []
    for _ in range(3):
        engine.begin("random", 1)
        engine.explore(0, 2000)
        counted.append([engine.counters()[name] for name in model.meetings])
    first, second, third = counted
    added = [after - before for before, after in zip(second, third, strict=True)]
    assert added == [after - before for before, after in zip(first, second, strict=True)]
    assert sum(added) > 0
