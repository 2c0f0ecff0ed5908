"""PCT: random priorities, lowered at d - 1 random points; finds a bug of depth d with odds of at least 1 / (n k^(d-1)) per schedule.

S. Burckhardt et al., "A randomized scheduler with probabilistic guarantees of finding bugs", ASPLOS 2010. n schedulables, of which the
flushes of store buffers are some; k, the number of points where there is a choice, is measured on a random walk first. A task that waits
is not enabled, so no task spins at the highest priority; a change point lowers the task that would have been chosen, before its step.
"""

from kernels.base.atomics import ctz
from kernels.base.jit import kernel
from stress.explore.chance import random_below
from stress.explore.state import CHANGE_POINTS, FLUSH, NR_CHOICES, NR_LANES, NR_TASKS, PARAMETER, POINTS_EXPECTED, PRIORITIES
from stress.explore.strategy import Strategy


@kernel
def schedulable(s, k):
    """The number of the k-th of tasks and flushes."""
    return k if k < s[NR_TASKS] else FLUSH + k - s[NR_TASKS]


@kernel
def begin(s):
    """Draw the priorities d..d+n-1 and d - 1 different change points in 1..k."""
    depth = s[PARAMETER]
    for k in range(s[NR_TASKS] * (1 + s[NR_LANES])):  # a shuffle: each in a random place of those before it (Fisher and Yates, inside out)
        place = PRIORITIES + schedulable(s, random_below(s, k + 1))
        s[PRIORITIES + schedulable(s, k)] = s[place]
        s[place] = depth + k
    drawn = 0
    while drawn < min(depth - 1, s[POINTS_EXPECTED]):
        point = 1 + random_below(s, s[POINTS_EXPECTED])
        new = True
        for k in range(drawn):
            if s[CHANGE_POINTS + k] == point:
                new = False
        if new:
            s[CHANGE_POINTS + drawn] = point
            drawn += 1
    for k in range(drawn, depth - 1):
        s[CHANGE_POINTS + k] = 0
    s[NR_CHOICES] = 0
    return 0


@kernel
def highest(s, mask):
    """The member of highest priority."""
    best = -1
    while mask != 0:
        member = ctz(mask)
        mask &= mask - 1
        if best < 0 or s[PRIORITIES + member] > s[PRIORITIES + best]:
            best = member
    return best


@kernel
def choose(s, mask):
    """The choice of highest priority; at a change point that one falls below all that were not lowered before."""
    best = highest(s, mask)
    if mask & (mask - 1) == 0:
        return best
    s[NR_CHOICES] += 1
    for k in range(s[PARAMETER] - 1):
        if s[CHANGE_POINTS + k] == s[NR_CHOICES]:
            s[PRIORITIES + best] = s[PARAMETER] - 1 - k
            best = highest(s, mask)
    return best


STRATEGY = Strategy(
    "pct",
    "PCT: random priorities, lowered at d - 1 random points (Burckhardt et al., ASPLOS 2010)",
    choose,
    begin,
    variants={"pct-2": 2, "pct-3": 3, "pct-10": 10},
    profiled=True,
)
