"""Random numbers of the strategies: a 48-bit linear congruential generator (drand48's), the same compiled and interpreted."""

from kernels.base.atomics import ctz, popcount
from kernels.base.jit import kernel
from stress.explore.state import FLUSH, FLUSH_WEIGHT, RANDOM

RANDOM_BITS = 31


@kernel
def random_bits(s):
    """The next 31 random bits."""
    s[RANDOM] = (s[RANDOM] * 0x5DEECE66D + 11) & ((1 << 48) - 1)
    return s[RANDOM] >> 17


@kernel
def random_below(s, bound):
    """A random number in 0..bound-1."""
    return random_bits(s) * bound >> RANDOM_BITS


@kernel
def random_member(s, mask):
    """A random member of a set that is not empty."""
    if mask & (mask - 1) == 0:
        return ctz(mask)
    for _ in range(random_below(s, popcount(mask))):
        mask &= mask - 1
    return ctz(mask)


@kernel
def lowest_member(mask):
    """The lowest member of a set that is not empty."""
    return ctz(mask)


@kernel
def draw_flush_weight(s):
    """How eager store buffers are in this schedule: from never while somebody else can go on, to as likely as a task.

    A fixed weight finds either the outcomes that need early flushes or those that need late ones.
    """
    s[FLUSH_WEIGHT] = random_bits(s) >> random_below(s, 5)


@kernel
def without_lazy_flushes(s, mask):
    """The set to choose from at this point: with the flushes, or, as often as this schedule's weight says, without them."""
    tasks = mask & ((1 << FLUSH) - 1)
    if tasks == mask or tasks == 0:
        return mask
    return mask if random_bits(s) < s[FLUSH_WEIGHT] else tasks
