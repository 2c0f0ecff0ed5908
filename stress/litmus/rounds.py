"""Litmus programs on real processors: what each of several processes does in a round of many instances. The fast flavour's kernels.

`contents` is divided into control words on lines of their own, the outcomes seen so far, what each thread loaded, and the variables of
every instance, each on a line pair of its own. In a round each thread goes through all instances; it waits a little for the others
before each one, never for long, since every instance has words of its own and nothing goes wrong if they miss each other. At the end
of a round thread 0 counts what came out, puts the initial values back and lets the others go on.
"""

from kernels.base.atomics import load_acquire, load_relaxed, store_relaxed, store_release
from kernels.base.bug import relax
from kernels.base.jit import entry, kernel
from kernels.base.layout import RING_EVENTS
from stress.litmus.tape import MAX_THREADS, MAX_VARIABLES, STOP, VARIABLE_STRIDE, access

LINE = VARIABLE_STRIDE
# where each part of `contents` begins
PROGRESS, ROUND, DONE = 0, MAX_THREADS * LINE, (MAX_THREADS + 1) * LINE  # of each thread; the round that is on; of each thread
NR_LOST = (2 * MAX_THREADS + 1) * LINE  # instances whose outcome found no room
NR_LOADS = NR_LOST + LINE  # per thread
INITIAL = NR_LOADS + LINE  # per variable
OUTCOMES, OUTCOME_WORDS = 1 << 12, 1 << 17  # rows: how often, values of variables, what the threads loaded
LOADED, LOADED_WORDS = OUTCOMES + OUTCOME_WORDS, 1 << 16  # per thread
INSTANCES, INSTANCE_WORDS = LOADED + MAX_THREADS * LOADED_WORDS, 1 << 19
CONTENTS_WORDS = INSTANCES + INSTANCE_WORDS
MAX_INSTANCES = 4096  # per round
WAIT_LOADS = 400  # how long a thread waits for the others before an instance
JITTER = 31  # random loads before an instance: a power of two less one
if INITIAL + MAX_VARIABLES > OUTCOMES:
    raise AssertionError("the control words reach into the outcomes")


@kernel
def instance_at(instance, nr_variables):
    """Where the variables of an instance stand."""
    return INSTANCES + instance * nr_variables * LINE


@kernel
def meet(mem, cpu, nr_threads, mark, drawn):
    """Say that this CPU begins an instance, wait a little for the others, and then a random while, so that no order is favoured.

    Progress    bounded
    """
    store_relaxed(mem.contents, PROGRESS + cpu * LINE, mark)
    for other in range(nr_threads):
        tries = 0
        while tries < WAIT_LOADS and load_relaxed(mem.contents, PROGRESS + other * LINE) < mark:
            tries += 1
    for _ in range(drawn & JITTER):
        load_relaxed(mem.contents, PROGRESS + cpu * LINE)


@kernel
def run_instance(mem, cpu, base, loads):
    """One thread of one instance.

    Returns     where the next instance's loads are written down
    Progress    bounded
    """
    at = cpu * RING_EVENTS
    kind = mem.ring_event[at]
    while kind != STOP:
        seen = access(mem, cpu, at, kind, base + mem.ring_pfn[at] * LINE)
        if mem.ring_cycles[at] != 0:  # it loads
            mem.contents[loads] = seen
            loads += 1
        at += 1
        kind = mem.ring_event[at]
    return loads


@kernel
def same_outcome(mem, row, instance, nr_threads, nr_variables):
    """Whether an instance ended as a row of the outcomes says."""
    at = row + 1
    base = instance_at(instance, nr_variables)
    for variable in range(nr_variables):
        if mem.contents[at] != mem.contents[base + variable * LINE]:
            return False
        at += 1
    for thread in range(nr_threads):
        count = mem.contents[NR_LOADS + thread]
        first = LOADED + thread * LOADED_WORDS + instance * count
        for k in range(count):
            if mem.contents[at] != mem.contents[first + k]:
                return False
            at += 1
    return True


@kernel
def write_outcome(mem, row, instance, nr_threads, nr_variables):
    """A new row of the outcomes."""
    at = row + 1
    base = instance_at(instance, nr_variables)
    for variable in range(nr_variables):
        mem.contents[at] = mem.contents[base + variable * LINE]
        at += 1
    for thread in range(nr_threads):
        count = mem.contents[NR_LOADS + thread]
        first = LOADED + thread * LOADED_WORDS + instance * count
        for k in range(count):
            mem.contents[at] = mem.contents[first + k]
            at += 1


@kernel
def count_outcome(mem, instance, nr_threads, nr_variables, row_words):
    """Add an instance to the row of its outcome, or to a new one."""
    for number in range(OUTCOME_WORDS // row_words):
        row = OUTCOMES + number * row_words
        if mem.contents[row] == 0:
            write_outcome(mem, row, instance, nr_threads, nr_variables)
        elif not same_outcome(mem, row, instance, nr_threads, nr_variables):
            continue
        mem.contents[row] += 1
        return
    mem.contents[NR_LOST] += 1


@kernel
def wait_for(mem, cpu, word, wanted):
    """Wait until a control word has reached a value.

    Progress    blocking
    """
    spins = 0
    # ORDER: acquire, pairs with the release of whoever ends or begins a round
    while load_acquire(mem.contents, word) < wanted:
        spins = relax(mem, cpu, spins)


@entry
def begin_round(mem, nr_round, nr_instances, nr_variables):
    """Thread 0: initial values everywhere; then the others may begin.

    Progress    bounded
    """
    for instance in range(nr_instances):
        base = instance_at(instance, nr_variables)
        for variable in range(nr_variables):
            mem.contents[base + variable * LINE] = mem.contents[INITIAL + variable]
    # ORDER: release, pairs with wait_for
    store_release(mem.contents, ROUND, nr_round)


@entry
def run_round(mem, cpu, nr_threads, nr_round, nr_instances, nr_variables, seed):
    """Every thread: one round, from its beginning to this thread's end.

    Progress    blocking
    """
    wait_for(mem, cpu, ROUND, nr_round)
    loads, random = LOADED + cpu * LOADED_WORDS, seed
    for instance in range(nr_instances):
        random = (random * 0x5DEECE66D + 11) & ((1 << 48) - 1)
        meet(mem, cpu, nr_threads, nr_round * MAX_INSTANCES + instance, random >> 24)
        loads = run_instance(mem, cpu, instance_at(instance, nr_variables), loads)
    # ORDER: release, pairs with wait_for
    store_release(mem.contents, DONE + cpu * LINE, nr_round)


@entry
def end_round(mem, nr_threads, nr_round, nr_instances, nr_variables, row_words):
    """Thread 0: when all have ended, count the outcomes.

    Progress    blocking
    """
    for thread in range(nr_threads):
        wait_for(mem, 0, DONE + thread * LINE, nr_round)
    for instance in range(nr_instances):
        count_outcome(mem, instance, nr_threads, nr_variables, row_words)
