"""Livelocks: tasks make steps without an end, and no task makes progress. Compiled, or interpreted.

From step LOOPS_FROM on, every access of a schedule is a point, and the scheduler looks for states that come back: memory, and what each
task is about to do. A state that comes back TURNS_MIN times, or a schedule of FAIR_FROM steps, may be the fault of the strategy: it may let
one task spin and never choose the others. So from there on the schedule is fair: every task that can run is chosen with equal odds (after
M. Musuvathi, S. Qadeer, "Fair stateless model checking", PLDI 2008), and the states seen before are forgotten. A state that comes back
TURNS_MIN times even then is a livelock: a retry that no other task can make succeed, a polled word that no task writes, tasks that undo
each other's work. A schedule of STEPS_MAX steps is a livelock, too.

Local variables of a task are not in the state. So a bounded retry must give up within TURNS_MIN turns, or it is reported as a livelock.
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
    """The hash of memory, of the set that can be chosen, and of what each task is about to do."""
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
    """Forget the states seen before."""
    s[LOOP_BEGAN], s[LOOP_TURNS] = s[NR_STEPS], 0
    for k in range(2 * LOOP_CAPACITY):
        s[LOOP_STATES + k] = 0


@kernel
def comes_back(s, able):
    """Whether the current state has come back TURNS_MIN times."""
    found = visible_state(s, able)
    at = LOOP_STATES + 2 * (found % LOOP_CAPACITY)
    if s[at] != found:  # the state that had this slot is forgotten
        s[at], s[at + 1] = found, 0
        return False
    s[at + 1] += 1
    s[LOOP_TURNS] = s[at + 1]
    return s[at + 1] >= TURNS_MIN


@kernel
def drawn(s, able):
    """One member of a set, by the number of the step, so that a replay draws the same."""
    for _ in range((mixed(s[NR_STEPS]) >> 17) * popcount(able) >> 31):
        able &= able - 1
    return 1 << ctz(able)


@kernel
def watched(s, able):
    """The set to choose from in a long schedule; 0 if it is a livelock."""
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
