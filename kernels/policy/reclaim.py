"""Minimal reclaim: empty slabs, then clean folios of the page cache, from the tail of the LRU.

Models      shrink_folio_list(), __remove_mapping(), mm/vmscan.c; P5, P16
Differs     clean file folios only; no swap, no ageing beyond one reference bit
Invariants  I3, I13: a folio that is dirty or referenced when it is frozen is not dropped
Protocol    isolate; lock; unmap; freeze; check dirty while frozen; remove from the cache; free
"""

from kernels.alloc.release import release_desc
from kernels.base import counter
from kernels.base.atomics import exchange_relaxed, fetch_add_relaxed, load_relaxed, store_relaxed
from kernels.base.bug import chaos_point
from kernels.base.jit import kernel
from kernels.base.layout import (
    FL_DIRTY,
    FL_ISOLATED,
    FL_LRU,
    FL_REFERENCED,
    LC_I_PAGES,
    LC_LRU,
    LC_PTL,
    PTE_PRESENT,
)
from kernels.base.lock import spin_lock, spin_unlock
from kernels.base.vmstat import count
from kernels.map.pagecache import cache_clear
from kernels.map.rmap import ptl_of, remove_rmap, rmap_end, rmap_first, rmap_step, rmap_vpage
from kernels.map.tlb import defer_flush, flush_deferred
from kernels.migrate.folio import clear_isolated, folio_putback
from kernels.page.folio import folio_set, folio_test, folio_test_clear, folio_trylock, folio_unlock
from kernels.page.lru import lru_unlink, lruvec_of
from kernels.page.refcount import ref_freeze, ref_try_get, ref_unfreeze
from kernels.types.slab import slab_shrink


@kernel
def isolate_tail(mem, cpu, lruvec):
    """Isolate the folio at the tail of a list.

    Models      isolate_lru_folios(), mm/vmscan.c
    Returns     its descriptor with the isolation's reference, or -1
    Progress    blocking on the lruvec lock
    """
    spin_lock(mem, cpu, mem.lock_lru + lruvec, LC_LRU)
    desc = mem.lru_tail[lruvec] - 1
    if desc >= 0:
        count(mem, cpu, counter.PGSCAN, 1)
        # A folio on the list may be about to be freed: then its count is zero.
        if ref_try_get(mem, cpu, desc):
            if folio_test_clear(mem, desc, FL_LRU):
                lru_unlink(mem, cpu, lruvec, desc)
                folio_set(mem, desc, FL_ISOLATED)
                fetch_add_relaxed(mem.lru_isolated, lruvec, 1)
            else:
                # Another CPU isolates it and waits for this lock; it holds a reference, so this one is not the last.
                fetch_add_relaxed(mem.refcount, desc, -1)
                desc = -1
        else:
            desc = -1
    spin_unlock(mem, cpu, mem.lock_lru + lruvec)
    return desc


@kernel
def unmap_file_folio(mem, cpu, desc):
    """Take every PTE of a locked file folio away, flush, and give their references back.

    Models      try_to_unmap(TTU_SYNC), mm/rmap.c; unmap_mapping_folio(), mm/memory.c
    Progress    blocking on PTLs and sections
    """
    if load_relaxed(mem.mapcount, desc) == 0:
        return
    mapping = load_relaxed(mem.mapping, desc)
    vpage = rmap_vpage(mem, mapping, mem.folio_index[desc])
    nr_pages = min(1 << mem.folio_order[desc], mem.task_pages - vpage)
    pending, unmapped = 0, 0
    for space in range(rmap_first(mem, mapping), rmap_end(mem, mapping), rmap_step(mem, mapping)):
        for k in range(nr_pages):
            at = space * mem.task_pages + vpage + k
            lock = ptl_of(mem, space, vpage + k)
            # Always with the lock: a CPU that has just cleared an entry holds it until its flush, and this must not return before.
            spin_lock(mem, cpu, lock, LC_PTL)
            # A present entry maps this folio, which is locked and cached: only read faults map here, and they lock what they map.
            if load_relaxed(mem.pte, at) & PTE_PRESENT:
                exchange_relaxed(mem.pte, at, 0)  # one atomic update, since the walker sets bits too; the flush orders
                unmapped += 1
                pending = defer_flush(mem, cpu, space, pending)
            spin_unlock(mem, cpu, lock)
    flush_deferred(mem, cpu, pending)
    for _ in range(unmapped):
        remove_rmap(mem, cpu, desc)


