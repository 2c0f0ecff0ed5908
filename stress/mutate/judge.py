"""The verdict on a schedule that has just been run."""

from stress.explore import state
from stress.explore.engine import Engine, Found


def judge_schedule(engine: Engine, good: set[int]) -> Found | None:
    """How the last schedule failed, by itself or according to the checkers at rest.

    Parameters  good: final states that the checkers have accepted; this one is added if they accept it
    """
    found = engine.found()
    if found is None and engine.model.is_judged and engine.verdict == "clean" and engine.stop != state.STOP_BUDGET:
        reached = engine.final_state()
        if reached not in good:
            found = engine.at_rest()
            if found is None:
                good.add(reached)
    return found
