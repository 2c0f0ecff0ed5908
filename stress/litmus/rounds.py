"""Litmus programs on real processors: what each of several processes does in a round of many instances. The fast flavour's kernels.

`contents` has four parts: control words on separate cache lines, the outcomes seen so far, what each thread loaded, and the variables of
every instance, each on a separate pair of lines. In a round each thread runs all instances; before each one it waits for the others, but
not for long, since every instance has separate variables and threads that miss each other do no harm. At the end of a round thread 0 counts
the outcomes, restores the initial values and starts the next round.
"""

from kernels.base.atomics import load_acquire, load_relaxed, store_relaxed, store_release
from kernels.base.bug import relax
from kernels.base.jit import entry, kernel
from kernels.base.layout import RING_EVENTS
from stress.litmus.tape import MAX_THREADS, MAX_VARIABLES, STOP, VARIABLE_STRIDE, access

LINE = VARIABLE_STRIDE
# where each part of `contents` begins
PROGRESS, ROUND, DONE = 0, MAX_THREADS * LINE, (MAX_THREADS + 1) * LINE  # of each thread; the round that is on; of each thread
NR_LOST = (2 * MAX_THREADS + 1) * LINE  # instances whose outcome has no row
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
    """The place of an instance's variables."""
    return INSTANCES + instance * nr_variables * LINE


@kernel
def meet(mem, cpu, nr_threads, mark, drawn):
    """Publish that this CPU begins an instance, wait briefly for the others, then for a random time, so that no order is favoured.

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
    """Run one thread of one instance.

    Returns     where the next instance's loads are recorded
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
    """Whether the outcome of an instance is that of a row."""
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
    """Write the outcome of an instance into a new row."""
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
    # ORDER: acquire, pairs with the release that begins or ends a round
    while load_acquire(mem.contents, word) < wanted:
        spins = relax(mem, cpu, spins)


@entry
def begin_round(mem, nr_round, nr_instances, nr_variables):
    """Thread 0: write the initial values of all instances, then let the others begin.

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
    """Every thread: wait for the round to begin, run it, publish that this thread has ended it.

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
    """Thread 0: wait until all have ended the round, then count the outcomes.

    Progress    blocking
    """
    for thread in range(nr_threads):
        wait_for(mem, 0, DONE + thread * LINE, nr_round)
    for instance in range(nr_instances):
        count_outcome(mem, instance, nr_threads, nr_variables, row_words)
