"""Page tables, and the reverse map from a folio to the PTEs that map it.

Models      mm/rmap.c: rmap_walk(), try_to_migrate(); mm/migrate.c: remove_migration_ptes(); mm/memory.c: zap_pte_range(); P7, P15
Differs     one level of tables, `table_pages` PTEs under one lock. Anonymous memory: the FAMILY_TASKS tasks of a family map a
            folio at the same virtual pages (folio_index). File memory: task t maps file t % nr_files from virtual page
            anon_pages on. Forks go from lower to higher tasks and the walk ascends, which is what the order of anon_vma's
            interval tree is for: the walk reaches the copy that a fork makes of a migration entry after the entry.
Invariants  I14; a present PTE holds one reference and one mapcount of its folio, a migration entry none
Protocol    unmap: under the PTL exchange the PTE for a migration entry (the processor may set bits until then), drop mapcount and
            reference; flush before any copy. remap: under the PTL take a reference, then set the PTE (release)
"""

from kernels.alloc.release import folio_put
from kernels.base.atomics import exchange_relaxed, fetch_add_relaxed, load_relaxed, store_relaxed, store_release
from kernels.base.bug import bug, chaos_point
from kernels.base.jit import kernel
from kernels.base.layout import (
    BUG_REFCOUNT_UNDERFLOW,
    EV_REMOVE_MIGRATION_PTE,
    EV_SET_MIGRATION_PTE,
    FAMILY_TASKS,
    INCARNATION_SHIFT,
    LC_PTL,
    MAPPING_ANON,
    PTE_ACCESSED,
    PTE_DIRTY,
    PTE_EXCLUSIVE,
    PTE_MIG_DIRTY,
    PTE_MIG_WRITE,
    PTE_MIGRATION,
    PTE_PFN_SHIFT,
    PTE_PRESENT,
    PTE_WRITE,
    WINDOW_FRAMES,
)
from kernels.base.lock import spin_lock, spin_unlock
from kernels.base.vmstat import trace
from kernels.map.tlb import defer_flush, flush_space
from kernels.page.memdesc import word_desc
from kernels.page.refcount import ref_get


@kernel
def ptl_of(mem, space, vpage):
    """The lock of the table that holds a virtual page's PTE.

    Models      pte_lockptr()
    Progress    wait-free
    """
    return mem.lock_ptl + (space * mem.task_pages + vpage) // mem.table_pages


@kernel
def rmap_first(mem, mapping):
    """The first task that may map a folio of this mapping; none if it was truncated and is still being unmapped.

    Models      the NULL mapping of rmap_walk_file(), mm/rmap.c
    Progress    wait-free
    """
    if mapping == 0:
        return mem.nr_tasks
    number = (mapping >> 1) - 1
    return number * FAMILY_TASKS if mapping & MAPPING_ANON else number


@kernel
def rmap_step(mem, mapping):
    """The distance from one task that may map it to the next.

    Progress    wait-free
    """
    return 1 if mapping & MAPPING_ANON else mem.nr_files


@kernel
def rmap_end(mem, mapping):
    """One past the last task that may map it.

    Progress    wait-free
    """
    return ((mapping >> 1) - 1) * FAMILY_TASKS + FAMILY_TASKS if mapping & MAPPING_ANON else mem.nr_tasks


@kernel
def rmap_vpage(mem, mapping, index):
    """The virtual page at which page `index` of a mapping appears.

    Progress    wait-free
    """
    return index if mapping & MAPPING_ANON else mem.anon_pages + index


@kernel
def remove_rmap(mem, cpu, desc):
    """Drop one mapping's mapcount and reference.

    Models      folio_remove_rmap_pte()
    Progress    wait-free unless the put frees
    """
    if fetch_add_relaxed(mem.mapcount, desc, -1) <= 0:
        bug(mem, cpu, BUG_REFCOUNT_UNDERFLOW, mem.folio_pfn[desc], 0, 1)
    folio_put(mem, cpu, desc)


