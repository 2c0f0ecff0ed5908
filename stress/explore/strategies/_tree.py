"""What depth-first searches share: for each depth the choice and those left to try, and how many choices are settled."""

from kernels.base.jit import kernel
from stress.explore.chance import lowest_member
from stress.explore.state import MAX_STEPS, NR_POINTS, STRATEGY_WORDS

PREFIX = STRATEGY_WORDS  # steps whose choice is settled
CHOSEN = STRATEGY_WORDS + 16
LEFT = CHOSEN + MAX_STEPS
TREE_END = LEFT + MAX_STEPS


@kernel
def settle_deepest(s):
    """Settle the deepest choice that has another one left to try.

    Returns     whether there is one
    """
    depth = s[NR_POINTS] - 1
    while depth >= 0:
        if s[LEFT + depth] != 0:
            s[CHOSEN + depth] = lowest_member(s[LEFT + depth])
            s[LEFT + depth] &= ~(1 << s[CHOSEN + depth])
            s[PREFIX] = depth + 1
            return True
        depth -= 1
    return False
