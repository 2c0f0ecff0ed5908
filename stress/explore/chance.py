"""Random numbers of the strategies: a 48-bit linear congruential generator (drand48's), the same compiled and interpreted."""

from kernels.base.atomics import ctz, popcount
from kernels.base.jit import kernel
from stress.explore.state import EARLY_WEIGHT, FLUSH, FLUSH_WEIGHT, NR_LANES, NR_TASKS, RANDOM, REMAINING

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
def copy_counts(s, to, counts):
    """Copy a table with an entry for each schedulable."""
    for task in range(s[NR_TASKS]):
        s[to + task] = s[counts + task]
    for member in range(FLUSH, FLUSH + s[NR_LANES] * s[NR_TASKS]):
        s[to + member] = s[counts + member]


@kernel
def weighted_member(s, mask):
    """A random member of a set that is not empty, with odds in proportion to REMAINING, but at least 1."""
    if mask & (mask - 1) == 0:
        return ctz(mask)
    total, rest = 0, mask
    while rest != 0:
        total += max(1, s[REMAINING + ctz(rest)])
        rest &= rest - 1
    drawn = random_below(s, total)
    while True:
        drawn -= max(1, s[REMAINING + ctz(mask)])
        if drawn < 0:
            return ctz(mask)
        mask &= mask - 1


@kernel
def take_one(s, member):
    """Count down REMAINING, for a schedulable that makes a step."""
    if s[REMAINING + member] > 0:
        s[REMAINING + member] -= 1


@kernel
def lowest_member(mask):
    """The lowest member of a set that is not empty."""
    return ctz(mask)


@kernel
def draw_flush_weight(s):
    """How often flushes are in the set to choose from in this schedule: anything from never to always.

    A fixed weight finds either the outcomes that need early flushes or those that need late ones.
    """
    s[FLUSH_WEIGHT] = random_bits(s) >> random_below(s, 5)


@kernel
def draw_early_weight(s):
    """How often the loads of this schedule that may be early are: never, which is PSO, or one, two or three times in four."""
    s[EARLY_WEIGHT] = random_below(s, 4) << RANDOM_BITS - 2


@kernel
def without_lazy_flushes(s, mask):
    """The set to choose from at this point: the flushes are left out as often as this schedule's weight says."""
    tasks = mask & ((1 << FLUSH) - 1)
    if tasks == mask or tasks == 0:
        return mask
    return mask if random_bits(s) < s[FLUSH_WEIGHT] else tasks
