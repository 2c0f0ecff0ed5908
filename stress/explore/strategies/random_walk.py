"""Random walk: at every point each choice has equal odds."""

from kernels.base.jit import kernel
from stress.explore.chance import draw_flush_weight, random_member, without_lazy_flushes
from stress.explore.state import NR_LANES
from stress.explore.strategy import Strategy


@kernel
def begin(s):
    """Draw this schedule's flush weight, if there are store buffers."""
    if s[NR_LANES] > 0:
        draw_flush_weight(s)
    return 0


@kernel
def choose(s, mask):
    """Any choice, with equal odds."""
    return random_member(s, without_lazy_flushes(s, mask))


STRATEGY = Strategy("random", "random walk: at every point each choice has equal odds", choose, begin)
