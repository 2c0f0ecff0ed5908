"""What the ports of SCTBench programs are made of: variables, threads that main creates and joins, mutexes that block; each with the points
of the tool whose figures they are compared with.

That tool (SURW, an LD_PRELOAD library with rewritten binaries) has a point before every access to memory that is not relative to the
stack pointer. Unoptimised code keeps locals relative to the frame pointer, so accesses to locals are points, too: `own()`. A
mutex is handed to the thread that has waited longest, and it is no memory that two accesses race for. A thread that waits for a mutex,
joins, or is not created yet cannot be chosen.
"""

from kernels.base import points
from kernels.base.atomics import load_relaxed, load_unseen, store_relaxed
from kernels.base.bug import bug
from kernels.base.jit import kernel
from kernels.base.layout import BUG_WORD_CHANGED

STRIDE = 16  # words between variables
NR_THREADS_MAX = 21
# variables of a program begin at 0; behind them, by number
OWN, CREATED, ENDED, MUTEX = 64, 96, 128, 160
NR_VARIABLES, NR_MUTEXES = 162, 2
AWAIT_OP = points.operation(points.AWAIT, 1, "contents")
CONTENTS_AT = points.field_address(0, "contents", 0)
# tickets given and ticket served, of each mutex: words that the scheduler does not see, as that tool's mutexes are no memory to it
AWAIT_TURN = points.operation(points.AWAIT, 1, "ring_result")
TURNS_AT = points.field_address(0, "ring_result", 0)
TURN_BYTES = points.field_address(0, "ring_result", 1) - TURNS_AT


@kernel
def get(mem, variable):
    return load_relaxed(mem.contents, variable * STRIDE)


@kernel
def put(mem, variable, value):
    store_relaxed(mem.contents, variable * STRIDE, value)


@kernel
def own(mem, cpu, nr_accesses):
    """Accesses to locals of an unoptimised function: points that matter to no other thread."""
    for _ in range(nr_accesses):
        load_relaxed(mem.contents, (OWN + cpu) * STRIDE)


@kernel
def await_word(variable, wanted):
    """Block until a variable has a value."""
    address = points.shared_word(points.BASE) + CONTENTS_AT + variable * STRIDE * 8
    points.request(AWAIT_OP, address, wanted, wanted)


@kernel
def create(mem, cpu, thread):
    """pthread_create(): a point before and one after."""
    put(mem, CREATED + thread, 1)
    own(mem, cpu, 1)


@kernel
def join(mem, cpu, thread):
    """pthread_join(): a point, and another one if the thread has not ended."""
    own(mem, cpu, 1)
    if load_unseen(mem.contents, (ENDED + thread) * STRIDE) == 0:
        await_word(ENDED + thread, 1)


@kernel
def no_mutex_is_held(mem):
    for k in range(2 * NR_MUTEXES):
        mem.ring_result[k] = 0
    for k in range(NR_MUTEXES):
        put(mem, MUTEX + k, 0)


@kernel
def lock(mem, cpu, mutex):
    """pthread_mutex_lock(): a point, and another one if it must wait; first come, first served.

    The point is a load of a word that stands for the mutex: SURW may draw it, as that tool's does a mutex, and POS sees no race.
    """
    get(mem, MUTEX + mutex)
    ticket = mem.ring_result[2 * mutex]
    mem.ring_result[2 * mutex] = ticket + 1
    if mem.ring_result[2 * mutex + 1] != ticket:
        points.request(AWAIT_TURN, points.shared_word(points.BASE) + TURNS_AT + (2 * mutex + 1) * TURN_BYTES, ticket, ticket)


@kernel
def unlock(mem, cpu, mutex):
    """pthread_mutex_unlock(): a point."""
    own(mem, cpu, 1)
    mem.ring_result[2 * mutex + 1] += 1


@kernel
def fail(mem, cpu, seen, wanted):
    """assert(0)"""
    bug(mem, cpu, BUG_WORD_CHANGED, -1, seen, wanted)
