"""Judging a schedule: whether it failed, by itself or at rest, and which final states the checkers at rest look at.

Final states that are new in a block of schedules are judged: the first ones, and a sample of the others by their hash, so that neither
time nor the number of processes decides which.
"""

from stress.explore import state
from stress.explore.diagnosis import Found
from stress.explore.engine import Engine
from stress.explore.model import Model

#: the new final states that are judged whatever their hash: in the block that begins at schedule 0, and in later ones
AT_REST_FIRST, AT_REST_FIRST_LATER = 400, 16
#: of the other new final states one in so many is judged, for schedules below a number
AT_REST_EVERY = ((4 << 10, 8), (64 << 10, 16), (1 << 20, 128), (1 << 62, 1024))


def begin_judging(engine: Engine, first: int) -> None:
    """Make every final state new, before a block of schedules that begins at number `first`.

    Which of them are judged must not depend on what else this process has run.
    """
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
    """How the last schedule failed, by itself or at rest; None if it did not, or if its final state is not judged.

    Parameters  good: the final states that were judged before; a new one that passes is added
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
