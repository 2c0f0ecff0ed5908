"""Faults on pages that are missing, shared, hinted or in migration; and fork, which makes pages shared.

Models      handle_pte_fault(), do_anonymous_page(), do_wp_page(), do_read_fault(), mm/memory.c; migration_entry_wait(),
            mm/migrate.c; copy_present_ptes(), mm/memory.c; P6, P17
Differs     a large folio with a pinned page counts as pinned whole when it is forked, as Linux's does
Invariants  I13, I14; a writable PTE is exclusive, and no other task maps the page; a pinned page stays with its task
Protocol    allocate and fill without the PTL, then check again under it, and map. fork: write-protect, flush, and only then check
            for pins: GUP-fast takes its reference first and checks the PTE second (the Dekker pair)
"""

from kernels.alloc.pages import cpu_node
from kernels.alloc.release import folio_add_lru, folio_put, folio_put_refs
from kernels.base import counter
from kernels.base.atomics import (
    copy_words,
    fetch_and_relaxed,
    fetch_or_relaxed,
    fetch_or_release,
    load_acquire,
    load_relaxed,
    store_relaxed,
)
from kernels.base.bug import chaos_point, relax
from kernels.base.jit import kernel
from kernels.base.layout import (
    FORK_BATCH,
    INCARNATION_SHIFT,
    LC_PTL,
    PTE_ACCESSED,
    PTE_DIRTY,
    PTE_EXCLUSIVE,
    PTE_MIGRATION,
    PTE_PFN_SHIFT,
    PTE_PRESENT,
    PTE_PROTNONE,
    PTE_WRITE,
    STAMP_VERSION,
    T_ANON,
    T_KSM,
)
from kernels.base.lock import spin_lock, spin_unlock
from kernels.base.vmstat import count
from kernels.map.access import COUNT_MASK, anon_mapping, owner_stamp, stamp_frame
from kernels.map.rmap import map_page, ptl_of, remove_rmap
from kernels.map.tlb import current_pte, flush_space
from kernels.page.folio import folio_lock, folio_publish, folio_unlock
from kernels.page.memdesc import word_desc
from kernels.page.refcount import ref_get
from kernels.policy.filemap import get_folio, is_uptodate, still_cached
from kernels.policy.numa import do_numa_page
from kernels.policy.pagealloc import alloc_folio


@kernel
def migration_entry_wait(mem, cpu, space, vpage):
    """Wait until a migration ends, without a lock or a reference.

    Models      migration_entry_wait(), mm/migrate.c
    Differs     polls the PTE, where Linux waits for the folio lock, queued under the PTL
    Progress    blocking on the migration
    """
    at = space * mem.task_pages + vpage
    count(mem, cpu, counter.MET_FAULT_ON_MIGRATION_ENTRY, 1)
    count(mem, cpu, counter.MIGRATION_ENTRY_WAIT, 1)
    word, spins = load_relaxed(mem.pte, at), 0
    while word & PTE_MIGRATION and load_relaxed(mem.pte, at) == word:
        spins = relax(mem, cpu, spins)


@kernel
def range_none(mem, space, vpage, nr_pages):
    """Whether no PTE of a range is in use; PTL held, or a hint.

    Models      pte_range_none(), mm/memory.c
    Progress    wait-free
    """
    for k in range(nr_pages):
        if load_relaxed(mem.pte, space * mem.task_pages + vpage + k) != 0:
            return False
    return True


@kernel
def do_anonymous_page(mem, cpu, space, vpage, order):
    """Map a new folio of 2^order zeroed pages around a virtual page.

    Models      do_anonymous_page(), alloc_anon_folio(), mm/memory.c
    Returns     0, or -1 if there was no memory of that order; 0 too if another fault was faster
    Progress    as alloc_pages
    """
    first = vpage & ~((1 << order) - 1)
    nr_pages = 1 << order
    if order > 0 and (first + nr_pages > mem.anon_pages or not range_none(mem, space, first, nr_pages)):
        return -1
    mapping = anon_mapping(space)
    desc = alloc_folio(mem, cpu, cpu_node(mem, cpu), order, T_ANON, mapping, first)
    if desc < 0:
        return -1
    pfn = mem.folio_pfn[desc]
    for k in range(nr_pages):
        stamp_frame(mem, pfn + k, owner_stamp(mapping, first + k), 0)
    folio_publish(mem, cpu, desc, nr_pages + 1)
    lock = ptl_of(mem, space, first)
    spin_lock(mem, cpu, lock, LC_PTL)
    mine = range_none(mem, space, first, nr_pages)
    if mine:
        for k in range(nr_pages):
            map_page(mem, cpu, space, first + k, desc, pfn + k, PTE_WRITE | PTE_ACCESSED | PTE_EXCLUSIVE)
    spin_unlock(mem, cpu, lock)
    if mine:
        folio_add_lru(mem, cpu, desc)
        folio_put(mem, cpu, desc)
        if order > 0:
            count(mem, cpu, counter.THP_FAULT_ALLOC, 1)
    else:
        folio_put_refs(mem, cpu, desc, nr_pages + 1)
    return 0


