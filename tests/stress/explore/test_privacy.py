"""Private accesses: what makes a word shared, and that no final state is lost."""

import pytest

from kernels.base import points
from kernels.base.points import REQUEST_WORDS, REQUESTS
from stress.explore import state
from tests.stress.explore.flavours import explored, interpreted

LOAD, STORE, FENCE = points.LOAD, points.STORE, points.FENCE


@explored
@pytest.mark.parametrize("memory", ["sc", "tso", "pso"])
def test_private_accesses_hide_no_final_state(engine_of, memory):
    from stress.explore.models import all_models

    found = []
    for privacy in (True, False):
        engine = engine_of(all_models()["refcount-cas"], memory, privacy=privacy)
        engine.begin("dpor", 1)
        engine.forget_states()
        engine.explore(0, 100_000)
        assert engine.stop == state.STOP_COMPLETE
        nr_points, nr_steps = int(engine.words[state.TOTAL_POINTS]), int(engine.words[state.TOTAL_STEPS])
        assert nr_points < nr_steps if privacy else nr_points == nr_steps
        found.append(set(engine.final_states()))
    assert found[0] == found[1]
    assert len(found[0]) == 4


def touch(words, task, kind):
    """Let a task touch the one word; whether the access was private."""
    from stress.explore.privacy import is_private, note_touch

    words[REQUESTS + REQUEST_WORDS * task] = kind
    private = bool(is_private(words, task))
    note_touch(words, task)
    return private


@interpreted
@pytest.mark.parametrize(
    ("touches", "private"),
    [
        ([(0, STORE), (0, LOAD), (0, STORE)], [True, True, True]),  # one task alone
        ([(0, LOAD), (1, LOAD), (2, LOAD)], [True, True, True]),  # only loaded
        ([(0, STORE), (1, LOAD), (0, STORE), (0, LOAD)], [True, False, False, False]),
        ([(0, STORE), (1, LOAD), (1, LOAD)], [True, False, False]),
        ([(0, LOAD), (1, STORE), (1, STORE)], [True, False, False]),
        ([(0, LOAD), (1, LOAD), (1, STORE), (0, LOAD)], [True, True, False, False]),
        ([(0, LOAD), (1, points.CAS), (0, LOAD)], [True, False, False]),
    ],
)
def test_a_word_is_shared_once_a_task_writes_it_and_another_touches_it(touches, private):
    words = [0] * state.STRATEGY_WORDS
    assert [touch(words, task, kind) for task, kind in touches] == private
    assert bool(words[state.GREW]) == (not all(private))


@interpreted
@pytest.mark.parametrize(("nr_lanes", "private"), [(0, True), (1, False)])
def test_a_fence_matters_only_where_there_are_store_buffers(nr_lanes, private):
    words = [0] * state.STRATEGY_WORDS
    words[state.NR_LANES] = nr_lanes
    words[state.TOUCHED_BY] = before = 2 * (1 + 1)
    assert touch(words, 0, FENCE) is private
    assert words[state.TOUCHED_BY] == before
