"""Exhaustive search by depth, without any reduction: every interleaving, one after the other. The oracle of dpor, for tiny programs."""

from kernels.base.jit import kernel
from stress.explore.chance import lowest_member
from stress.explore.state import NR_POINTS
from stress.explore.strategies._tree import CHOSEN, LEFT, PREFIX, settle_deepest
from stress.explore.strategy import Strategy


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
    return not settle_deepest(s)


STRATEGY = Strategy("dfs", "every interleaving, without reduction; complete when it ends", choose, end=end, exhaustive=True)