@kernel
def is_exclusive(mem, desc):
    """Whether a folio of order 0 that was shared has only this PTE left; PTL held. Never true of a KSM page.

    Models      wp_can_reuse_anon_folio(), mm/memory.c
    Progress    wait-free
    """
    # ORDER: acquire, pairs with the release of the put of the task that shared it before
    return mem.folio_order[desc] == 0 and mem.folio_type[desc] != T_KSM and load_acquire(mem.refcount, desc) == 1


@kernel
def copy_in_flux(mem, dst_pfn, src_pfn):
    """Copy a frame that may be written through a pin at the same time, word by word.

    Progress    wait-free
    """
    for k in range(mem.words_per_frame):
        store_relaxed(mem.contents, dst_pfn * mem.words_per_frame + k, load_relaxed(mem.contents, src_pfn * mem.words_per_frame + k))


@kernel
def copy_page(mem, cpu, space, vpage, pfn, pinned):
    """A private copy of a page, with one reference.

    Models      wp_page_copy(), copy_present_page(), mm/memory.c
    Parameters  pinned: whether it may be written through a pin
    Returns     the descriptor, or -1
    Progress    as alloc_pages
    """
    mapping = anon_mapping(space)
    desc = alloc_folio(mem, cpu, cpu_node(mem, cpu), 0, T_ANON, mapping, vpage)
    if desc >= 0:
        to = mem.folio_pfn[desc]
        if pinned:
            copy_in_flux(mem, to, pfn)
        else:
            copy_words(mem.contents, to * mem.words_per_frame, pfn * mem.words_per_frame, mem.words_per_frame)
        version = load_relaxed(mem.contents, to * mem.words_per_frame + STAMP_VERSION)
        stamp_frame(mem, to, owner_stamp(mapping, vpage), version)
        folio_publish(mem, cpu, desc, 2)
    return desc


@kernel
def do_wp_page(mem, cpu, space, vpage):
    """A write to a page that is mapped read-only: reuse it if it is this task's alone, else copy it.

    Models      do_wp_page(), wp_page_copy(), mm/memory.c
    Returns     0, or -1 if there was no memory
    Progress    as alloc_pages
    """
    at = space * mem.task_pages + vpage
    lock = ptl_of(mem, space, vpage)
    spin_lock(mem, cpu, lock, LC_PTL)
    word = load_relaxed(mem.pte, at)
    if word & PTE_PRESENT == 0 or word & (PTE_WRITE | PTE_PROTNONE) != 0:
        spin_unlock(mem, cpu, lock)
        return 0
    pfn = word >> PTE_PFN_SHIFT
    old = word_desc(load_relaxed(mem.memdesc, pfn))
    if mem.folio_type[old] == T_KSM:
        count(mem, cpu, counter.MET_KSM_BROKEN_BY_WRITE, 1)
    if word & PTE_EXCLUSIVE or is_exclusive(mem, old):
        # ORDER: release, pairs with the walker's acquire: the task that shared the page has read it for its copy before it is written
        # here. Linux has a control dependency from the count to the entry. One atomic update, since the walker sets bits too; more
        # rights need no flush.
        fetch_or_release(mem.pte, at, PTE_WRITE | PTE_EXCLUSIVE)
        spin_unlock(mem, cpu, lock)
        count(mem, cpu, counter.COW_REUSE, 1)
        return 0
    ref_get(mem, old, 1)
    spin_unlock(mem, cpu, lock)
    new = copy_page(mem, cpu, space, vpage, pfn, False)
    if new < 0:
        folio_put(mem, cpu, old)
        return -1
    spin_lock(mem, cpu, lock, LC_PTL)
    now = load_relaxed(mem.pte, at)
    same = now & (PTE_PRESENT | PTE_WRITE) == PTE_PRESENT and now >> PTE_PFN_SHIFT == pfn
    if same:
        # cleared and flushed before the new page is mapped, or a reader with the old translation would miss
        # what another CPU has written to the new one (ptep_clear_flush() in wp_page_copy())
        store_relaxed(mem.pte, at, 0)
        flush_space(mem, cpu, space)
        map_page(mem, cpu, space, vpage, new, mem.folio_pfn[new], PTE_WRITE | PTE_ACCESSED | PTE_EXCLUSIVE)
    spin_unlock(mem, cpu, lock)
    if same:
        folio_add_lru(mem, cpu, new)
        folio_put(mem, cpu, new)
        remove_rmap(mem, cpu, old)
        count(mem, cpu, counter.COW_FAULT, 1)
    else:
        folio_put_refs(mem, cpu, new, 2)
    folio_put(mem, cpu, old)
    return 0