@kernel
def remove_mapping(mem, cpu, desc):
    """Freeze a locked, isolated, unmapped folio and take it out of the cache; its count stays zero.

    Models      __remove_mapping(), mm/vmscan.c
    Returns     True if it is out
    Progress    blocking on the i_pages lock
    """
    mapping = load_relaxed(mem.mapping, desc)
    order = mem.folio_order[desc]
    if mapping == 0:
        return False
    lock = mem.lock_i_pages + (mapping >> 1) - 1
    spin_lock(mem, cpu, lock, LC_I_PAGES)
    expected = 1 + (1 << order)
    if not ref_freeze(mem, cpu, desc, expected):
        spin_unlock(mem, cpu, lock)
        return False
    chaos_point(mem, cpu)
    # Only now: until the freeze another CPU may have a reference to write it through. A writeback has one, too.
    if folio_test(mem, desc, FL_DIRTY):
        ref_unfreeze(mem, cpu, desc, expected)
        spin_unlock(mem, cpu, lock)
        return False
    cache_clear(mem, (mapping >> 1) - 1, mem.folio_index[desc], order)
    store_relaxed(mem.mapping, desc, 0)
    spin_unlock(mem, cpu, lock)
    return True


@kernel
def reclaim_one(mem, cpu, lruvec):
    """Drop the folio at the tail of a list if it is clean and unused, else put it back at the head.

    Models      shrink_folio_list(), mm/vmscan.c
    Returns     frames freed; -1 if the list is empty
    Progress    blocking
    """
    desc = isolate_tail(mem, cpu, lruvec)
    if desc < 0:
        return -1
    order = mem.folio_order[desc]
    keep = folio_test_clear(mem, desc, FL_REFERENCED) or not folio_trylock(mem, cpu, desc)
    if not keep:
        unmap_file_folio(mem, cpu, desc)
        dropped = remove_mapping(mem, cpu, desc)
        folio_unlock(mem, cpu, desc)
        if dropped:
            fetch_add_relaxed(mem.lru_isolated, lruvec_of(mem, desc), -1)
            clear_isolated(mem, cpu, desc)
            release_desc(mem, cpu, desc)
            count(mem, cpu, counter.PGSTEAL, 1 << order)
            return 1 << order
    folio_putback(mem, cpu, desc)
    count(mem, cpu, counter.PGROTATED, 1 << order)
    return 0


@kernel
def shrink_node(mem, cpu, nid, nr_wanted):
    """Reclaim up to `nr_wanted` frames of a node, looking at a bounded number of folios.

    Models      shrink_node(), shrink_slab(), mm/vmscan.c
    Returns     frames freed
    Progress    bounded
    """
    freed = slab_shrink(mem, cpu, nid)
    for _ in range(2 * nr_wanted):
        if freed >= nr_wanted:
            break
        got = reclaim_one(mem, cpu, nid * 2 + 1)
        if got < 0:
            break
        freed += got
    return freed


@kernel
def balance_node(mem, cpu, nid):
    """Background reclaim: below the low watermark, one round towards the high one.

    Models      balance_pgdat(), mm/vmscan.c (kswapd)
    Differs     runs on the calling CPU, one bounded round at a time
    Returns     frames freed
    Progress    bounded
    """
    free = load_relaxed(mem.zone_free, nid)
    if free >= load_relaxed(mem.zone_low, nid):
        return 0
    return shrink_node(mem, cpu, nid, min(64, load_relaxed(mem.zone_high, nid) - free))
