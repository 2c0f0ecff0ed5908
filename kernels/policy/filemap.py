"""Files: reading in, writing, writing back, truncating.

Models      mm/filemap.c: filemap_create_folio(), filemap_add_folio(); generic_perform_write(); mm/truncate.c; P5, P18
Differs     the disk is an array of write counts; reading and writing back take no time
Invariants  I13: a read finds what was written, in the cache or on the disk; I10
Protocol    read in: new folio locked, into the cache, then filled, uptodate (release), unlocked. write: under the folio lock, memory,
            then the oracle, then dirty. write back: dirty cleared and writeback set under the lock, then the disk
"""

from kernels.alloc.release import folio_add_lru, folio_put, folio_put_refs
from kernels.base import counter
from kernels.base.atomics import fetch_add_release, fetch_and_release, fetch_or_release, load_acquire, load_relaxed, store_relaxed
from kernels.base.bug import chaos_point
from kernels.base.jit import kernel
from kernels.base.layout import (
    FL_DIRTY,
    FL_LOCKED,
    FL_REFERENCED,
    FL_UPTODATE,
    FL_WRITEBACK,
    INCARNATION_SHIFT,
    LC_I_PAGES,
    STAMP_VERSION,
    T_FILE,
)
from kernels.base.lock import spin_lock, spin_unlock
from kernels.base.vmstat import count
from kernels.map.access import check_file_version, check_stamp, file_mapping, owner_stamp, stamp_frame, write_frame
from kernels.map.pagecache import cache_clear, cache_range_empty, cache_slot, cache_store, filemap_get_entry
from kernels.page.folio import folio_lock, folio_publish, folio_set, folio_test, folio_test_clear, folio_unlock
from kernels.policy.pagealloc import alloc_folio, discard_folio
from kernels.policy.reclaim import unmap_file_folio


@kernel
def fill_folio(mem, desc, file):
    """Read a locked, cached folio from the disk.

    Models      filemap_read_folio(), mm/filemap.c
    Progress    wait-free
    """
    pfn, index = mem.folio_pfn[desc], mem.folio_index[desc]
    for k in range(1 << mem.folio_order[desc]):
        version = load_relaxed(mem.disk, cache_slot(mem, file, index + k))
        stamp_frame(mem, pfn + k, owner_stamp(file_mapping(file), index + k), version)
    # ORDER: release, pairs with the acquire of is_uptodate
    fetch_or_release(mem.flags, desc, FL_UPTODATE)


@kernel
def is_uptodate(mem, desc):
    """Whether a referenced folio has been read in.

    Models      folio_test_uptodate(), include/linux/page-flags.h
    Progress    wait-free
    """
    # ORDER: acquire, pairs with fill_folio
    return load_acquire(mem.flags, desc) & FL_UPTODATE != 0


@kernel
def create_folio(mem, cpu, nid, file, index, order):
    """Put a new folio of 2^order pages into the cache and read it in.

    Models      filemap_create_folio(), mm/filemap.c
    Returns     the descriptor with a reference to put; -1 if there was no memory, or another CPU was faster
    Progress    as alloc_pages
    """
    desc = alloc_folio(mem, cpu, nid, order, T_FILE, file_mapping(file), index)
    if desc < 0:
        return -1
    store_relaxed(mem.flags, desc, FL_LOCKED)
    spin_lock(mem, cpu, mem.lock_i_pages + file, LC_I_PAGES)
    empty = cache_range_empty(mem, file, index, order)
    if empty:
        folio_publish(mem, cpu, desc, 1 + (1 << order))
        cache_store(mem, file, index, order, desc)
    spin_unlock(mem, cpu, mem.lock_i_pages + file)
    if not empty:
        store_relaxed(mem.flags, desc, 0)
        discard_folio(mem, cpu, desc)
        return -1
    chaos_point(mem, cpu)
    fill_folio(mem, desc, file)
    folio_unlock(mem, cpu, desc)
    folio_add_lru(mem, cpu, desc)
    count(mem, cpu, counter.PGMAJFAULT, 1)
    return desc


@kernel
def get_folio(mem, cpu, nid, file, index, order):
    """The folio at an index, read in if need be, by 2^order pages if there is room and memory.

    Models      filemap_get_pages(), mm/filemap.c
    Returns     the descriptor with a reference to put, or -1
    Progress    lock-free if it is cached
    """
    desc = filemap_get_entry(mem, cpu, file, index)
    if desc < 0:
        head = index & ~((1 << order) - 1)
        if order > 0 and cache_range_empty(mem, file, head, order):
            desc = create_folio(mem, cpu, nid, file, head, order)
        else:
            desc = create_folio(mem, cpu, nid, file, index, 0)
    return desc


@kernel
def still_cached(mem, desc, file):
    """Whether a locked folio still belongs to the file: not truncated, not reclaimed.

    Models      the check of folio->mapping under the lock, mm/filemap.c
    Progress    wait-free
    """
    return load_relaxed(mem.mapping, desc) == file_mapping(file)


