"""Programs of SCTBench, written from what they do: thread 0 is main, which creates the others, joins them, and has nothing else to do.

One function each, (mem, cpu, nr_threads) -> nothing, for whichever thread `cpu` is. All of them are one model, so that it is compiled
once; which one runs is data on the tape of CPU 0.
"""

from kernels.base.jit import kernel
from stress.explore.engine import Engine
from stress.explore.model import Model, small_geometry
from tests.stress.explore.sctbench.threads import (
    CREATED,
    ENDED,
    NR_THREADS_MAX,
    NR_VARIABLES,
    STRIDE,
    await_word,
    create,
    fail,
    get,
    join,
    lock,
    no_mutex_is_held,
    own,
    put,
    unlock,
)

(ACCOUNT, BLUETOOTH, CARTER, CIRCULAR, DEADLOCK, LAZY, QUEUE, REORDER, STACK, TOKEN_RING, TWOSTAGE, WRONGLOCK, STRINGBUFFER) = range(13)
#: name as the published table has it: (program, threads with main)
PORTS = {
    "CB/stringbuffer-jdk1.4": (STRINGBUFFER, 3),
    "CS/account": (ACCOUNT, 4),
    "CS/bluetooth_driver": (BLUETOOTH, 3),
    "CS/carter01": (CARTER, 5),
    "CS/circular_buffer": (CIRCULAR, 3),
    "CS/deadlock01": (DEADLOCK, 3),
    "CS/lazy01": (LAZY, 4),
    "CS/queue": (QUEUE, 3),
    "CS/reorder_3": (REORDER, 4),
    "CS/reorder_4": (REORDER, 5),
    "CS/reorder_5": (REORDER, 6),
    "CS/reorder_10": (REORDER, 11),
    "CS/reorder_20": (REORDER, 21),
    "CS/stack": (STACK, 3),
    "CS/token_ring": (TOKEN_RING, 5),
    "CS/twostage": (TWOSTAGE, 3),
    "CS/twostage_20": (TWOSTAGE, 21),
    "CS/wronglock": (WRONGLOCK, 9),
    "CS/wronglock_3": (WRONGLOCK, 5),
}
V0, V1, V2, V3, V4, V5 = range(6)
ARRAY = 16  # variables of an array


@kernel
def add(mem, variable, value):
    """variable += value: a load and a store."""
    put(mem, variable, get(mem, variable) + value)


@kernel
def create_in_order(mem, cpu, nr_threads):
    """main without a loop."""
    for thread in range(1, nr_threads):
        create(mem, cpu, thread)
    for thread in range(1, nr_threads):
        join(mem, cpu, thread)


@kernel
def create_in_loops(mem, cpu, nr_threads):
    """main with loops: the index and the bound compared, the index and the array's address, err, the index counted up."""
    for thread in range(1, nr_threads):
        own(mem, cpu, 4)
        create(mem, cpu, thread)
        own(mem, cpu, 4)
    for thread in range(1, nr_threads):
        own(mem, cpu, 3)
        join(mem, cpu, thread)
        own(mem, cpu, 3)


@kernel
def account(mem, cpu, nr_threads):
    """A check that is sure of the wrong sum, when deposit and withdrawal have both been made."""
    balance, deposited, withdrawn = V0, V1, V2
    own(mem, cpu, 1)
    lock(mem, cpu, 0)
    if cpu == 1:
        if get(mem, deposited) and get(mem, withdrawn):
            seen = get(mem, balance)
            if seen != -5:
                fail(mem, cpu, seen, -5)
    elif cpu == 2:
        add(mem, balance, 2)
        put(mem, deposited, 1)
    else:
        add(mem, balance, -4)
        put(mem, withdrawn, 1)
    unlock(mem, cpu, 0)


@kernel
def io_decrement(mem, cpu):
    pending, event = V0, V2
    own(mem, cpu, 1)
    lock(mem, cpu, 0)
    own(mem, cpu, 2)
    add(mem, pending, -1)
    own(mem, cpu, 1)
    left = get(mem, pending)
    own(mem, cpu, 1)
    unlock(mem, cpu, 0)
    own(mem, cpu, 1)
    if left == 0:
        own(mem, cpu, 1)
        put(mem, event, 1)


