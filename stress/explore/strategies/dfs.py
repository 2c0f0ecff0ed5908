"""Exhaustive depth-first search without reduction: every interleaving, one after the other. Tests compare dpor with it on tiny programs."""

from kernels.base.jit import kernel
from stress.explore.chance import lowest_member
from stress.explore.state import NR_POINTS
from stress.explore.strategies._tree import CHOSEN, LEFT, PREFIX, settle_deepest
from stress.explore.strategy import Strategy


@kernel
def choose(s, mask):
    """The settled choice, else the lowest; the others are left to try."""
    depth = s[NR_POINTS]
    if depth >= s[PREFIX]:
        s[CHOSEN + depth] = lowest_member(mask)
        s[LEFT + depth] = mask & ~(1 << s[CHOSEN + depth])
    return s[CHOSEN + depth]


@kernel
def end(s):
    """Settle the deepest choice that has another one left to try.

    Returns     whether there is none
    """
    return not settle_deepest(s)


STRATEGY = Strategy("dfs", "every interleaving, without reduction; complete when it ends", choose, end=end, exhaustive=True)
