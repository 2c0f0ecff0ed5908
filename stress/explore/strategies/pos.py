"""POS: every pending access has a random priority; after one was made, those that race with it draw a new one.

X. Yuan, J. Yang, R. Gu, "Partial order aware concurrency sampling", CAV 2018. Two accesses race if they are to one word and one of them
may write. Under TSO the write is the flush of the store buffer, and a store that only enters the buffer races with nothing.
"""

from kernels.base.atomics import ctz
from kernels.base.jit import kernel
from stress.explore.chance import random_bits
from stress.explore.pending import pending_word, pending_writes
from stress.explore.state import FLUSH, LAST_TASK, LAST_WORD, LAST_WRITES, NR_LANES, NR_TASKS, PRIORITIES
from stress.explore.strategy import Strategy


@kernel
def begin(s):
    """Every task and every flush draws a priority."""
    for task in range(s[NR_TASKS]):
        s[PRIORITIES + task] = random_bits(s)
    for flush in range(FLUSH, FLUSH + s[NR_LANES] * s[NR_TASKS]):
        s[PRIORITIES + flush] = random_bits(s)
    return 0


@kernel
def redraw(s, member, address, wrote):
    """Draw a new priority for a pending access that races with the last step."""
    if pending_word(s, member) == address and (wrote or pending_writes(s, member)):
        s[PRIORITIES + member] = random_bits(s)


@kernel
def choose(s, mask):
    """The choice of highest priority."""
    last = s[LAST_TASK]
    if last >= 0:
        s[PRIORITIES + last] = random_bits(s)
    best = -1
    while mask != 0:
        member = ctz(mask)
        mask &= mask - 1
        if last >= 0 and member != last and s[LAST_WORD] != 0:
            redraw(s, member, s[LAST_WORD], s[LAST_WRITES] != 0)
        if best < 0 or s[PRIORITIES + member] > s[PRIORITIES + best]:
            best = member
    return best


STRATEGY = Strategy("pos", "POS: racing accesses draw new priorities (Yuan et al., CAV 2018)", choose, begin)