@kernel
def unmap_one(mem, cpu, desc, space, vpage):
    """Turn one present PTE of a folio into a migration entry.

    Models      try_to_migrate_one(), mm/rmap.c
    Returns     1 if there was one
    Progress    blocking on the PTL
    """
    at = space * mem.task_pages + vpage
    first, size = mem.folio_pfn[desc], 1 << mem.folio_order[desc]
    seen = load_relaxed(mem.pte, at)
    if seen & PTE_PRESENT == 0 or seen >> PTE_PFN_SHIFT < first or seen >> PTE_PFN_SHIFT >= first + size:
        return 0
    lock = ptl_of(mem, space, vpage)
    spin_lock(mem, cpu, lock, LC_PTL)
    word = load_relaxed(mem.pte, at)
    pfn = word >> PTE_PFN_SHIFT
    unmapped = 0
    if word & PTE_PRESENT != 0 and first <= pfn and pfn < first + size:
        entry = pfn << PTE_PFN_SHIFT | PTE_MIGRATION | word & PTE_EXCLUSIVE | (PTE_MIG_WRITE if word & PTE_WRITE else 0)
        # an exchange, since the walker may still set accessed and dirty; relaxed, as arm64's ptep_get_and_clear(): the flush orders
        old = exchange_relaxed(mem.pte, at, entry)
        if old & PTE_DIRTY:
            store_relaxed(mem.pte, at, entry | PTE_MIG_DIRTY)
        remove_rmap(mem, cpu, desc)
        trace(mem, cpu, EV_SET_MIGRATION_PTE, pfn, space)
        unmapped = 1
    spin_unlock(mem, cpu, lock)
    chaos_point(mem, cpu)
    return unmapped


@kernel
def try_to_migrate(mem, cpu, desc, pending):
    """Turn every PTE of a locked folio into a migration entry; its spaces are added to the deferred flush.

    Models      try_to_migrate(TTU_BATCH_FLUSH), mm/rmap.c
    Parameters  pending: spaces on this CPU's deferred flush
    Returns     spaces on it now; the caller flushes before it copies
    Progress    blocking on PTLs
    """
    mapping = load_relaxed(mem.mapping, desc)
    vpage = rmap_vpage(mem, mapping, mem.folio_index[desc])
    nr_pages = min(1 << mem.folio_order[desc], mem.task_pages - vpage)
    for space in range(rmap_first(mem, mapping), rmap_end(mem, mapping), rmap_step(mem, mapping)):
        for k in range(nr_pages):
            if unmap_one(mem, cpu, desc, space, vpage + k):
                pending = defer_flush(mem, cpu, space, pending)
    return pending


@kernel
def remap_one(mem, cpu, space, vpage, src_pfn, nr_pages, dst_pfn):
    """Turn one migration entry of [src_pfn, src_pfn + nr_pages) back into a present PTE, of the frame that replaces it.

    Models      remove_migration_pte(), mm/migrate.c
    Progress    blocking on the PTL
    """
    at = space * mem.task_pages + vpage
    if load_relaxed(mem.pte, at) & PTE_MIGRATION == 0:
        return
    lock = ptl_of(mem, space, vpage)
    spin_lock(mem, cpu, lock, LC_PTL)
    word = load_relaxed(mem.pte, at)
    pfn = word >> PTE_PFN_SHIFT
    if word & PTE_MIGRATION != 0 and src_pfn <= pfn and pfn < src_pfn + nr_pages:
        pfn += dst_pfn - src_pfn
        desc = word_desc(load_relaxed(mem.memdesc, pfn))
        ref_get(mem, desc, 1)
        fetch_add_relaxed(mem.mapcount, desc, 1)
        bits = (
            PTE_PRESENT
            | PTE_ACCESSED
            | word & PTE_EXCLUSIVE
            | (PTE_WRITE if word & PTE_MIG_WRITE else 0)
            | (PTE_DIRTY if word & PTE_MIG_DIRTY else 0)
        )
        # ORDER: release, pairs with the walker's acquire: the copied contents come with the PTE
        store_release(mem.pte, at, pfn << PTE_PFN_SHIFT | bits)
        trace(mem, cpu, EV_REMOVE_MIGRATION_PTE, pfn, space)
    spin_unlock(mem, cpu, lock)


