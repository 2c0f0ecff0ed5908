"""Splitting a large folio into folios of order 0.

Models      __folio_split(), unmap_folio(), remap_page(), mm/huge_memory.c; P18
Differs     always to order 0; no deferred-split queue; a piece's slot is stored before the piece is unfrozen, where
            __folio_freeze_and_split_unmapped() unfreezes the piece first
Invariants  I10: while the words and the slots change the count is zero; F-4
Protocol    locked; PTEs to migration entries, flush; freeze; pieces get descriptors and words, file pieces their slots, one by one;
            unfreeze the pieces, locked, then the head; remap; unlock all of them: until then a truncation or reclaim of a
            piece would not find its migration entries
"""

from kernels.alloc.release import folio_put
from kernels.base import counter
from kernels.base.atomics import fetch_add_relaxed, load_relaxed, store_relaxed
from kernels.base.bug import chaos_point
from kernels.base.jit import kernel
from kernels.base.layout import (
    EAGAIN,
    EV_FOLIO_SPLIT,
    FL_DIRTY,
    FL_ISOLATED,
    FL_LOCKED,
    FL_LRU,
    FL_REFERENCED,
    FL_UPTODATE,
    LC_I_PAGES,
    T_FILE,
)
from kernels.base.lock import spin_lock, spin_unlock
from kernels.base.vmstat import count, trace
from kernels.map.pagecache import cache_slot
from kernels.map.rmap import remove_migration_ptes, try_to_migrate
from kernels.map.tlb import flush_deferred
from kernels.migrate.folio import expected_refs
from kernels.page.folio import folio_prepare, folio_set, folio_test, folio_trylock, folio_unlock
from kernels.page.lru import lru_add, lruvec_of
from kernels.page.memdesc import desc_word, word_desc
from kernels.page.refcount import ref_freeze, ref_unfreeze


@kernel
def make_piece(mem, cpu, desc, k, in_cache):
    """Make frame `k` of a frozen folio a folio of its own, locked, with the caller's reference and the cache's.

    Models      __split_folio_to_order(), mm/huge_memory.c
    Progress    as desc_alloc
    """
    kind, pfn = mem.folio_type[desc], mem.folio_pfn[desc] + k
    mapping, index = load_relaxed(mem.mapping, desc), mem.folio_index[desc] + k
    piece = folio_prepare(mem, cpu, kind, pfn, 0, mapping, index)
    kept = load_relaxed(mem.flags, desc) & (FL_DIRTY | FL_UPTODATE | FL_REFERENCED | FL_ISOLATED)
    folio_set(mem, piece, kept | FL_LOCKED)
    if folio_test(mem, desc, FL_ISOLATED):
        fetch_add_relaxed(mem.lru_isolated, lruvec_of(mem, piece), 1)
    store_relaxed(mem.memdesc, pfn, desc_word(kind, piece))
    if in_cache:
        # Slot by slot, so that a lookup may find old siblings beside new folios. Relaxed: the unfreeze after it releases.
        store_relaxed(mem.cache, cache_slot(mem, (mapping >> 1) - 1, index), (piece + 1) << 1)
        chaos_point(mem, cpu)
    ref_unfreeze(mem, cpu, piece, 2 if in_cache else 1)


@kernel
def split_folio(mem, cpu, desc):
    """Split a folio that the caller has locked and holds one reference on, isolated or not.

    Models      split_folio(), include/linux/huge_mm.h
    Returns     0: every frame is a folio of order 0; the caller's reference and lock stay on the first, the others carry one
                reference each if the folio was isolated and none otherwise. -EAGAIN: unexpected references, nothing changed
    Progress    blocking on PTLs, sections, the i_pages and lruvec locks
    """
    order, pfn = mem.folio_order[desc], mem.folio_pfn[desc]
    mapping, index = load_relaxed(mem.mapping, desc), mem.folio_index[desc]
    in_cache = mem.folio_type[desc] == T_FILE and mapping != 0
    if load_relaxed(mem.mapcount, desc) > 0:
        flush_deferred(mem, cpu, try_to_migrate(mem, cpu, desc, 0))
    expected = expected_refs(mem, desc)
    if in_cache:
        spin_lock(mem, cpu, mem.lock_i_pages + (mapping >> 1) - 1, LC_I_PAGES)
    frozen = ref_freeze(mem, cpu, desc, expected)
    # While the folio is frozen no CPU can isolate it; after the unfreeze any CPU may, and change the flags.
    isolated, on_lru = folio_test(mem, desc, FL_ISOLATED), folio_test(mem, desc, FL_LRU)
    if frozen:
        for k in range(1, 1 << order):
            make_piece(mem, cpu, desc, k, in_cache)
        store_relaxed(mem.folio_order, desc, 0)
        chaos_point(mem, cpu)
        ref_unfreeze(mem, cpu, desc, 2 if in_cache else 1)
    if in_cache:
        spin_unlock(mem, cpu, mem.lock_i_pages + (mapping >> 1) - 1)
    if mapping != 0:
        remove_migration_ptes(mem, cpu, mapping, index, pfn, 1 << order, pfn)
    if not frozen:
        count(mem, cpu, counter.THP_SPLIT_PAGE_FAILED, 1)
        count(mem, cpu, counter.MET_SPLIT_REFUSED_BY_REFERENCE, 1)
        return -EAGAIN
    unlock_pieces(mem, cpu, pfn, order)
    if not isolated:
        settle_pieces(mem, cpu, pfn, order, on_lru)
    count(mem, cpu, counter.THP_SPLIT_PAGE, 1)
    trace(mem, cpu, EV_FOLIO_SPLIT, pfn, order)
    return 0


@kernel
def try_split_folio(mem, cpu, desc):
    """Split an isolated large folio that migration has no target for, unless it is locked.

    Models      try_split_folio(), mm/migrate.c
    Returns     True if it was split; the pieces are isolated as the whole was
    Progress    blocking as split_folio, but not on the folio lock
    """
    if not folio_trylock(mem, cpu, desc):
        return False
    result = split_folio(mem, cpu, desc)
    folio_unlock(mem, cpu, desc)
    if result < 0:
        return False
    count(mem, cpu, counter.THP_MIGRATION_SPLIT, 1)
    return True


@kernel
def unlock_pieces(mem, cpu, pfn, order):
    """Unlock the pieces after the first; the split's references to them are still held.

    Models      the tail of __folio_split(), which unlocks each new folio after remap_page(), mm/huge_memory.c
    Progress    wait-free
    """
    for k in range(1, 1 << order):
        folio_unlock(mem, cpu, word_desc(load_relaxed(mem.memdesc, pfn + k)))


@kernel
def settle_pieces(mem, cpu, pfn, order, on_lru):
    """Put the pieces after the first on the LRU if the whole was there, and drop the split's references to them.

    Models      the tail of __folio_split(): free_folio_and_swap_cache()
    Progress    blocking on the lruvec lock; frees pieces that have no other reference
    """
    for k in range(1, 1 << order):
        piece = word_desc(load_relaxed(mem.memdesc, pfn + k))
        if on_lru:
            lru_add(mem, cpu, piece)
        folio_put(mem, cpu, piece)
