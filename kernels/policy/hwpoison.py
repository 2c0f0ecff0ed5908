"""Frames with memory errors: taken off the buddy where they are free; where they are not, their contents are migrated first.

Models      soft_offline_page(), page_handle_poison(), unpoison_memory(), mm/memory-failure.c; P21
Differs     correctable errors only: the contents are intact and are migrated. A frame that cannot be moved, or that another CPU
            allocates in between, is left for another attempt, as in Linux. No task is killed. The type HWPoison replaces what was
            in the word; Linux has a flag beside it
Invariants  I1: a poisoned frame has one owner, the CPU that took it off the buddy; no allocator path hands it out, since each checks
            that the words of what it hands out are NONE
Protocol    under zone->lock: off the free list, word to HWPoison. A frame on a per-CPU list is drained first, a movable one
            migrated first.
"""

from kernels.alloc.buddy import nid_of
from kernels.alloc.isolation import take_page_off_buddy
from kernels.alloc.pages import drain_all_pages, free_frozen_pages
from kernels.base import counter
from kernels.base.atomics import load_relaxed, store_relaxed
from kernels.base.bitmap import bitmap_base, clear_bitmap, set_bit
from kernels.base.bug import bug
from kernels.base.jit import kernel
from kernels.base.layout import (
    BUG_WORD_CHANGED,
    CANDIDATES,
    EBUSY,
    LC_ZONE,
    MIGRATE_ASYNC,
    MR_MEMORY_FAILURE,
    NONE_WORD,
    T_HWPOISON,
    WINDOW_FRAMES,
)
from kernels.base.lock import spin_lock, spin_unlock
from kernels.base.vmstat import count
from kernels.migrate.range import migrate_range
from kernels.migrate.targets import FROM_ALLOCATOR


@kernel
def poison_free_frame(mem, cpu, pfn):
    """Take a frame off the buddy and poison it.

    Models      page_handle_poison(), mm/memory-failure.c
    Returns     True if it was there
    Progress    blocking on zone->lock
    """
    nid = nid_of(mem, pfn)
    spin_lock(mem, cpu, nid, LC_ZONE)
    taken = take_page_off_buddy(mem, cpu, pfn)
    spin_unlock(mem, cpu, nid)
    if taken:
        store_relaxed(mem.memdesc, pfn, T_HWPOISON)  # this CPU owns the frame
        count(mem, cpu, counter.HWPOISON_PAGES, 1)
    return taken


@kernel
def soft_offline_page(mem, cpu, pfn):
    """Poison a frame in the buddy, on a per-CPU list, or in use by what can be moved.

    Models      soft_offline_page(), soft_offline_in_use_page(), mm/memory-failure.c
    Returns     0: the frame is poisoned, and the caller's; -EBUSY: it is in use and cannot be moved, or another CPU allocated it in between
    Progress    bounded, blocking
    """
    if poison_free_frame(mem, cpu, pfn):
        return 0
    candidates, base_pfn = bitmap_base(mem, cpu, CANDIDATES), pfn & ~(WINDOW_FRAMES - 1)
    clear_bitmap(mem, candidates)
    set_bit(mem, candidates, pfn - base_pfn)
    migrate_range(mem, cpu, base_pfn, MIGRATE_ASYNC, MR_MEMORY_FAILURE, FROM_ALLOCATOR)
    drain_all_pages(mem, cpu, nid_of(mem, pfn))
    if poison_free_frame(mem, cpu, pfn):
        return 0
    if load_relaxed(mem.memdesc, pfn) == NONE_WORD:
        count(mem, cpu, counter.MET_POISON_RACED_ALLOCATION, 1)
    return -EBUSY


@kernel
def unpoison_memory(mem, cpu, pfn):
    """Give a frame that the caller has poisoned back.

    Models      unpoison_memory(), mm/memory-failure.c
    Progress    as free_frozen_pages; a bug if it is not poisoned any more
    """
    word = load_relaxed(mem.memdesc, pfn)
    if word != T_HWPOISON:
        bug(mem, cpu, BUG_WORD_CHANGED, pfn, word, T_HWPOISON)
    store_relaxed(mem.memdesc, pfn, NONE_WORD)
    count(mem, cpu, counter.UNPOISON_PAGES, 1)
    free_frozen_pages(mem, cpu, pfn, 0)
