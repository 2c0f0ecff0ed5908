"""The verdict on a schedule: its own failure first, then the checkers at rest, once for each final state."""

from types import SimpleNamespace

import pytest

from stress.explore import state
from stress.explore.engine import Found
from stress.mutate.judge import judge_schedule


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