@kernel
def bluetooth_driver(mem, cpu, nr_threads):
    """The driver stops between an operation's look at the flag and its count."""
    pending, stopping, event, stopped = V0, V1, V2, V3
    own(mem, cpu, 2)
    if cpu == 1:
        put(mem, stopping, 1)
        own(mem, cpu, 1)
        io_decrement(mem, cpu)
        own(mem, cpu, 1)
        if get(mem, event):
            put(mem, stopped, 1)
        return
    own(mem, cpu, 2)
    running = get(mem, stopping) == 0
    if running:
        lock(mem, cpu, 0)
        own(mem, cpu, 2)
        add(mem, pending, 1)
        unlock(mem, cpu, 0)
    own(mem, cpu, 3)
    if running:
        seen = get(mem, stopped)
        if seen:
            fail(mem, cpu, seen, 0)
    own(mem, cpu, 1)
    io_decrement(mem, cpu)


@kernel
def carter01(mem, cpu, nr_threads):
    """Two classes of operations, the first of each takes a second mutex while it holds the first: a deadlock."""
    own(mem, cpu, 1)
    if cpu > 2:
        return
    for k in range(2):
        lock(mem, cpu, 0)
        add(mem, cpu, 1 - 2 * k)
        if get(mem, cpu) == 1 - k:
            if k == 0:
                lock(mem, cpu, 1)
            else:
                unlock(mem, cpu, 1)
        unlock(mem, cpu, 0)


@kernel
def circular_buffer(mem, cpu, nr_threads):
    """The receiver counts its turns, not what it received."""
    first, following, send, receive = V0, V1, V2, V3
    own(mem, cpu, 2)
    for k in range(7):
        own(mem, cpu, 1)
        lock(mem, cpu, 0)
        if cpu == 1 and get(mem, send):
            own(mem, cpu, 2)
            at = get(mem, following)
            own(mem, cpu, 1)
            put(mem, ARRAY + at, k)
            put(mem, following, (at + 1) % 10)
            put(mem, send, 0)
            put(mem, receive, 1)
        elif cpu == 2 and get(mem, receive):
            get(mem, following)
            at = get(mem, first)
            put(mem, first, at + 1)
            seen = get(mem, ARRAY + at)
            own(mem, cpu, 2)
            if seen != k:
                fail(mem, cpu, seen, k)
            put(mem, receive, 0)
            put(mem, send, 1)
        unlock(mem, cpu, 0)
        own(mem, cpu, 2)


@kernel
def deadlock01(mem, cpu, nr_threads):
    """Two mutexes, taken in both orders."""
    own(mem, cpu, 1)
    lock(mem, cpu, cpu - 1)
    lock(mem, cpu, 2 - cpu)
    add(mem, V0, 3 - 2 * cpu)
    unlock(mem, cpu, 2 - cpu)
    unlock(mem, cpu, cpu - 1)


@kernel
def lazy01(mem, cpu, nr_threads):
    """A thread that looks after both have added sees 3."""
    own(mem, cpu, 1)
    lock(mem, cpu, 0)
    if cpu == 1:
        seen = get(mem, V0)
        if seen >= 3:
            fail(mem, cpu, seen, 2)
    else:
        add(mem, V0, 4 - cpu)
    unlock(mem, cpu, 0)


@kernel
def queue(mem, cpu, nr_threads):
    """The consumer compares with what was stored in its own turn, of which it may have lost some."""
    head, tail, amount, may_enqueue, may_dequeue = V0, V1, V2, V3, V4
    elements, stored = ARRAY, ARRAY + 24
    own(mem, cpu, 2)
    if cpu == 1:
        lock(mem, cpu, 0)
        put(mem, elements, 0)
        add(mem, amount, 1)
        add(mem, tail, 1)
        put(mem, stored, 0)
        get(mem, head)
        get(mem, tail)
        unlock(mem, cpu, 0)
        value = 0
        for k in range(19):
            own(mem, cpu, 1)
            lock(mem, cpu, 0)
            if get(mem, may_enqueue):
                value += 1
                own(mem, cpu, 4)
                at = get(mem, tail)
                put(mem, elements + at, value)
                add(mem, amount, 1)
                put(mem, tail, at + 1)
                put(mem, stored + k + 1, value)
                put(mem, may_enqueue, 0)
                put(mem, may_dequeue, 1)
            unlock(mem, cpu, 0)
            own(mem, cpu, 2)
        return
    for k in range(20):
        own(mem, cpu, 1)
        lock(mem, cpu, 0)
        if get(mem, may_dequeue):
            own(mem, cpu, 2)
            at = get(mem, head)
            seen = get(mem, elements + at)
            add(mem, amount, -1)
            put(mem, head, at + 1)
            own(mem, cpu, 2)
            wanted = get(mem, stored + k)
            if seen != wanted:
                fail(mem, cpu, seen, wanted)
            put(mem, may_dequeue, 0)
            put(mem, may_enqueue, 1)
        unlock(mem, cpu, 0)
        own(mem, cpu, 2)


