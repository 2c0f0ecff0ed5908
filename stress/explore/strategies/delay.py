"""Delay bounding: round robin without preemption, in which a delay skips the next choice; all schedules with 0 delays, then with 1, ...

M. Emmi, S. Qadeer, Z. Rakamarić, "Delay-bounded scheduling", POPL 2011. With d delays there are about k^d schedules, however many
tasks there are. A schedule is given by the places of its delays: numbers of points at which there is a choice, in order, the same number
twice for two delays at one point. They are counted up like the digits of a number. If a delay finds no place in a run, the one before it
moves. Complete when no schedule has so many delays; each was then run once, except for those that showed where to carry.
"""

from typing import Any

from kernels.base.atomics import ctz, popcount
from kernels.base.jit import kernel
from stress.explore.state import LAST_TASK, NR_CHOICES, STRATEGY_WORDS
from stress.explore.strategy import Strategy

# the bound; the delays of this run that found a place; whether one was too many at its point; whether any run of this bound fitted
NR_DELAYS, PLACED, TOO_MANY, FITTED = (STRATEGY_WORDS + k for k in range(4))
DELAYS = STRATEGY_WORDS + 16


@kernel
def begin(s):
    """No delay has found its place yet."""
    s[PLACED] = s[TOO_MANY] = s[NR_CHOICES] = 0
    return 0


@kernel
def in_turn(mask, last, skipped):
    """The member of a set whose turn it is in round robin, after `skipped` others; the last one chosen comes first."""
    later = mask & ~((1 << last) - 1) if last >= 0 else mask
    turn = later if skipped < popcount(later) else mask & ~later
    if turn != later:
        skipped -= popcount(later)
    for _ in range(skipped):
        turn &= turn - 1
    return ctz(turn)


@kernel
def choose(s, mask):
    """The choice whose turn it is after the delays of this point; -1 if there are too many."""
    if mask & (mask - 1) == 0:
        return ctz(mask)
    s[NR_CHOICES] += 1
    skipped = 0
    while s[PLACED] < s[NR_DELAYS] and s[DELAYS + s[PLACED]] == s[NR_CHOICES]:
        s[PLACED] += 1
        skipped += 1
        if skipped == popcount(mask):
            s[TOO_MANY] = 1
            return -1
    return in_turn(mask, s[LAST_TASK], skipped)


@kernel
def end(s):
    """Move the last delay that can be moved; those after it begin at its place.

    Returns     whether no schedule has so many delays
    """
    fits = s[PLACED] == s[NR_DELAYS] and not s[TOO_MANY]
    if fits:
        s[FITTED] = 1
    moved = s[PLACED] - 1  # the last one if all fit; else the one too many, or the last that found its place
    if moved < 0:
        if s[FITTED] == 0:
            return True
        s[NR_DELAYS] += 1
        s[FITTED] = 0
        s[DELAYS] = 1
        moved = 0
    else:
        s[DELAYS + moved] += 1
    for k in range(moved + 1, s[NR_DELAYS]):
        s[DELAYS + k] = s[DELAYS + moved]
    return False


def progress(words: Any) -> str:
    """The bound."""
    return f"with {int(words[NR_DELAYS])} delays"


STRATEGY = Strategy(
    "delay",
    "delay bounding: round robin with 0 delays, 1, 2, ... (Emmi et al., POPL 2011); complete when it ends",
    choose,
    begin,
    end,
    exhaustive=True,
    progress=progress,
)
