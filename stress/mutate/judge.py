"""Judging a schedule: by itself, and by the checkers at rest, which look at some of the new final states."""

from stress.explore import state
from stress.explore.engine import Engine, Found
from stress.explore.model import Model
from stress.explore.session import AT_REST_EVERY, AT_REST_FIRST, AT_REST_FIRST_LATER


def begin_judging(engine: Engine, first: int) -> None:
    """Make every final state new, before a block of schedules that begins at number `first`."""
    engine.forget_states()
    engine.words[state.NOTE_FIRST] = AT_REST_FIRST if first == 0 else AT_REST_FIRST_LATER


def note_every(model: Model, number: int) -> int:
    """At schedule `number`, one in how many new final states is judged beside the first ones; 0: none. An oracle judges every history."""
    if model.oracle is not None:
        return 1
    if not model.at_rest:
        return 0
    return next(every for below, every in AT_REST_EVERY if number < below)


def judge_schedule(engine: Engine, good: set[int]) -> Found | None:
    """How the last schedule failed, by itself or according to the checkers at rest.

    Parameters  good: final states that the checkers have accepted; this one is added if they accept it
    """
    found = engine.found()
    if found is not None or not engine.model.is_judged or engine.verdict != "clean" or engine.stop == state.STOP_BUDGET:
        return found
    reached = engine.final_state()
    if reached in good:
        return None
    found = engine.at_rest()
    if found is None:
        good.add(reached)
    return found
