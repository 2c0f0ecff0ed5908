"""What faults, hints and forks promise of their cost, without another CPU.

CPU 1, of node 1, does everything with task 0, which has its pages on node 0. A folio moves to the node that accessed it twice in a row if
that node has room and is within its rate limit. A page with a hint is neither pinned nor made writable before the fault on its hint. Only
what has changed is flushed. Nothing is copied for a child that already has a page. A page that was not written stays clean.
"""

from kernels.base import counter
from kernels.base.atomics import fetch_and_relaxed, fetch_or_relaxed, load_relaxed, store_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import PTE_DIRTY, PTE_PFN_SHIFT, PTE_PROTNONE, PTE_WRITE
from kernels.map.access import gup_fast, task_access, unpin_folio
from kernels.map.rmap import zap_range
from kernels.map.tlb import current_pte, flush_space
from kernels.page.memdesc import word_desc
from kernels.policy.fault import do_wp_page, fork_range
from kernels.policy.numa import clear_hint, do_numa_page
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import drain_all, migrate_one, new_page
from stress.explore.models._promises import counted, expect

VPAGE, PINNED, CLEAN, ONCE = 2, 3, 4, 5
FULL = 1 << 40


@kernel
def prepare(mem, cpu):
    """Task 0 has pages on node 0; the child has one at the place of the page that will be pinned."""
    for vpage in range(VPAGE, ONCE + 1):
        new_page(mem, cpu, 0, vpage)
    new_page(mem, cpu, 1, PINNED)
    return 0


@kernel
def frame_after_hint(mem, cpu):
    """Fault on a hint.

    Returns     the page's frame afterwards
    """
    fetch_or_relaxed(mem.pte, VPAGE, PTE_PROTNONE)
    do_numa_page(mem, cpu, 0, VPAGE)
    expect(mem, cpu, current_pte(mem, 0, VPAGE) & PTE_PROTNONE, 0)
    return current_pte(mem, 0, VPAGE) >> PTE_PFN_SHIFT


@kernel
def balance(mem, cpu):
    """A page moves once, after two faults in a row from another node that is neither full nor over its rate limit."""
    here = current_pte(mem, 0, VPAGE) >> PTE_PFN_SHIFT
    store_relaxed(mem.cpupid, word_desc(load_relaxed(mem.memdesc, here)), 0)
    expect(mem, cpu, frame_after_hint(mem, cpu), here)
    high = load_relaxed(mem.zone_high, 1)
    store_relaxed(mem.zone_high, 1, FULL)
    expect(mem, cpu, frame_after_hint(mem, cpu), here)
    store_relaxed(mem.zone_high, 1, high)
    store_relaxed(mem.zone_numa_window, 1, FULL)  # no new window begins
    store_relaxed(mem.zone_numa_pages, 1, FULL)
    expect(mem, cpu, frame_after_hint(mem, cpu), here)
    store_relaxed(mem.zone_numa_window, 1, 0)
    store_relaxed(mem.zone_numa_pages, 1, 0)
    there = frame_after_hint(mem, cpu)
    expect(mem, cpu, 1 if there == here else 0, 0)
    drain_all(mem)
    expect(mem, cpu, frame_after_hint(mem, cpu), there)


@kernel
def respect_hint(mem, cpu):
    """A page with a hint is not pinned and not made writable, and only a fault on that page removes the hint."""
    fetch_and_relaxed(mem.pte, VPAGE, ~PTE_WRITE)
    fetch_or_relaxed(mem.pte, VPAGE, PTE_PROTNONE)
    word = current_pte(mem, 0, VPAGE)
    expect(mem, cpu, gup_fast(mem, cpu, 0, VPAGE, 0), -1)
    do_wp_page(mem, cpu, 0, VPAGE)
    expect(mem, cpu, current_pte(mem, 0, VPAGE), word)
    clear_hint(mem, cpu, 0, VPAGE, word ^ 1 << PTE_PFN_SHIFT)
    expect(mem, cpu, current_pte(mem, 0, VPAGE), word)
    clear_hint(mem, cpu, 0, VPAGE, word)
    expect(mem, cpu, current_pte(mem, 0, VPAGE), word ^ PTE_PROTNONE)
    raced = counted(mem, cpu, counter.MET_HINT_FAULT_RACED)
    clear_hint(mem, cpu, 0, VPAGE, word)
    expect(mem, cpu, counted(mem, cpu, counter.MET_HINT_FAULT_RACED), raced + 1)
    do_wp_page(mem, cpu, 0, VPAGE)


@kernel
def fork_twice(mem, cpu):
    """The first fork flushes what it protected, the second has nothing to flush; a child that has a page gets no copy."""
    before = load_relaxed(mem.tlb_generation, 0)
    fork_range(mem, cpu, 0, 1, VPAGE, 1)
    expect(mem, cpu, load_relaxed(mem.tlb_generation, 0), before + 1)
    fork_range(mem, cpu, 0, 2, VPAGE, 1)
    expect(mem, cpu, load_relaxed(mem.tlb_generation, 0), before + 1)
    pinned = gup_fast(mem, cpu, 0, PINNED, 1)
    copied = counted(mem, cpu, counter.MET_COW_ON_PINNED)
    fork_range(mem, cpu, 0, 1, PINNED, 1)
    expect(mem, cpu, counted(mem, cpu, counter.MET_COW_ON_PINNED), copied)
    unpin_folio(mem, cpu, pinned)


@kernel
def forget_once(mem, cpu):
    """A translation that a flush has ended is counted once, even if nothing has replaced it."""
    task_access(mem, cpu, 0, ONCE, 0)
    zap_range(mem, cpu, 0, ONCE, 1)
    before = counted(mem, cpu, counter.MET_STALE_TLB_MET_FLUSH)
    task_access(mem, cpu, 0, ONCE, 0)
    flush_space(mem, cpu, 0)
    task_access(mem, cpu, 0, ONCE, 0)
    expect(mem, cpu, counted(mem, cpu, counter.MET_STALE_TLB_MET_FLUSH), before + 1)


@kernel
def steps(mem, cpu):
    """Nothing; everything.

    Returns     0
    """
    if cpu == 1:
        balance(mem, cpu)
        respect_hint(mem, cpu)
        fork_twice(mem, cpu)
        forget_once(mem, cpu)
        expect(mem, cpu, migrate_one(mem, cpu, current_pte(mem, 0, CLEAN) >> PTE_PFN_SHIFT), 1)
        expect(mem, cpu, current_pte(mem, 0, CLEAN) & PTE_DIRTY, 0)
    return 0


@kernel
def check(mem, cpu):
    """All pages are unmapped, so that a wrong reference count is seen."""
    drain_all(mem)
    for space in range(3):
        zap_range(mem, cpu, space, VPAGE, ONCE + 1 - VPAGE)
    return 0


MODEL = Model(
    "promises-faults",
    "faults, hints and forks alone: nothing is moved, copied or flushed without need",
    "P6, P13, P14, P17; G1, promise",
    small_geometry(2, nr_nodes=2, nr_tasks=4),
    prepare,
    steps,
    check,
    params={"numa_rate_limit": FULL},
    meetings=("numa_pages_migrated", "pgmigrate_success"),
)