@kernel
def do_read_fault(mem, cpu, space, vpage, order):
    """Map a page of the task's file, read-only.

    Models      do_read_fault(), finish_fault(), mm/memory.c; filemap_fault(), mm/filemap.c
    Returns     0, or -1 if there was no memory
    Progress    blocking on the folio lock
    """
    file, index = space % mem.nr_files, vpage - mem.anon_pages
    desc = get_folio(mem, cpu, cpu_node(mem, cpu), file, index, order)
    if desc < 0:
        return -1
    folio_lock(mem, cpu, desc)
    mapped = False
    if still_cached(mem, desc, file) and is_uptodate(mem, desc):
        lock = ptl_of(mem, space, vpage)
        spin_lock(mem, cpu, lock, LC_PTL)
        if load_relaxed(mem.pte, space * mem.task_pages + vpage) == 0:
            map_page(mem, cpu, space, vpage, desc, mem.folio_pfn[desc] + index - mem.folio_index[desc], PTE_ACCESSED)
            mapped = True
        spin_unlock(mem, cpu, lock)
    folio_unlock(mem, cpu, desc)
    if not mapped:
        folio_put(mem, cpu, desc)
    return 0


@kernel
def handle_fault(mem, cpu, space, vpage, write, order):
    """Resolve the fault of an access; the caller then tries the access again.

    Models      handle_pte_fault(), mm/memory.c
    Parameters  order: of the folio to try first if nothing is mapped there
    Returns     0, or -1 if there was no memory
    Progress    blocking
    """
    count(mem, cpu, counter.PGFAULT, 1)
    word = load_relaxed(mem.pte, space * mem.task_pages + vpage)
    if word == 0:
        if vpage >= mem.anon_pages:
            return do_read_fault(mem, cpu, space, vpage, order)
        result = do_anonymous_page(mem, cpu, space, vpage, order) if order > 0 else -1
        if result < 0:
            if order > 0:
                count(mem, cpu, counter.THP_FAULT_FALLBACK, 1)
            result = do_anonymous_page(mem, cpu, space, vpage, 0)
        return result
    if word & PTE_MIGRATION:
        migration_entry_wait(mem, cpu, space, vpage)
    elif word & PTE_PROTNONE:
        return do_numa_page(mem, cpu, space, vpage)
    elif write and word & PTE_WRITE == 0:
        return do_wp_page(mem, cpu, space, vpage)
    return 0


# --------------------------------------------------------------------------------------------------------------------- fork


@kernel
def inherit_oracle(mem, at_child, version):
    """Start the oracle of the child's page with the writes that its memory has seen. Child's PTL held.

    Progress    wait-free
    """
    word = load_relaxed(mem.oracle, at_child)
    # map_page(), which comes next, releases
    store_relaxed(mem.oracle, at_child, (word >> INCARNATION_SHIFT) + 1 << INCARNATION_SHIFT | version & COUNT_MASK)


@kernel
def write_protect_range(mem, parent, vpage, nr_pages):
    """Write-protect a range; parent's PTL held, the caller flushes before it releases the lock.

    Models      ptep_set_wrprotect() in __copy_present_ptes(), mm/memory.c
    Returns     PTEs changed
    Progress    wait-free
    """
    changed = 0
    for k in range(nr_pages):
        at = parent * mem.task_pages + vpage + k
        if load_relaxed(mem.pte, at) & (PTE_PRESENT | PTE_WRITE) == PTE_PRESENT | PTE_WRITE:
            fetch_and_relaxed(mem.pte, at, ~(PTE_WRITE | PTE_DIRTY))  # one atomic update, since the walker sets bits too; the flush orders
            changed += 1
    return changed


