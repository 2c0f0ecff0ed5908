"""Livelocks: everybody goes on, and nobody gets anywhere. Compiled, and interpreted from the same source.

A schedule of LOOPS_FROM steps is watched from there on, each access a point, for states that come back: memory, and what each task is about
to do. When one has come back TURNS_MIN times, or FAIR_FROM steps have been made, it may be the strategy that lets one task spin while
others wait for their turn: from there on anybody goes on, with equal odds (M. Musuvathi, S. Qadeer, "Fair stateless model checking",
PLDI 2008, for the idea), and the states before are forgotten. One that comes back TURNS_MIN times even so is a livelock: a retry that
nobody makes succeed, a word that is polled and that nobody writes, tasks that undo each other's work. So is a schedule of STEPS_MAX
steps, whatever it does.

What a task keeps to itself is not in the state, so a retry that gives up would have to do so within TURNS_MIN turns.
"""

from kernels.base.atomics import ctz, popcount
from kernels.base.jit import kernel
from kernels.base.points import BASE, REQUEST_WORDS, REQUESTS
from stress.explore.memory_models import MASK48, mixed
from stress.explore.state import (
    CUT,
    HASH,
    LIVELOCK,
    LOOP_BEGAN,
    LOOP_CAPACITY,
    LOOP_FAIR,
    LOOP_STATES,
    LOOP_TURNS,
    NR_BUFFERED,
    NR_STEPS,
    NR_TASKS,
    STATUS,
    VERDICT,
)

LOOPS_FROM, FAIR_FROM, STEPS_MAX = 1024, 3000, 5000
TURNS_MIN = 32  # more than any bounded retry of the kernels


@kernel
def visible_state(s, able):
    """The hash of memory, of who can go on, and of what each task is about to do."""
    found = s[HASH] ^ mixed(able)
    for task in range(s[NR_TASKS]):
        at = REQUESTS + REQUEST_WORDS * task
        offset = s[at + 1] - s[BASE] if s[at + 1] != 0 else 0  # a replay elsewhere must see the same
        part = mixed(offset ^ task)
        for word in (s[at], s[at + 2], s[at + 3], s[STATUS + task] + 4 * s[NR_BUFFERED + task]):
            part = mixed(part ^ word & MASK48)
        found ^= part
    return found


@kernel
def forget_states(s):
    """Nothing has come back yet."""
    s[LOOP_BEGAN], s[LOOP_TURNS] = s[NR_STEPS], 0
    for k in range(2 * LOOP_CAPACITY):
        s[LOOP_STATES + k] = 0


@kernel
def comes_back(s, able):
    """Whether the state that the machine is in has come back often enough."""
    found = visible_state(s, able)
    at = LOOP_STATES + 2 * (found % LOOP_CAPACITY)
    if s[at] != found:  # another one's place is taken
        s[at], s[at + 1] = found, 0
        return False
    s[at + 1] += 1
    s[LOOP_TURNS] = s[at + 1]
    return s[at + 1] >= TURNS_MIN


@kernel
def drawn(s, able):
    """Anybody, by the number of the step: a replay draws the same."""
    for _ in range((mixed(s[NR_STEPS]) >> 17) * popcount(able) >> 31):
        able &= able - 1
    return 1 << ctz(able)


@kernel
def watched(s, able):
    """Who may go on in a long schedule, of those who can: 0 if it is a livelock."""
    if s[NR_STEPS] == LOOPS_FROM:
        s[LOOP_FAIR] = 0
        forget_states(s)
    loops = comes_back(s, able)
    if s[NR_STEPS] == STEPS_MAX or (loops and s[LOOP_FAIR]):
        s[VERDICT] = LIVELOCK
        return 0
    if loops or s[NR_STEPS] == FAIR_FROM:
        s[LOOP_FAIR] = 1
        forget_states(s)
    if s[LOOP_FAIR] == 0 or able & (able - 1) == 0:
        return able
    s[CUT] = 1
    return drawn(s, able)
