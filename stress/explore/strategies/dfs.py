"""Exhaustive search by depth, without any reduction: every interleaving, one after the other. The oracle of dpor, for tiny programs.

Frames stand in the strategy's words: for each depth who was chosen, and who is left to be.
"""

from kernels.base.jit import kernel
from stress.explore.chance import lowest_member
from stress.explore.state import NR_POINTS, STRATEGY_WORDS
from stress.explore.strategy import Strategy

PREFIX = STRATEGY_WORDS  # steps whose choice is settled
CHOSEN = STRATEGY_WORDS + 1
LEFT = CHOSEN + (1 << 13)


@kernel
def choose(s, mask):
    """What is settled, else the lowest, keeping the others for later."""
    depth = s[NR_POINTS]
    if depth >= s[PREFIX]:
        s[CHOSEN + depth] = lowest_member(mask)
        s[LEFT + depth] = mask & ~(1 << s[CHOSEN + depth])
    return s[CHOSEN + depth]


@kernel
def end(s):
    """Settle the deepest choice that can be made otherwise.

    Returns     whether there is none
    """
    depth = s[NR_POINTS] - 1
    while depth >= 0:
        if s[LEFT + depth] != 0:
            s[CHOSEN + depth] = lowest_member(s[LEFT + depth])
            s[LEFT + depth] &= ~(1 << s[CHOSEN + depth])
            s[PREFIX] = depth + 1
            return False
        depth -= 1
    return True


STRATEGY = Strategy("dfs", "every interleaving, without reduction; complete when it ends", choose, end=end, exhaustive=True)