@kernel
def share_page(mem, cpu, parent, child, vpage):
    """Map one write-protected, flushed page into a child too, unless it may be pinned. Parent's PTL held.

    Models      copy_present_ptes(), folio_try_dup_anon_rmap_pte(), mm/memory.c
    Returns     1 if the child has the page now; 0 if there is nothing to share; -1 if it is pinned: then the parent may write
                it again, and the caller holds a reference for the copy
    Progress    blocking on the child's PTL
    """
    at, at_child = parent * mem.task_pages + vpage, child * mem.task_pages + vpage
    word = load_relaxed(mem.pte, at)
    if word & PTE_PRESENT == 0 or word & (PTE_WRITE | PTE_PROTNONE) != 0 or load_relaxed(mem.pte, at_child) != 0:
        return 0
    pfn = word >> PTE_PFN_SHIFT
    desc = word_desc(load_relaxed(mem.memdesc, pfn))
    # ORDER: acquire, pairs with unpin_folio()'s release: what was written through a pin comes before the page is copied
    if word & PTE_EXCLUSIVE and load_acquire(mem.pincount, desc) > 0:
        ref_get(mem, desc, 1)
        fetch_or_relaxed(mem.pte, at, PTE_WRITE)  # one atomic update, since the walker sets bits too; more rights need no flush
        return -1
    lock, shared = ptl_of(mem, child, vpage), 0
    spin_lock(mem, cpu, lock, LC_PTL)
    if load_relaxed(mem.pte, at_child) == 0:
        ref_get(mem, desc, 1)
        inherit_oracle(mem, at_child, load_relaxed(mem.contents, pfn * mem.words_per_frame + STAMP_VERSION))
        map_page(mem, cpu, child, vpage, desc, pfn, PTE_ACCESSED)
        fetch_and_relaxed(mem.pte, at, ~PTE_EXCLUSIVE)
        shared = 1
    spin_unlock(mem, cpu, lock)
    return shared


@kernel
def copy_for_child(mem, cpu, child, vpage, pfn):
    """Give a child its own copy of a page immediately. The caller holds a reference on the page.

    Models      copy_present_page(), mm/memory.c
    Returns     1 if the child has it now
    Progress    as alloc_pages
    """
    new = copy_page(mem, cpu, child, vpage, pfn, True)
    if new < 0:
        return 0
    at_child = child * mem.task_pages + vpage
    spin_lock(mem, cpu, ptl_of(mem, child, vpage), LC_PTL)
    mine = load_relaxed(mem.pte, at_child) == 0
    if mine:
        new_pfn = mem.folio_pfn[new]
        inherit_oracle(mem, at_child, load_relaxed(mem.contents, new_pfn * mem.words_per_frame + STAMP_VERSION))
        map_page(mem, cpu, child, vpage, new, new_pfn, PTE_WRITE | PTE_ACCESSED | PTE_EXCLUSIVE)
    spin_unlock(mem, cpu, ptl_of(mem, child, vpage))
    if mine:
        folio_add_lru(mem, cpu, new)
        folio_put(mem, cpu, new)
    else:
        folio_put_refs(mem, cpu, new, 2)
    return 1 if mine else 0


@kernel
def fork_range(mem, cpu, parent, child, vpage, nr_pages):
    """Share a range of a task's anonymous memory with a later task of its family, copy on write.

    Models      copy_pte_range(), mm/memory.c
    Differs     protect, flush and share are one critical section of the PTL, where Linux has mmap_lock for the whole fork
    Parameters  child > parent, of one family: the rmap walk ascends; the range is cut at FORK_BATCH
                pages and at the end of its table
    Returns     pages that the child got
    Progress    blocking
    """
    in_table = mem.table_pages - vpage % mem.table_pages
    nr_pages = min(min(nr_pages, FORK_BATCH), min(mem.anon_pages - vpage, in_table))
    base, copied, nr_pinned = cpu * FORK_BATCH, 0, 0
    lock = ptl_of(mem, parent, vpage)
    spin_lock(mem, cpu, lock, LC_PTL)
    if write_protect_range(mem, parent, vpage, nr_pages):
        flush_space(mem, cpu, parent)
    chaos_point(mem, cpu)
    for k in range(nr_pages):
        result = share_page(mem, cpu, parent, child, vpage + k)
        if result < 0:
            mem.fork_vpage[base + nr_pinned] = vpage + k
            mem.fork_pfn[base + nr_pinned] = current_pte(mem, parent, vpage + k) >> PTE_PFN_SHIFT
            nr_pinned += 1
        copied += max(result, 0)
    spin_unlock(mem, cpu, lock)
    for k in range(nr_pinned):
        pfn = mem.fork_pfn[base + k]
        count(mem, cpu, counter.MET_COW_ON_PINNED, 1)
        copied += copy_for_child(mem, cpu, child, mem.fork_vpage[base + k], pfn)
        # The reference kept the page in this folio: no split, no migration.
        folio_put(mem, cpu, word_desc(load_relaxed(mem.memdesc, pfn)))
    count(mem, cpu, counter.FORK, 1)
    return copied
