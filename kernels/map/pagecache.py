"""The page cache: an index per file, looked up without a lock.

Models      mm/filemap.c: filemap_get_entry(), __filemap_add_folio(), __filemap_remove_folio() (b6273b55); P5
Differs     an array per file instead of an XArray. An entry is a folio, or a sibling that points to the slot of the head of a
            large one. After the reference and the re-load the range of the folio is checked too, since a re-load through a
            sibling that a split has not updated yet proves nothing (B8)
Invariants  I10; each page of a cached folio holds one reference
Protocol    look up: load, reference, re-load, range. remove: freeze or hold, remove, release, in that order
"""

from kernels.alloc.release import folio_put
from kernels.base import counter
from kernels.base.atomics import load_acquire, load_relaxed, store_relaxed
from kernels.base.bug import chaos_point
from kernels.base.jit import kernel
from kernels.base.layout import SIBLING_BIT
from kernels.base.vmstat import count
from kernels.page.refcount import ref_try_get


@kernel
def cache_slot(mem, file, index):
    """The slot of a page of a file.

    Progress    wait-free
    """
    return file * mem.file_pages + index


@kernel
def load_entry(mem, file, index):
    """The folio at an index: descriptor + 1, or 0; siblings are followed.

    Models      xas_load()
    Progress    wait-free
    """
    # ORDER: acquire, pairs with the release of the store that put a migration's target there (migrate_mapping)
    entry = load_acquire(mem.cache, cache_slot(mem, file, index))
    if entry & SIBLING_BIT:
        entry = load_acquire(mem.cache, cache_slot(mem, file, entry >> 1))  # ORDER: acquire, as above
        if entry & SIBLING_BIT:
            return 0
    return entry >> 1


@kernel
def folio_contains(mem, desc, index):
    """Whether a referenced folio of a file covers an index.

    Models      folio_contains(), include/linux/pagemap.h
    Progress    wait-free
    """
    first = load_relaxed(mem.folio_index, desc)
    return first <= index and index < first + (1 << load_relaxed(mem.folio_order, desc))


@kernel
def filemap_get_entry(mem, cpu, file, index):
    """The folio at an index, with a reference, without a lock.

    Models      filemap_get_entry(), mm/filemap.c
    Returns     the descriptor with a reference to put, or -1 if nothing is cached there
    Progress    lock-free; a retry means that the entry or the count moved; gives up after 64
    """
    for _ in range(64):
        entry = load_entry(mem, file, index)
        if entry == 0:
            return -1
        desc = entry - 1
        count(mem, cpu, counter.SPEC_TRIED, 1)
        chaos_point(mem, cpu)
        if not ref_try_get(mem, cpu, desc):
            count(mem, cpu, counter.SPEC_FAILED_ON_ZERO, 1)
            if load_entry(mem, file, index) == entry:
                count(mem, cpu, counter.MET_SPECULATION_ON_FROZEN, 1)
            continue
        chaos_point(mem, cpu)
        if load_entry(mem, file, index) == entry and folio_contains(mem, desc, index):
            count(mem, cpu, counter.SPEC_KEPT, 1)
            return desc
        count(mem, cpu, counter.SPEC_UNDONE_BY_RECHECK, 1)
        count(mem, cpu, counter.MET_LOOKUP_RELOAD_CHANGED, 1)
        if folio_put(mem, cpu, desc):
            count(mem, cpu, counter.SPEC_HELD_LAST_REFERENCE, 1)
            count(mem, cpu, counter.MET_PUT_LAST_AFTER_RECHECK, 1)
    return -1


@kernel
def cache_range_empty(mem, file, index, order):
    """Whether no folio is cached at 2^order indices; i_pages lock held, or a hint.

    Progress    wait-free
    """
    if index + (1 << order) > mem.file_pages:
        return False
    for k in range(1 << order):
        if load_relaxed(mem.cache, cache_slot(mem, file, index + k)) != 0:
            return False
    return True


@kernel
def cache_store(mem, file, index, order, desc):
    """Put a folio at its indices, head first; i_pages lock held.

    Models      __filemap_add_folio(), mm/filemap.c
    Progress    wait-free
    """
    # Relaxed: a lookup reads nothing of a folio before it has a reference, and the unfreeze before this store released the fields. Linux
    # releases here (rcu_assign_pointer() in xas_store()), as for any pointer.
    store_relaxed(mem.cache, cache_slot(mem, file, index), (desc + 1) << 1)
    for k in range(1, 1 << order):
        store_relaxed(mem.cache, cache_slot(mem, file, index + k), index << 1 | SIBLING_BIT)


@kernel
def cache_clear(mem, file, index, order):
    """Remove a folio from its indices, tails first; i_pages lock held.

    Models      page_cache_delete(), mm/filemap.c
    Progress    wait-free
    """
    for k in range(1 << order):
        # relaxed: a lookup that finds nothing uses nothing, and a CPU that reads the page in again takes the i_pages lock
        store_relaxed(mem.cache, cache_slot(mem, file, index + (1 << order) - 1 - k), 0)
