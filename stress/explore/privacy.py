"""Private accesses, which no other task can observe: serve() makes them immediately, without asking the strategy.

An access is private if in all schedules so far only its task has touched the word, or if all tasks only load the word. It commutes with
every step of other tasks, so no observable interleaving is lost. Mostly less than half of the steps remain as points. Random walks, the
same for every seed, find out which words are private before a model is explored (profile.py). When a word turns out to be shared later, its
accesses are points from then on: an exhaustive strategy starts again, and samplers forget it when their block of schedules ends, so that
the result of a block does not depend on what its process did before.

A private store in a store buffer reaches memory as soon as the stores before it have: that is one of the orders that the memory model
allows, and no task can distinguish it from the others.

Schedules are recorded with all their steps, and a given schedule chooses each of them, so failure files and stories do not depend on this.
"""

from kernels.base.jit import kernel
from kernels.base.points import FENCE, KIND_MASK, LOAD, REQUEST_WORDS, REQUESTS
from stress.explore.races import known_slot
from stress.explore.state import GREW, NR_LANES, READ_BY_MANY, SHARED, SLOT, TOUCHED_BY


@kernel
def is_private(s, task):
    """Whether the request of a running task is a private access. Without store buffers a fence is one."""
    kind = s[REQUESTS + REQUEST_WORDS * task] & KIND_MASK
    if kind == FENCE:
        return s[NR_LANES] == 0
    by = s[TOUCHED_BY + s[SLOT + task]]
    if by == 0 or by >> 1 == task + 1:
        return True
    return kind == LOAD and (by == READ_BY_MANY or (by != SHARED and by & 1 == 0))


@kernel
def is_own_word(s, task, address):
    """Whether only this task has touched a word, so that no other can observe when its stores reach memory."""
    return s[TOUCHED_BY + known_slot(s, address)] >> 1 == task + 1


@kernel
def note_touch(s, task):
    """Record that a task touches the word of its request."""
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
