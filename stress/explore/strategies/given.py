"""A given schedule: for replays and shrinking. Where it gives no possible choice: the task of the last step, else the lowest."""

from kernels.base.jit import kernel
from stress.explore.chance import lowest_member
from stress.explore.state import DIVERGED_AT, GIVEN, LAST_TASK, NR_GIVEN, NR_STEPS
from stress.explore.strategy import Strategy


@kernel
def begin(s):
    """The schedule has not diverged yet."""
    s[DIVERGED_AT] = -1
    return 0


@kernel
def choose(s, mask):
    """The choice that is given for this step, if it is possible."""
    at = s[NR_STEPS]
    if at < s[NR_GIVEN]:
        wanted = s[GIVEN + at]
        if wanted >= 0:
            if mask >> wanted & 1:
                return wanted
            if s[DIVERGED_AT] < 0:
                s[DIVERGED_AT] = at
    last = s[LAST_TASK]
    if last >= 0 and mask >> last & 1:
        return last
    return lowest_member(mask)


STRATEGY = Strategy("given", "a given schedule, for replays and shrinking", choose, begin, hidden=True)