@kernel
def file_read(mem, cpu, nid, file, index, order):
    """Read a page of a file through the cache, and verify it.

    Models      filemap_read(), mm/filemap.c
    Returns     0, or -1 if there was no memory
    Progress    lock-free if it is cached and uptodate
    """
    at = cache_slot(mem, file, index)
    # ORDER: acquire, before memory is read; pairs with file_write's raise
    before = load_acquire(mem.file_oracle, at)
    desc = get_folio(mem, cpu, nid, file, index, order)
    if desc < 0:
        return -1
    if is_uptodate(mem, desc):
        pfn = mem.folio_pfn[desc] + index - mem.folio_index[desc]
        check_stamp(mem, cpu, pfn, owner_stamp(file_mapping(file), index))
        check_file_version(mem, cpu, pfn, at, before)
        folio_set(mem, desc, FL_REFERENCED)
    folio_put(mem, cpu, desc)
    return 0


@kernel
def file_write(mem, cpu, nid, file, index, order):
    """Write a page of a file through the cache.

    Models      generic_perform_write(), mm/filemap.c
    Returns     0, or -1 if there was no memory or the folio was truncated
    Progress    blocking on the folio lock
    """
    desc = get_folio(mem, cpu, nid, file, index, order)
    if desc < 0:
        return -1
    folio_lock(mem, cpu, desc)
    cached = still_cached(mem, desc, file) and is_uptodate(mem, desc)
    if cached:
        pfn = mem.folio_pfn[desc] + index - mem.folio_index[desc]
        check_stamp(mem, cpu, pfn, owner_stamp(file_mapping(file), index))
        write_frame(mem, cpu, pfn)
        # ORDER: release, after memory; readers load it with acquire
        fetch_add_release(mem.file_oracle, cache_slot(mem, file, index), 1)
        folio_set(mem, desc, FL_DIRTY)
    folio_unlock(mem, cpu, desc)
    folio_put(mem, cpu, desc)
    return 0 if cached else -1


@kernel
def file_writeback(mem, cpu, file, index):
    """Write a cached, dirty folio to the disk.

    Models      write_cache_pages(), folio_start_writeback(), folio_end_writeback()
    Returns     pages written
    Progress    blocking on the folio lock
    """
    desc = filemap_get_entry(mem, cpu, file, index)
    if desc < 0:
        return 0
    written = 0
    if folio_test(mem, desc, FL_DIRTY):
        folio_lock(mem, cpu, desc)
        if still_cached(mem, desc, file) and not folio_test(mem, desc, FL_WRITEBACK) and folio_test_clear(mem, desc, FL_DIRTY):
            folio_set(mem, desc, FL_WRITEBACK)
            folio_unlock(mem, cpu, desc)
            chaos_point(mem, cpu)
            pfn, first = mem.folio_pfn[desc], mem.folio_index[desc]
            written = 1 << mem.folio_order[desc]
            for k in range(written):
                version = load_relaxed(mem.contents, (pfn + k) * mem.words_per_frame + STAMP_VERSION)
                store_relaxed(mem.disk, cache_slot(mem, file, first + k), version)
            # ORDER: release, the disk is written before any CPU sees the end of the writeback
            fetch_and_release(mem.flags, desc, ~FL_WRITEBACK)
        else:
            folio_unlock(mem, cpu, desc)
    folio_put(mem, cpu, desc)
    return written


@kernel
def file_truncate(mem, cpu, file, index):
    """Drop the folio at an index, dirty or not, and what the disk has of it.

    Models      truncate_inode_folio(), mm/truncate.c
    Returns     pages dropped
    Progress    blocking on the folio lock
    """
    desc = filemap_get_entry(mem, cpu, file, index)
    if desc < 0:
        return 0
    folio_lock(mem, cpu, desc)
    dropped = 0
    if still_cached(mem, desc, file) and not folio_test(mem, desc, FL_WRITEBACK):
        unmap_file_folio(mem, cpu, desc)
        order, first = mem.folio_order[desc], mem.folio_index[desc]
        spin_lock(mem, cpu, mem.lock_i_pages + file, LC_I_PAGES)
        for k in range(1 << order):
            at = cache_slot(mem, file, first + k)
            old = load_relaxed(mem.file_oracle, at)
            # a CPU that reads the page in again does so under the i_pages lock, and sees the new incarnation
            store_relaxed(mem.file_oracle, at, (old >> INCARNATION_SHIFT) + 1 << INCARNATION_SHIFT)
            store_relaxed(mem.disk, at, 0)
        cache_clear(mem, file, first, order)
        store_relaxed(mem.mapping, desc, 0)
        spin_unlock(mem, cpu, mem.lock_i_pages + file)
        dropped = 1 << order
    folio_unlock(mem, cpu, desc)
    folio_put_refs(mem, cpu, desc, 1 + dropped)
    return dropped
