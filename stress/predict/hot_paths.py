"""Kernels: the hot paths that are predicted, and the shortest exchanges of a line between two CPUs, which the cost model is fitted to.

All take (mem, cpu, where, nr_ops) and return operations that succeeded, so that one loop can time, and one scheduler can interpret, any
of them.
"""

from kernels.alloc.release import folio_put, lru_add_drain
from kernels.base import counter
from kernels.base.atomics import cpu_relax, fetch_add_relaxed, load_acquire, store_release
from kernels.base.jit import entry, kernel
from kernels.base.layout import COUNTER_STRIDE, MIGRATE_ASYNC, MR_CONTIG_RANGE
from kernels.map.pagecache import filemap_get_entry
from kernels.map.rmap import zap_range
from kernels.migrate.range import migrate_range
from kernels.migrate.scan import fill_candidates
from kernels.migrate.targets import FROM_ALLOCATOR
from kernels.policy.fault import handle_fault
from kernels.policy.filemap import get_folio
from stress.measure.migration import hold_frame, pfn_of

FILE = 0
NEAR_FRAMES = 16  # of one range migration
APART_FRAMES = 64  # held on both sides of them
POLLS_MAX = 20_000  # a CPU waits no longer for its turn: the other one may have been stopped


@entry
def add_to_line(mem, cpu, where, nr_ops):
    """Add to one word, again and again.

    Returns     nr_ops
    Progress    wait-free
    """
    for _ in range(nr_ops):
        fetch_add_relaxed(mem.refcount, where, 1)
    return nr_ops


@entry
def pause(mem, cpu, where, nr_ops):
    """Turns of a spin loop that touch nothing.

    Returns     nr_ops
    Progress    wait-free
    """
    for _ in range(nr_ops):
        cpu_relax()
    return nr_ops


@entry
def take_turns(mem, cpu, where, nr_ops):
    """Two CPUs write one word in turn: each waits until the other has written.

    Returns     turns taken; less than nr_ops if the other CPU does not answer
    Progress    blocking on the other CPU, bounded by POLLS_MAX
    """
    for done in range(nr_ops):
        polls = 0
        # ORDER: acquire, pairs with the other CPU's store
        while (load_acquire(mem.refcount, where) & 1) != cpu:
            polls += 1
            if polls > POLLS_MAX:
                return done
        store_release(mem.refcount, where, 1 - cpu)  # ORDER: release, hands the turn over
    return nr_ops


@entry
def fault_unmap(mem, cpu, space, nr_ops):
    """Fault a page of a task in, and unmap it.

    Returns     nr_ops, or less if there was no memory
    Progress    blocking
    """
    for op in range(nr_ops):
        vpage = op % mem.anon_pages
        if handle_fault(mem, cpu, space, vpage, 1, 0) < 0:
            return op
        zap_range(mem, cpu, space, vpage, 1)
    return nr_ops


@entry
def cache_fill(mem, cpu, first, nr_pages):
    """Read pages of a file into the page cache.

    Returns     pages read
    Progress    blocking
    """
    for page in range(first, first + nr_pages):
        desc = get_folio(mem, cpu, 0, FILE, page, 0)
        if desc < 0:
            return page - first
        folio_put(mem, cpu, desc)
    lru_add_drain(mem, cpu)
    return nr_pages


@entry
def cache_hit(mem, cpu, page, nr_ops):
    """Look a cached page up, and put the reference.

    Returns     nr_ops, or less if the page was not there
    Progress    lock-free
    """
    for op in range(nr_ops):
        desc = filemap_get_entry(mem, cpu, FILE, page)
        if desc < 0:
            return op
        folio_put(mem, cpu, desc)
    return nr_ops


@kernel
def move_near(mem, cpu, space, nr_ops):
    """Migrate the frames beside that of a task's page, by (base_pfn, bitmap), again and again.

    Returns     frames migrated
    Progress    blocking
    """
    before = mem.counters[cpu * COUNTER_STRIDE + counter.PGMIGRATE_SUCCESS]
    for op in range(nr_ops):
        base_pfn = pfn_of(mem, space, op % NEAR_FRAMES) & ~(NEAR_FRAMES - 1)
        fill_candidates(mem, cpu, base_pfn, NEAR_FRAMES)
        migrate_range(mem, cpu, base_pfn, MIGRATE_ASYNC, MR_CONTIG_RANGE, FROM_ALLOCATOR)
    return mem.counters[cpu * COUNTER_STRIDE + counter.PGMIGRATE_SUCCESS] - before


@entry
def migrate_near(mem, cpu, space, nr_ops):
    """move_near(), for Python.

    Returns     frames migrated
    Progress    blocking
    """
    return move_near(mem, cpu, space, nr_ops)


@entry
def settle_near(mem, cpu, space, nr_rounds):
    """Give a task NEAR_FRAMES pages with held frames on both sides, and migrate them until the targets are frames that they had before.

    The frames that one CPU migrates are then never beside another's, which would be isolated and put back.
    Returns     frames migrated
    Progress    blocking
    """
    for _ in range(APART_FRAMES):
        hold_frame(mem, cpu)
    for vpage in range(NEAR_FRAMES):
        handle_fault(mem, cpu, space, vpage, 1, 0)
    lru_add_drain(mem, cpu)
    migrated = move_near(mem, cpu, space, nr_rounds)
    for _ in range(APART_FRAMES):
        hold_frame(mem, cpu)
    return migrated