@kernel
def reorder(mem, cpu, nr_threads):
    """The last thread looks between the two stores of the others, none of which has made its second one."""
    own(mem, cpu, 1)
    if cpu < nr_threads - 1:
        put(mem, V0, 1)
        put(mem, V1, -1)
        return
    a = get(mem, V0)
    if a == 0:
        b = get(mem, V1)
        if b == 0:
            return
        a = get(mem, V0)
    if a != 1 or get(mem, V1) != -1:
        fail(mem, cpu, a, 1)


@kernel
def stack(mem, cpu, nr_threads):
    """The consumer looks at a flag that once was true, not at whether the stack is empty."""
    top, flag = V0, V1
    own(mem, cpu, 2)
    for k in range(10):
        own(mem, cpu, 1)
        lock(mem, cpu, 0)
        if cpu == 1:
            own(mem, cpu, 2)
            get(mem, top)
            own(mem, cpu, 2)
            at = get(mem, top)
            put(mem, ARRAY + at, k)
            add(mem, top, 1)
            own(mem, cpu, 2)
            put(mem, flag, 1)
        elif get(mem, flag):
            own(mem, cpu, 1)
            if get(mem, top) == 0:
                fail(mem, cpu, 0, 1)
            add(mem, top, -1)
            own(mem, cpu, 1)
            get(mem, ARRAY + get(mem, top))
            own(mem, cpu, 2)
        unlock(mem, cpu, 0)
        own(mem, cpu, 2)


@kernel
def token_ring(mem, cpu, nr_threads):
    """Three values that follow each other are equal in some orders only."""
    own(mem, cpu, 1)
    lock(mem, cpu, 0)
    if cpu == 1:
        put(mem, V0, (get(mem, V2) + 1) % 4)
    elif cpu < 4:
        put(mem, cpu - 1, get(mem, cpu - 2))
    if cpu < 4:
        put(mem, V3 + cpu - 1, 1)
    elif get(mem, V3) and get(mem, V4) and get(mem, V5):
        seen, wanted = get(mem, V0), get(mem, V1)
        if seen != wanted or get(mem, V1) != get(mem, V2):
            fail(mem, cpu, seen, wanted)
    unlock(mem, cpu, 0)


@kernel
def twostage(mem, cpu, nr_threads):
    """Half of the threads change two words under two mutexes; the other half look between them."""
    own(mem, cpu, 1)
    if cpu <= (nr_threads - 1) // 2:
        own(mem, cpu, 1)
        lock(mem, cpu, 0)
        put(mem, V0, 1)
        own(mem, cpu, 1)
        unlock(mem, cpu, 0)
        own(mem, cpu, 1)
        lock(mem, cpu, 1)
        put(mem, V1, get(mem, V0) + 1)
        own(mem, cpu, 1)
        unlock(mem, cpu, 1)
        return
    own(mem, cpu, 3)
    lock(mem, cpu, 0)
    if get(mem, V0) == 0:
        own(mem, cpu, 1)
        unlock(mem, cpu, 0)
        return
    first = get(mem, V0)
    own(mem, cpu, 2)
    unlock(mem, cpu, 0)
    own(mem, cpu, 1)
    lock(mem, cpu, 1)
    second = get(mem, V1)
    own(mem, cpu, 2)
    unlock(mem, cpu, 1)
    own(mem, cpu, 2)
    if second != first + 1:
        fail(mem, cpu, second, first + 1)


@kernel
def wronglock(mem, cpu, nr_threads):
    """One thread holds one mutex, all others another, and they add to the same word."""
    own(mem, cpu, 2)
    if cpu > 1:
        lock(mem, cpu, 1)
        add(mem, V0, 1)
        own(mem, cpu, 1)
        unlock(mem, cpu, 1)
        return
    lock(mem, cpu, 0)
    before = get(mem, V0)
    own(mem, cpu, 1)
    add(mem, V0, 1)
    seen = get(mem, V0)
    own(mem, cpu, 1)
    if seen != before + 1:
        fail(mem, cpu, seen, before + 1)
    own(mem, cpu, 1)
    unlock(mem, cpu, 0)


