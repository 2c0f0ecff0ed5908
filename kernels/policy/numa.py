"""NUMA balancing: accesses fault on hints, and a folio moves to a node that faults on it twice in a row.

Models      change_prot_numa(), mm/mempolicy.c; task_numa_work(), should_numa_migrate_memory(), kernel/sched/fair.c (linux-mm tree,
            0327372bcd3d); do_numa_page(), mm/memory.c (009857a22860); migrate_misplaced_folio(), mm/migrate.c (c17ee635); P13
Differs     last_cpupid is the node of the last hint fault. A first fault never migrates, where Linux lets it pass the filter;
            shared faults are not weighed by numa_group. No tiering; the rate limit, in Linux for promotion between tiers only, holds for
            every migration and is frames per RATE_WINDOW_US of the node. One PTE is restored, where Linux restores all of a large folio
Invariants  I14; G1: a folio moves only after two hint faults in a row from the same node
Protocol    hint: under the PTL, present -> prot-none; one flush for the range. fault: under the PTL check again, isolate, unlock,
            migrate ASYNC to the node; if the folio stayed, clear the hint under the PTL
"""

from kernels.alloc.buddy import nid_of
from kernels.alloc.pages import cpu_node, zone_watermark_ok
from kernels.base import counter
from kernels.base.atomics import cycles, exchange_relaxed, fetch_and_relaxed, fetch_or_relaxed, load_relaxed, store_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import (
    FL_ISOLATED,
    LC_PTL,
    MIGRATE_ASYNC,
    MR_NUMA_MISPLACED,
    PTE_PFN_SHIFT,
    PTE_PRESENT,
    PTE_PROTNONE,
    WINDOW_FRAMES,
)
from kernels.base.lock import spin_lock, spin_unlock
from kernels.base.vmstat import count
from kernels.map.rmap import ptl_of
from kernels.map.tlb import flush_space
from kernels.migrate.folios import migrate_folios
from kernels.page.folio import folio_set
from kernels.page.lru import folio_isolate_lru
from kernels.page.memdesc import word_desc
from kernels.policy.pagealloc import alloc_misplaced_dst, put_misplaced_dst

RATE_WINDOW_US = 10000


@kernel
def task_numa_work(mem, cpu, space, nr_pages):
    """Put hints on the next `nr_pages` virtual pages of a task.

    Models      task_numa_work(), kernel/sched/fair.c
    Returns     PTEs marked
    Progress    blocking on PTLs and sections
    """
    start = load_relaxed(mem.numa_scan, space)
    marked = 0
    for k in range(nr_pages):
        vpage = (start + k) % mem.anon_pages
        at = space * mem.task_pages + vpage
        if load_relaxed(mem.pte, at) & (PTE_PRESENT | PTE_PROTNONE) == PTE_PRESENT:
            lock = ptl_of(mem, space, vpage)
            spin_lock(mem, cpu, lock, LC_PTL)
            if load_relaxed(mem.pte, at) & (PTE_PRESENT | PTE_PROTNONE) == PTE_PRESENT:
                fetch_or_relaxed(mem.pte, at, PTE_PROTNONE)  # one atomic update, since the walker sets bits too; the flush orders
                marked += 1
            spin_unlock(mem, cpu, lock)
    store_relaxed(mem.numa_scan, space, (start + nr_pages) % mem.anon_pages)
    if marked:
        flush_space(mem, cpu, space)
        count(mem, cpu, counter.NUMA_PTE_UPDATES, marked)
    return marked


@kernel
def under_rate_limit(mem, nid, nr_frames):
    """Whether a node may take `nr_frames` more in this window. Racy, as Linux's.

    Models      numa_promotion_rate_limit(), kernel/sched/fair.c
    Progress    wait-free
    """
    now_us = cycles() // mem.cycles_per_us
    if now_us - load_relaxed(mem.zone_numa_window, nid) > RATE_WINDOW_US:
        store_relaxed(mem.zone_numa_window, nid, now_us)
        store_relaxed(mem.zone_numa_pages, nid, 0)
    taken = load_relaxed(mem.zone_numa_pages, nid) + nr_frames
    store_relaxed(mem.zone_numa_pages, nid, taken)
    return taken <= mem.numa_rate_limit


