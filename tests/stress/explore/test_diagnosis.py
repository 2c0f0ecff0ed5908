"""How a failing schedule is described: cycles of a deadlock, an access out of bounds, the record of bug()."""

import pytest

from stress.explore.diagnosis import AT_REST, Found, find_cycle
from tests.stress.explore.flavours import explored


@pytest.mark.parametrize(
    ("waits_for", "cycle"),
    [({}, []), ({0: 1, 1: 2}, []), ({0: 1, 1: 0}, [0, 1]), ({0: 2, 1: 2, 2: 3, 3: 1}, [1, 2, 3]), ({4: 4}, [4])],
)
def test_a_cycle_begins_at_its_lowest_cpu(waits_for, cycle):
    assert find_cycle(waits_for) == cycle


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Found("bug", "WORD_CHANGED", "I3", 2, 7, 70000, -1), "WORD_CHANGED (I3) on cpu 2, frame 7: memdesc 0x11170, expected memdesc -1"),
        (Found("bug", "WORD_CHANGED", "I3", 0, -1, 1, 2), "WORD_CHANGED (I3) on cpu 0: memdesc 1, expected memdesc 2"),
        (Found(AT_REST, "refcounts", "I4", pfn=3, message="lost"), "at rest, refcounts (I4), frame 3: lost"),
        (Found("overflow"), "overflow"),
        (Found("deadlock", message="cpu 0 waits"), "deadlock: cpu 0 waits"),
    ],
)
def test_a_failure_is_one_line(found, text):
    assert found.describe() == text
    assert found.is_at_rest == text.startswith("at rest")


def test_failures_are_the_same_if_verdict_and_code_are():
    found = Found("bug", "A", seen=1)
    assert found.same_failure(Found("bug", "A", seen=2))
    assert not found.same_failure(Found("bug", "B", seen=1))
    assert not found.same_failure(Found(AT_REST, "A", seen=1))


@explored
def test_a_deadlock_is_described_with_its_cycle(engine_of):
    from stress.explore import state
    from tests.stress.explore.deadlock_model import MODEL

    engine = engine_of(MODEL)
    engine.begin("random", 1)
    engine.explore(0, 100_000)
    assert engine.stop == state.STOP_FAILURE
    found = engine.found()
    assert found.verdict == "deadlock"
    assert found.message.endswith("a cycle: cpu 0 -> cpu 1 -> cpu 2 -> cpu 0")
    assert found.message.count("held by cpu") == 3


@explored
def test_an_access_out_of_bounds_is_named(engine_of):
    from tests.stress.explore.bounds_model import MODEL

    engine = engine_of(MODEL)
    engine.begin("random", 1)
    engine.explore(0, 100)
    nr_words = len(engine.mem.arrays["scratch"])
    text = f"out-of-bounds: cpu 1 requests store_relaxed scratch[{nr_words}]; scratch has {nr_words} elements"
    assert engine.found().describe() == text
    assert engine.nr_steps == 0  # the access is not made


@explored
def test_the_record_of_an_assertion_is_read(engine_of):
    from tests.stress.explore.lost_update_model import MODEL

    engine = engine_of(MODEL)
    engine.begin("random", 1)
    engine.explore(0, 100_000)
    assert engine.found() == Found("bug", "WORD_CHANGED", engine.found().invariant, 0, 0, 1, 2)
    assert engine.found().invariant