@kernel
def stringbuffer(mem, cpu, nr_threads):
    """One buffer asks another one for its length, and then for so many characters, which have been erased in between."""
    count = V0
    own(mem, cpu, 1)
    if cpu == 1:
        own(mem, cpu, 4)
        lock(mem, cpu, 0)
        own(mem, cpu, 6)
        if get(mem, count) >= 3:
            put(mem, count, get(mem, count) - 3)
        unlock(mem, cpu, 0)
        own(mem, cpu, 4)
        lock(mem, cpu, 0)
        own(mem, cpu, 8)
        put(mem, count, get(mem, count) + 3)
        unlock(mem, cpu, 0)
        return
    own(mem, cpu, 16)  # a new buffer
    lock(mem, cpu, 1)
    own(mem, cpu, 6)
    lock(mem, cpu, 0)
    own(mem, cpu, 1)
    length = get(mem, count)
    unlock(mem, cpu, 0)
    own(mem, cpu, 10)  # room for it
    lock(mem, cpu, 0)
    own(mem, cpu, 6)
    seen = get(mem, count)
    if length > seen:
        fail(mem, cpu, seen, length)
    unlock(mem, cpu, 0)
    unlock(mem, cpu, 1)


@kernel
def some_thread(mem, cpu, program, nr_threads):  # noqa: C901  # a row for each program
    """A thread that is not main."""
    if program == ACCOUNT:
        account(mem, cpu, nr_threads)
    elif program == BLUETOOTH:
        bluetooth_driver(mem, cpu, nr_threads)
    elif program == CARTER:
        carter01(mem, cpu, nr_threads)
    elif program == CIRCULAR:
        circular_buffer(mem, cpu, nr_threads)
    elif program == DEADLOCK:
        deadlock01(mem, cpu, nr_threads)
    elif program == LAZY:
        lazy01(mem, cpu, nr_threads)
    elif program == QUEUE:
        queue(mem, cpu, nr_threads)
    elif program == REORDER:
        reorder(mem, cpu, nr_threads)
    elif program == STACK:
        stack(mem, cpu, nr_threads)
    elif program == TOKEN_RING:
        token_ring(mem, cpu, nr_threads)
    elif program == TWOSTAGE:
        twostage(mem, cpu, nr_threads)
    elif program == WRONGLOCK:
        wronglock(mem, cpu, nr_threads)
    elif program == STRINGBUFFER:
        stringbuffer(mem, cpu, nr_threads)


@kernel
def initial_values(mem, program):
    """What a program's variables begin with, where that is not 0; main writes it while no other thread exists."""
    if program in (ACCOUNT, BLUETOOTH):
        put(mem, V0, 1)
    elif program == CIRCULAR:
        put(mem, V2, 1)
    elif program == QUEUE:
        put(mem, V3, 1)
    elif program == TOKEN_RING:
        put(mem, V0, 1)
        put(mem, V1, 2)
        put(mem, V2, 1)
    elif program == STRINGBUFFER:
        put(mem, V0, 3)


@kernel
def steps(mem, cpu):
    """A thread from its creation to its end."""
    program, nr_threads = mem.ring_event[0], mem.ring_event[1]
    if cpu > 0:
        await_word(CREATED + cpu, 1)
        some_thread(mem, cpu, program, nr_threads)
        put(mem, ENDED + cpu, 1)
    else:
        no_mutex_is_held(mem)
        initial_values(mem, program)
        if program in (REORDER, TWOSTAGE, WRONGLOCK):
            create_in_loops(mem, cpu, nr_threads)
        else:
            create_in_order(mem, cpu, nr_threads)
    return 0


@kernel
def nothing(mem, cpu):
    """Nothing before, and nothing to look at afterwards: the programs assert for themselves."""
    return 0


MODEL = Model(
    "sctbench",
    "programs of SCTBench with their main",
    "explore.md 3.2",
    small_geometry(NR_THREADS_MAX, frames_per_node=128, words_per_frame=32),
    nothing,
    steps,
    nothing,
    at_rest=False,
)
if NR_VARIABLES * STRIDE > 128 * 32:
    raise AssertionError("the variables do not fit into the machine")


class Ports:
    """An engine on which one port after the other runs."""

    def __init__(self):
        self.engine = Engine(MODEL, races=False, privacy=False)

    def first_failure(self, name, strategy, seed, nr_schedules):
        """The number of schedules to the first failure, counting it; None if there was none."""
        self._choose(name)
        self.engine.begin(strategy, seed)
        done = self.engine.explore(0, nr_schedules)
        return done if self.engine.found() else None

    def _choose(self, name):
        program, nr_threads = PORTS[name]
        words = self.engine.mem.arrays["ring_event"]
        if (words[0], words[1]) != (program, nr_threads):
            words[0], words[1] = program, nr_threads
            self.engine.set_tasks(nr_threads)
