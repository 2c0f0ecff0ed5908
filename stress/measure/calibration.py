"""Fixed work of known character, to divide a figure by: what a busy neighbour slows down as much as the figure, and no commit changes.

All of it works on the contents of a machine of its own. The first PRIVATE_WORDS belong to the CPUs, a page each, and one line is shared;
the walk has the rest. Nothing here calls a kernel of an allocator or of a protocol: only accesses.

`line`      latency: one locked instruction after the other on a hot line
`list`      throughput: a list with a trylock, counters and checks, in the manner of a per-CPU list; what allocate + free consists of
`plain`     throughput: independent arithmetic, without memory; it runs in every flavour
`walk`      memory: locked instructions at random over 64 MiB
`shared`    contention: compare-exchange loops of all workers on one line
"""

from kernels.base.atomics import cas_acquire, cas_relaxed, fetch_add_relaxed, load_relaxed, store_release
from kernels.base.jit import entry

PAGE_WORDS = 512
MAX_CPUS = 1023
SHARED_WORD = MAX_CPUS * PAGE_WORDS  # the page after those of the CPUs
PRIVATE_WORDS = (MAX_CPUS + 1) * PAGE_WORDS
WALK_LINES = 1 << 20  # 64 MiB in lines of eight words
TOTAL_WORDS = PRIVATE_WORDS + 8 * WALK_LINES
_STACK, _HELD, _MARKS = 64, 32, 128  # words of a CPU's page: where its list begins, how many are on it, a mark for each
_ROUNDS = 3  # of arithmetic, for each item
_LINE, _STATE = 32, 40  # of the line, and of the walk's random numbers


@entry
def line(mem, cpu, nr_ops):
    """Add to one hot word of this CPU, `nr_ops` times.

    Returns     nr_ops
    Progress    wait-free
    """
    for _ in range(nr_ops):
        fetch_add_relaxed(mem.contents, cpu * PAGE_WORDS + _LINE, 1)
    return nr_ops


@entry
def list_pair(mem, cpu, nr_ops):
    """Take an item from a locked list and put it back, with counters and checks between, and arithmetic beside it.

    The arithmetic does not wait for the locks: it fills a processor's ports as address computations, checks and bookkeeping do. Without
    it the loop waits for its locked instructions only, and a busy neighbour slows it down less than what it is a twin of.

    Returns     nr_ops, or less if the lock was not free or an item was marked
    Progress    wait-free
    """
    base = cpu * PAGE_WORDS
    one, two, three, four = cpu + 1, cpu + 2, cpu + 3, cpu + 4
    for op in range(nr_ops):
        for _ in range(_ROUNDS):
            one ^= one << 13
            two ^= two << 13
            three ^= three << 13
            four ^= four << 13
            one ^= one >> 7
            two ^= two >> 7
            three ^= three >> 7
            four ^= four >> 7
        # ORDER: acquire, as a lock's
        if cas_acquire(mem.contents, base, 0, cpu + 1) != 0:
            return op
        mem.contents[base + 8] += 1
        held = mem.contents[base + 9]
        if held == 0:
            for k in range(_HELD):
                mem.contents[base + _STACK + k] = k
            held = _HELD
        item = mem.contents[base + _STACK + held - 1]
        mem.contents[base + 9] = held - 1
        mem.contents[base + 10] -= 1
        if load_relaxed(mem.contents, base) != cpu + 1:
            return op
        store_release(mem.contents, base, 0)  # ORDER: release, as a lock's
        if load_relaxed(mem.contents, base + _MARKS + item) != 0:
            return op
        mem.contents[base + 16] += 1
        if load_relaxed(mem.contents, base + _MARKS + item) != 0:
            return op
        mem.contents[base + 17] += 1
        # ORDER: acquire, as a lock's
        if cas_acquire(mem.contents, base, 0, cpu + 1) != 0:
            return op
        mem.contents[base + 8] += 1
        held = mem.contents[base + 9]
        mem.contents[base + _STACK + held] = item
        mem.contents[base + 9] = held + 1
        mem.contents[base + 10] += 1
        if load_relaxed(mem.contents, base) != cpu + 1:
            return op
        store_release(mem.contents, base, 0)  # ORDER: release, as a lock's
    return nr_ops if one != 0 and two != 0 and three != 0 and four != 0 else 0


@entry
def plain(mem, cpu, nr_ops):
    """Four independent chains of shifts, in registers only.

    Returns     nr_ops: no chain becomes zero, but the compiler does not know, and leaves none out
    Progress    wait-free
    """
    one, two, three, four = cpu + 1, cpu + 2, cpu + 3, cpu + 4
    for _ in range(nr_ops):
        one ^= one << 13
        two ^= two << 13
        three ^= three << 13
        four ^= four << 13
        one ^= one >> 7
        two ^= two >> 7
        three ^= three >> 7
        four ^= four >> 7
        one ^= one << 17
        two ^= two << 17
        three ^= three << 17
        four ^= four << 17
    return nr_ops if one != 0 and two != 0 and three != 0 and four != 0 else 0


@entry
def walk(mem, cpu, nr_ops):
    """Add to one word in each of `nr_ops` random lines of 64 MiB; a call continues where the last one ended.

    Returns     nr_ops
    Progress    wait-free
    """
    state = mem.contents[cpu * PAGE_WORDS + _STATE] | 1
    for _ in range(nr_ops):
        state = state * 6364136223846793005 + 1442695040888963407
        fetch_add_relaxed(mem.contents, PRIVATE_WORDS + ((state >> 33 & WALK_LINES - 1) << 3), 1)
    mem.contents[cpu * PAGE_WORDS + _STATE] = state
    return nr_ops


@entry
def shared(mem, cpu, nr_ops):
    """Add to the word that all CPUs share, in a compare-exchange loop, and to its neighbour without one.

    Returns     nr_ops
    Progress    lock-free
    """
    for _ in range(nr_ops):
        seen = load_relaxed(mem.contents, SHARED_WORD)
        while True:
            found = cas_relaxed(mem.contents, SHARED_WORD, seen, seen + 1)
            if found == seen:
                break
            seen = found
        fetch_add_relaxed(mem.contents, SHARED_WORD + 1, 1)
    return nr_ops
