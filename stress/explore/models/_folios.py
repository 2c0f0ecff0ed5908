"""What models of several families do with frames and folios: allocate, map, migrate, drain LRU batches, read and unmap."""

from kernels.alloc.pages import alloc_frozen_pages, free_frozen_pages
from kernels.alloc.release import folio_put, folio_put_refs, lru_add_drain, try_get_pfn
from kernels.base.atomics import load_acquire
from kernels.base.bug import bug
from kernels.base.jit import kernel
from kernels.base.layout import (
    BUG_STRANGER,
    LC_PTL,
    MIGRATE_ASYNC,
    MR_COMPACTION,
    MT_MOVABLE,
    PTE_ACCESSED,
    PTE_EXCLUSIVE,
    PTE_PFN_SHIFT,
    PTE_WRITE,
    T_ANON,
)
from kernels.base.lock import spin_lock, spin_unlock
from kernels.map.access import anon_mapping, owner_stamp, stamp_frame, task_access
from kernels.map.rmap import map_page, ptl_of, zap_range
from kernels.map.tlb import current_pte, flush_deferred
from kernels.migrate.folio import folio_migrate_move, folio_migrate_unmap, folio_putback, freed_under_us
from kernels.migrate.targets import FROM_ALLOCATOR, alloc_target_folio, free_target_folio
from kernels.migrate.window import migrate_window
from kernels.page.folio import folio_prepare, folio_publish
from kernels.page.lru import lru_add
from kernels.page.memdesc import is_folio
from kernels.types.folios import isolate_folio


@kernel
def no_check(mem, cpu):
    """The check of a model that leaves its final states to the checkers at rest, or to its oracle."""
    return 0


@kernel
def stock_list(mem, cpu):
    """Put a free frame on a CPU's list."""
    free_frozen_pages(mem, cpu, alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE), 0)


@kernel
def speculate(mem, cpu, pfn):
    """Take a reference through the word at a pfn, as a pfn walker does, and put it.

    Returns     0: refused; 1: put; 2: put, and it was the last
    """
    desc = try_get_pfn(mem, cpu, pfn)
    if desc < 0:
        return 0
    return 2 if folio_put(mem, cpu, desc) else 1


@kernel
def new_lru_folio(mem, cpu, pfn, order):
    """Make a folio of an allocated block: on the LRU, without a mapping, with one reference.

    Returns     its descriptor
    """
    desc = folio_prepare(mem, cpu, T_ANON, pfn, order, 0, 0)
    folio_publish(mem, cpu, desc, 1)
    lru_add(mem, cpu, desc)
    return desc


@kernel
def new_page(mem, cpu, space, vpage):
    """A new page of a task at a virtual page that is empty and that no other CPU uses: mapped, writable, on the LRU.

    Returns     its frame
    """
    mapping = anon_mapping(space)
    pfn = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
    desc = folio_prepare(mem, cpu, T_ANON, pfn, 0, mapping, vpage)
    stamp_frame(mem, pfn, owner_stamp(mapping, vpage), 0)
    folio_publish(mem, cpu, desc, 1)
    map_page(mem, cpu, space, vpage, desc, pfn, PTE_WRITE | PTE_ACCESSED | PTE_EXCLUSIVE)
    lru_add(mem, cpu, desc)
    return pfn


@kernel
def fault_in(mem, cpu, space, vpage):
    """A new page of a task at a virtual page, if it is empty: do_anonymous_page() without reclaim.

    An allocation may fail while another CPU splits the only large free block; then nothing is mapped.
    """
    mapping, lock = anon_mapping(space), ptl_of(mem, space, vpage)
    pfn = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
    if pfn < 0:
        return
    desc = folio_prepare(mem, cpu, T_ANON, pfn, 0, mapping, vpage)
    stamp_frame(mem, pfn, owner_stamp(mapping, vpage), 0)
    folio_publish(mem, cpu, desc, 2)
    spin_lock(mem, cpu, lock, LC_PTL)
    mine = current_pte(mem, space, vpage) == 0
    if mine:
        map_page(mem, cpu, space, vpage, desc, pfn, PTE_WRITE | PTE_ACCESSED | PTE_EXCLUSIVE)
    spin_unlock(mem, cpu, lock)
    if mine:
        lru_add(mem, cpu, desc)
        folio_put(mem, cpu, desc)
    else:
        folio_put_refs(mem, cpu, desc, 2)


@kernel
def migrate_one(mem, cpu, pfn):
    """Migrate the folio whose first frame is `pfn` to a frame of the allocator.

    Returns     whether it moved
    """
    # ORDER: acquire, pairs with the publication of the word; the re-check decides
    word = load_acquire(mem.memdesc, pfn)
    if not is_folio(word):
        return 0
    desc = isolate_folio(mem, cpu, pfn, word, MR_COMPACTION)
    if desc < 0 or freed_under_us(mem, cpu, desc, MR_COMPACTION):
        return 0
    dst = alloc_target_folio(mem, cpu, desc, FROM_ALLOCATOR)
    moved = False
    if dst >= 0:
        pending = folio_migrate_unmap(mem, cpu, desc, dst, MIGRATE_ASYNC, MR_COMPACTION, 0)
        if pending >= 0:
            flush_deferred(mem, cpu, pending)
            moved = folio_migrate_move(mem, cpu, desc, dst, MR_COMPACTION) == 0
        if not moved:
            free_target_folio(mem, cpu, dst, FROM_ALLOCATOR)
    if not moved:
        folio_putback(mem, cpu, desc)
    return 1 if moved else 0


@kernel
def drain_all(mem):
    """Drain every CPU's LRU batch, which puts the batches' references."""
    for cpu in range(mem.nr_cpus):
        lru_add_drain(mem, cpu)


@kernel
def read_if_mapped(mem, cpu, space, vpage):
    """A task reads a page without a hint, if it is mapped, and checks it; a bug if the entry is in use and cannot be read."""
    pte = current_pte(mem, space, vpage)
    if task_access(mem, cpu, space, vpage, 0) < 0 and pte != 0:
        bug(mem, cpu, BUG_STRANGER, pte >> PTE_PFN_SHIFT, pte, 0)


@kernel
def read_and_unmap(mem, cpu, nr_spaces, vpage):
    """Every task finds its writes and unmaps the page, so that a wrong reference count is seen."""
    drain_all(mem)
    for space in range(nr_spaces):
        read_if_mapped(mem, cpu, space, vpage)
        zap_range(mem, cpu, space, vpage, 1)


@kernel
def unmap_everything(mem, cpu):
    """Unmap all anonymous pages of task 0, so that a wrong reference count is seen."""
    drain_all(mem)
    zap_range(mem, cpu, 0, 0, mem.anon_pages)
    return 0


@kernel
def migrate_pageblock(mem, cpu, pfn, mode):
    """Scan the pageblock of a frame and migrate what is movable in it.

    Returns     candidates that are left
    """
    base_pfn = pfn & ~((1 << mem.pageblock_order) - 1)
    return migrate_window(mem, cpu, base_pfn, 1 << mem.pageblock_order, mode, MR_COMPACTION, FROM_ALLOCATOR)