@kernel
def is_misplaced(mem, desc, nid):
    """The two-stage filter: two hint faults in a row from node `nid`, on a folio of another one.

    Models      should_numa_migrate_memory(), kernel/sched/fair.c (e42c8ff2999d)
    Progress    wait-free
    """
    last = exchange_relaxed(mem.cpupid, desc, nid)
    return last == nid and nid_of(mem, mem.folio_pfn[desc]) != nid


@kernel
def clear_hint(mem, cpu, space, vpage, word):
    """Make a page accessible again if its PTE is still the one that faulted.

    Models      the end of do_numa_page(), mm/memory.c
    Progress    blocking on the PTL
    """
    at = space * mem.task_pages + vpage
    lock = ptl_of(mem, space, vpage)
    spin_lock(mem, cpu, lock, LC_PTL)
    now = load_relaxed(mem.pte, at)
    if now & (PTE_PRESENT | PTE_PROTNONE) == PTE_PRESENT | PTE_PROTNONE and now >> PTE_PFN_SHIFT == word >> PTE_PFN_SHIFT:
        fetch_and_relaxed(mem.pte, at, ~PTE_PROTNONE)  # no TLB has this translation, so nothing is flushed
    else:
        count(mem, cpu, counter.MET_HINT_FAULT_RACED, 1)
    spin_unlock(mem, cpu, lock)


@kernel
def do_numa_page(mem, cpu, space, vpage):
    """A fault on a hint.

    Models      do_numa_page(), mm/memory.c; migrate_misplaced_folio_prepare(), mm/migrate.c
    Differs     takes the PTL again to clear the hint of a folio that was not isolated, where Linux has kept it
    Returns     0
    Progress    blocking on the PTL; migration is ASYNC
    """
    at = space * mem.task_pages + vpage
    nid = cpu_node(mem, cpu)
    lock = ptl_of(mem, space, vpage)
    spin_lock(mem, cpu, lock, LC_PTL)
    word = load_relaxed(mem.pte, at)
    if word & (PTE_PRESENT | PTE_PROTNONE) != PTE_PRESENT | PTE_PROTNONE:
        spin_unlock(mem, cpu, lock)
        count(mem, cpu, counter.MET_HINT_FAULT_RACED, 1)
        return 0
    desc = word_desc(load_relaxed(mem.memdesc, word >> PTE_PFN_SHIFT))
    count(mem, cpu, counter.NUMA_HINT_FAULTS, 1)
    if nid_of(mem, word >> PTE_PFN_SHIFT) == nid:
        count(mem, cpu, counter.NUMA_HINT_FAULTS_LOCAL, 1)
    isolated = False
    if is_misplaced(mem, desc, nid):
        count(mem, cpu, counter.PGPROMOTE_CANDIDATE, 1)
        order = mem.folio_order[desc]
        # A node that is nearly full is not filled further (migrate_balanced_pgdat()).
        if zone_watermark_ok(mem, nid, order, load_relaxed(mem.zone_high, nid)) and under_rate_limit(mem, nid, 1 << order):
            # The PTE's own reference keeps the folio while the PTL is held.
            isolated = folio_isolate_lru(mem, cpu, desc)
            if isolated:
                folio_set(mem, desc, FL_ISOLATED)
    spin_unlock(mem, cpu, lock)
    if isolated:
        nr_pages = 1 << mem.folio_order[desc]
        mem.folio_list[cpu * WINDOW_FRAMES] = desc
        if migrate_folios(mem, cpu, 1, alloc_misplaced_dst, put_misplaced_dst, nid, MIGRATE_ASYNC, MR_NUMA_MISPLACED) == 0:
            count(mem, cpu, counter.NUMA_PAGES_MIGRATED, nr_pages)
            return 0
    clear_hint(mem, cpu, space, vpage, word)
    return 0
