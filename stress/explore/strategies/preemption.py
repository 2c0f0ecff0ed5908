"""Iterative preemption bounding: all schedules with 0 preemptions, then with up to 1, ...: a depth-first search as dfs, within a bound.

M. Musuvathi, S. Qadeer, "Iterative context bounding for systematic testing of multithreaded programs", PLDI 2007. A switch from a task
that could continue is a preemption; a switch from one that waits or has ended is free. Schedules of a smaller bound are run again.
"""

from typing import Any

from kernels.base.jit import kernel
from stress.explore.chance import lowest_member
from stress.explore.state import LAST_TASK, NR_POINTS
from stress.explore.strategies._tree import CHOSEN, LEFT, PREFIX, TREE_END, settle_deepest
from stress.explore.strategy import Strategy

BOUND, REFUSED = PREFIX + 1, PREFIX + 2  # preemptions that are allowed; whether the bound left anything out
COST = TREE_END  # preemptions before a step, for each depth


@kernel
def choose(s, mask):
    """The settled choice, else the task of the last step; the others that the bound allows are left to try."""
    depth, last = s[NR_POINTS], s[LAST_TASK]
    goes_on = last >= 0 and mask >> last & 1 != 0
    if depth == 0:
        s[COST] = 0
    if depth >= s[PREFIX]:
        chosen = last if goes_on else lowest_member(mask)
        others = mask & ~(1 << chosen)
        if goes_on and s[COST + depth] == s[BOUND]:
            if others != 0:
                s[REFUSED] = 1
            others = 0
        s[CHOSEN + depth], s[LEFT + depth] = chosen, others
    s[COST + depth + 1] = s[COST + depth] + (goes_on and s[CHOSEN + depth] != last)
    return s[CHOSEN + depth]


@kernel
def end(s):
    """Settle the deepest choice that has another one left to try; if there is none, allow one more preemption.

    Returns     whether the bound left nothing out
    """
    if settle_deepest(s):
        return False
    if not s[REFUSED]:
        return True
    s[BOUND] += 1
    s[PREFIX] = s[REFUSED] = 0
    return False


def progress(words: Any) -> str:
    """The bound."""
    return f"with up to {int(words[BOUND])} preemptions"


STRATEGY = Strategy(
    "preemption",
    "iterative preemption bounding (Musuvathi and Qadeer, PLDI 2007); complete when it ends",
    choose,
    end=end,
    exhaustive=True,
    progress=progress,
)
