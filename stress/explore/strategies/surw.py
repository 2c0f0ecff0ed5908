"""SURW: the accesses to one word, drawn for each schedule, are interleaved uniformly; everything else is a random walk.

H. Zhao, D. Wolff, U. Mathur, A. Roychoudhury, "Selectively uniform concurrency testing", ASPLOS 2025. The words that several tasks touch
and one writes, and how often each touches them, are counted on random walks first; words that a task awaits (points.AWAIT) are not drawn,
since the order of a creation and of a join is no choice. The next task at the word is drawn in proportion to the accesses that each has
left; a task that arrives out of turn waits until the drawn one has made its access.
"""

from kernels.base.atomics import ctz
from kernels.base.jit import kernel
from stress.explore.chance import copy_counts, random_below, random_member, take_one, weighted_member
from stress.explore.pending import pending_word
from stress.explore.state import (
    DONE,
    FLUSH,
    INTENDED,
    INTERESTING,
    NR_LANES,
    NR_PROFILED,
    NR_SCHEDULABLE,
    NR_TASKS,
    PROFILE_ADDRESSES,
    PROFILE_COUNTS,
    REMAINING,
    STATUS,
)
from stress.explore.strategy import Strategy


@kernel
def begin(s):
    """Draw the word."""
    s[INTERESTING], s[INTENDED] = 0, -1
    if s[NR_PROFILED] > 0:
        drawn = random_below(s, s[NR_PROFILED])
        s[INTERESTING] = s[PROFILE_ADDRESSES + drawn]
        copy_counts(s, REMAINING, PROFILE_COUNTS + drawn * NR_SCHEDULABLE)
    return 0


@kernel
def at_the_word(s, mask):
    """The set of those whose pending step touches the word."""
    found = 0
    while mask != 0:
        member = ctz(mask)
        mask &= mask - 1
        if pending_word(s, member) == s[INTERESTING]:
            found |= 1 << member
    return found


@kernel
def expected(s):
    """The set of those with accesses to the word left, whether or not they can be chosen now."""
    found = 0
    for task in range(s[NR_TASKS]):
        if s[STATUS + task] != DONE and s[REMAINING + task] > 0:
            found |= 1 << task
    for member in range(FLUSH, FLUSH + s[NR_LANES] * s[NR_TASKS]):
        if s[REMAINING + member] > 0:
            found |= 1 << member
    return found


@kernel
def choose(s, mask):
    """Any choice except those that would touch the word out of turn; if there is no other, one of them gets the turn."""
    there = at_the_word(s, mask) if s[INTERESTING] != 0 else 0
    if there == 0:
        return random_member(s, mask)
    if s[INTENDED] < 0:
        s[INTENDED] = weighted_member(s, expected(s) | there)
    allowed = mask & ~there | there & 1 << s[INTENDED]
    if allowed == 0:  # the drawn one waits, or has no access to the word left
        s[INTENDED] = weighted_member(s, there)
        allowed = 1 << s[INTENDED]
    chosen = random_member(s, allowed)
    if there >> chosen & 1:
        take_one(s, chosen)
        s[INTENDED] = -1
    return chosen


STRATEGY = Strategy("surw", "SURW: one word's accesses interleaved uniformly (Zhao et al., ASPLOS 2025)", choose, begin, profiled=True)
