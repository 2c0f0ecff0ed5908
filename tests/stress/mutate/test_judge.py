"""The verdict on a schedule: its own failure first, then the checkers at rest, once for each final state."""

from types import SimpleNamespace

import pytest

from stress.explore import state
from stress.explore.engine import Found
from stress.mutate.judge import begin_judging, judge_schedule, note_every


class Ended:
    """An engine after a schedule."""

    def __init__(self, *, found=None, at_rest=None, verdict="clean", stop=state.STOP_STATE, is_judged=True):
        self.verdict, self.stop, self.model = verdict, stop, SimpleNamespace(is_judged=is_judged)
        self._found, self._at_rest, self.looked = found, at_rest, 0

    def found(self):
        return self._found

    def final_state(self):
        return 77

    def at_rest(self):
        self.looked += 1
        return self._at_rest


BROKEN = Found("at-rest", "conservation")


def test_a_schedule_that_failed_is_not_judged_at_rest():
    engine, race = Ended(found=Found("race", "pte"), at_rest=BROKEN), Found("race", "pte")
    assert judge_schedule(engine, set()) == race
    assert engine.looked == 0


def test_a_final_state_is_judged_once_if_it_is_good():
    engine, good = Ended(), set()
    assert judge_schedule(engine, good) is None
    assert good == {77}
    assert judge_schedule(engine, good) is None
    assert engine.looked == 1


def test_a_broken_final_state_is_found_and_not_called_good():
    engine, good = Ended(at_rest=BROKEN), set()
    assert judge_schedule(engine, good) is BROKEN
    assert good == set()


@pytest.mark.parametrize("changed", [{"is_judged": False}, {"verdict": "vacuous"}, {"stop": state.STOP_BUDGET}])
def test_no_checker_looks_at_what_is_no_final_state(changed):
    engine = Ended(at_rest=BROKEN, **changed)
    assert judge_schedule(engine, set()) is None
    assert engine.looked == 0


def test_an_oracle_judges_every_history_and_a_model_without_checkers_none():
    model = SimpleNamespace(oracle=None, at_rest=True)
    assert note_every(model, 0) < note_every(model, 1 << 30)
    assert note_every(SimpleNamespace(oracle=None, at_rest=False), 0) == 0
    assert note_every(SimpleNamespace(oracle=object(), at_rest=False), 1 << 30) == 1


def test_a_later_block_judges_fewer_of_its_first_states():
    forgotten = []
    engine = SimpleNamespace(words={}, forget_states=lambda: forgotten.append(True))
    begin_judging(engine, 0)
    first = engine.words[state.NOTE_FIRST]
    begin_judging(engine, 4096)
    assert 0 < engine.words[state.NOTE_FIRST] < first
    assert len(forgotten) == 2
