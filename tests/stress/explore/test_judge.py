"""Which final states are judged, and how a schedule is."""

from dataclasses import dataclass, field

import pytest

from stress.explore import state
from stress.explore.diagnosis import AT_REST, Found
from stress.explore.judge import AT_REST_FIRST, AT_REST_FIRST_LATER, begin_judging, judge_schedule, note_every

BROKEN, LEAK = Found("bug", "A"), Found(AT_REST, "refcounts")


@dataclass
class FakeModel:
    at_rest: bool = True
    oracle: object = None

    @property
    def is_judged(self):
        return self.at_rest or self.oracle is not None


@dataclass
class FakeEngine:
    """An engine whose last schedule ended as the fields say."""

    model: FakeModel = field(default_factory=FakeModel)
    verdict: str = "clean"
    stop: int = state.STOP_STATE
    broken: Found | None = None
    leak: Found | None = None
    words: dict = field(default_factory=dict)
    forgotten: int = 0
    looked: int = 0

    def found(self):
        return self.broken

    def final_state(self):
        return 77

    def at_rest(self):
        self.looked += 1
        return self.leak

    def forget_states(self):
        self.forgotten += 1


def test_a_final_state_that_passed_is_not_judged_again():
    engine, good = FakeEngine(), {5}
    assert judge_schedule(engine, good) is None
    assert good == {5, 77}
    engine.leak = LEAK
    assert judge_schedule(engine, good) is None
    assert engine.looked == 1


def test_a_final_state_that_fails_is_found_and_never_good():
    engine, good = FakeEngine(leak=LEAK), set()
    assert judge_schedule(engine, good) is LEAK
    assert good == set()


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"broken": BROKEN, "verdict": "bug"}, BROKEN),
        ({"verdict": "pruned"}, None),
        ({"stop": state.STOP_BUDGET}, None),
        ({"model": FakeModel(at_rest=False)}, None),
    ],
)
def test_other_schedules_have_no_final_state_to_judge(changes, found):
    engine, good = FakeEngine(leak=LEAK, **changes), set()
    assert judge_schedule(engine, good) is found
    assert (engine.looked, good) == (0, set())


def test_an_exhaustive_search_that_ends_has_its_last_state_judged():
    assert judge_schedule(FakeEngine(leak=LEAK, stop=state.STOP_COMPLETE), set()) is LEAK


def test_fewer_states_are_judged_the_longer_a_model_is_explored():
    every = [note_every(FakeModel(), number) for number in (0, 4095, 4096, 65535, 65536, 1 << 20, 1 << 40)]
    assert every == [8, 8, 16, 16, 128, 1024, 1024]
    assert note_every(FakeModel(at_rest=False), 0) == 0
    assert note_every(FakeModel(at_rest=False, oracle="one"), 1 << 40) == 1  # every history


@pytest.mark.parametrize(("first", "noted"), [(0, AT_REST_FIRST), (4096, AT_REST_FIRST_LATER)])
def test_a_block_begins_with_no_state_seen(first, noted):
    engine = FakeEngine()
    begin_judging(engine, first)
    assert engine.forgotten == 1
    assert engine.words[state.NOTE_FIRST] == noted
