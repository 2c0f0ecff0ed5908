"""Which accesses nobody else could tell from others: they are made at once, without asking the strategy.

An access is private if its word has been touched by its task alone, in all schedules so far, or is only loaded, by whoever. It commutes
with every step of the others, so no interleaving of what they can see is lost, and what is left to choose is what matters: mostly less than
half of the steps. The first schedules do not know yet who touches what, so random walks, the same for every seed, are made first.
When a word turns out to be shared later, its accesses are points from then on, an exhaustive strategy begins anew, and samplers know
it until their block of schedules ends, so that a block's result does not depend on what its process did before.

A private store that has entered a store buffer reaches memory as soon as those before it have: that is one of the orders in which the
machine may do it, whoever looks, and no other could be told from it.

Schedules are written down with all their steps, and a given one is asked for each of them: files and stories do not depend on this.
"""

from kernels.base.jit import kernel
from kernels.base.points import FENCE, KIND_MASK, LOAD, REQUEST_WORDS, REQUESTS
from stress.explore.races import known_slot
from stress.explore.state import GREW, NR_LANES, READ_BY_MANY, SHARED, SLOT, TOUCHED_BY


@kernel
def is_private(s, task):
    """Whether a task's request, of one that runs, is nobody else's business. Without store buffers a fence is nobody's."""
    kind = s[REQUESTS + REQUEST_WORDS * task] & KIND_MASK
    if kind == FENCE:
        return s[NR_LANES] == 0
    by = s[TOUCHED_BY + s[SLOT + task]]
    if by == 0 or by >> 1 == task + 1:
        return True
    return kind == LOAD and (by == READ_BY_MANY or (by != SHARED and by & 1 == 0))


@kernel
def is_own_word(s, task, address):
    """Whether a word has been touched by a task alone, so that nobody else could tell when its stores reach memory."""
    return s[TOUCHED_BY + known_slot(s, address)] >> 1 == task + 1


@kernel
def note_touch(s, task):
    """A task makes its access."""
    at = TOUCHED_BY + s[SLOT + task]
    by, kind = s[at], s[REQUESTS + REQUEST_WORDS * task] & KIND_MASK
    if kind == FENCE or by == SHARED:
        return
    wrote = kind != LOAD
    if by == 0:
        s[at] = 2 * (task + 1) + wrote
    elif by >> 1 == task + 1:
        s[at] |= wrote
    elif wrote or (by != READ_BY_MANY and by & 1 != 0):
        s[at] = SHARED
        s[GREW] = 1
    else:
        s[at] = READ_BY_MANY