@kernel
def remove_migration_ptes(mem, cpu, mapping, index, src_pfn, nr_pages, dst_pfn):
    """Turn every migration entry of a range of frames back into a PTE.

    Models      remove_migration_ptes(), mm/migrate.c
    Parameters  mapping, index: of the folio; dst_pfn: where its first frame is now (src_pfn if it did not move)
    Progress    blocking on PTLs
    """
    vpage = rmap_vpage(mem, mapping, index)
    nr_here = min(nr_pages, mem.task_pages - vpage)
    for space in range(rmap_first(mem, mapping), rmap_end(mem, mapping), rmap_step(mem, mapping)):
        for k in range(nr_here):
            remap_one(mem, cpu, space, vpage + k, src_pfn, nr_pages, dst_pfn)


@kernel
def map_page(mem, cpu, space, vpage, desc, pfn, bits):
    """Install a PTE for a folio that the caller holds a reference for; the reference becomes the mapping's. PTL held.

    Models      set_pte_range(), mm/memory.c
    Progress    wait-free
    """
    fetch_add_relaxed(mem.mapcount, desc, 1)
    # ORDER: release, pairs with the walker's acquire: the contents come with the PTE
    store_release(mem.pte, space * mem.task_pages + vpage, pfn << PTE_PFN_SHIFT | PTE_PRESENT | bits)


@kernel
def forget_page(mem, space, vpage):
    """Begin a new incarnation of an unmapped page: writes through pins that outlive it no longer count. PTL held.

    Progress    wait-free
    """
    at = space * mem.task_pages + vpage
    word = load_relaxed(mem.oracle, at)
    # a later fault on the page holds the PTL, and map_page() releases
    store_relaxed(mem.oracle, at, (word >> INCARNATION_SHIFT) + 1 << INCARNATION_SHIFT)


@kernel
def zap_table(mem, cpu, space, vpage, nr_pages):
    """Unmap a range within one table: clear PTEs and flush under the PTL, and only then put the references.

    Models      zap_pte_range() with mmu_gather, mm/memory.c, mm/mmu_gather.c
    Differs     the flush is under the PTL: a fault must not map a new page before it, or a reader with the old translation would
                miss what is written to the new page; Linux leaves that to the user of madvise()
    Returns     pages that were mapped
    Progress    blocking on the PTL and on other CPUs' sections
    """
    base = cpu * WINDOW_FRAMES
    gathered, cleared = 0, 0
    lock = ptl_of(mem, space, vpage)
    spin_lock(mem, cpu, lock, LC_PTL)
    for k in range(nr_pages):
        at = space * mem.task_pages + vpage + k
        if load_relaxed(mem.pte, at) != 0:
            old = exchange_relaxed(mem.pte, at, 0)  # as in unmap_one
            cleared += 1
            if old & PTE_PRESENT:
                mem.folio_list[base + gathered] = word_desc(load_relaxed(mem.memdesc, old >> PTE_PFN_SHIFT))
                gathered += 1
    if cleared:
        flush_space(mem, cpu, space)
        # After the flush: until then other CPUs may write through the old translation, and count it in the old incarnation.
        for k in range(min(nr_pages, mem.anon_pages - vpage)):
            forget_page(mem, space, vpage + k)
    spin_unlock(mem, cpu, lock)
    for k in range(gathered):
        remove_rmap(mem, cpu, mem.folio_list[base + k])
    return gathered


@kernel
def zap_range(mem, cpu, space, vpage, nr_pages):
    """Unmap a range of a task.

    Models      unmap_page_range(), mm/memory.c
    Parameters  nr_pages: at most WINDOW_FRAMES
    Returns     pages that were mapped
    Progress    as zap_table
    """
    end = min(vpage + nr_pages, mem.task_pages)
    zapped = 0
    while vpage < end:
        here = min(end, (vpage // mem.table_pages + 1) * mem.table_pages) - vpage
        for k in range(here):
            if load_relaxed(mem.pte, space * mem.task_pages + vpage + k) != 0:
                zapped += zap_table(mem, cpu, space, vpage + k, here - k)
                break
        vpage += here
    return zapped
