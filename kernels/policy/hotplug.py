"""Memory blocks taken offline and put online again.

Models      offline_pages(), online_pages(), mm/memory_hotplug.c (linux-mm tree, 00f68374ed29); __offline_isolated_pages(),
            mm/page_alloc.c (00cb34b034a5); P20
Differs     a bounded number of rounds, where Linux continues until a signal arrives; a block with a poisoned frame stays online, where
            Linux skips poisoned frames; targets come from the block's own node first, where do_migrate_range() avoids that node if
            it can; LRU batches are disabled during a round only; watermarks are set before the pageblocks are un-isolated; no notifiers
Invariants  I1: a frame of an offline block has no owner, and the zone does not manage it; I15: a block that could not be emptied is as it
            was; I18; L1
Protocol    offline: per-CPU lists disabled, pageblocks isolated, then evacuated in rounds; under zone->lock tested and taken; words set
            to NOT_ONLINE; the pageblocks stay of type ISOLATE and are no longer counted as isolated; managed frames and watermarks.
            online: counted as isolated again, managed, freed to the isolated lists, then un-isolated as MOVABLE
"""

from kernels.alloc.buddy import nid_of
from kernels.alloc.isolation import take_isolated_range
from kernels.alloc.pages import setup_zone_wmarks, zone_pcp_disable, zone_pcp_enable
from kernels.alloc.zone import zone_give
from kernels.base import counter
from kernels.base.atomics import cycles, load_relaxed, store_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import (
    C_OFFLINE_FAILED,
    EBUSY,
    LC_ZONE,
    M_NOT_ONLINE,
    MR_MEMORY_HOTPLUG,
    MT_MOVABLE,
    NONE_WORD,
    REFUSAL_ISOLATED,
    REFUSAL_UNMOVABLE,
    SH_BUDDY,
    SH_OWNED,
    WAIT_OFFLINE,
    WAIT_ONLINE,
)
from kernels.base.lock import spin_lock, spin_unlock
from kernels.base.vmstat import count, record_wait
from kernels.migrate.scan import unmovable_frame
from kernels.page.folio import set_words
from kernels.page.memdesc import misc_word
from kernels.page.shadow import shadow_move
from kernels.policy.contig import MAX_TRIES, evacuate_range, start_isolate_page_range, undo_isolate_page_range, why_busy

OFFLINE_ROUNDS = 4  # of MAX_TRIES each


@kernel
def leave_zone(mem, cpu, first_block, end_block):
    """Mark frames that were taken out of the buddy as not online, and take them out of the zone's counts.

    Models      the end of offline_pages(): nr_isolate_pageblock, adjust_managed_page_count(), init_per_zone_wmark_min()
    Progress    blocking on zone->lock
    """
    first = first_block << mem.pageblock_order
    nid = nid_of(mem, first)
    for block in range(first_block, end_block):
        set_words(mem, block << mem.pageblock_order, mem.pageblock_order, misc_word(M_NOT_ONLINE, 0, nid, 0))
        store_relaxed(mem.block_offline, block, 1)
    spin_lock(mem, cpu, nid, LC_ZONE)
    mem.zone_nr_isolate[nid] -= end_block - first_block
    mem.zone_managed[nid] -= end_block - first_block << mem.pageblock_order
    setup_zone_wmarks(mem, nid)
    spin_unlock(mem, cpu, nid)


@kernel
def empty_memory_block(mem, cpu, start, end):
    """Evacuate a range of isolated pageblocks until it can be taken, or something in it cannot move.

    Returns     -1 if the range is the caller's, else a frame that was in the way
    Progress    bounded
    """
    busy = start
    for _ in range(OFFLINE_ROUNDS):
        evacuate_range(mem, cpu, start, end, MR_MEMORY_HOTPLUG, MAX_TRIES)
        busy = take_isolated_range(mem, cpu, start, end)
        if busy < 0 or unmovable_frame(mem, busy, end) >= 0:
            break
    return busy


@kernel
def offline_pages(mem, cpu, first_block, end_block):
    """Take pageblocks of one node offline.

    Models      offline_pages(), mm/memory_hotplug.c
    Returns     0, or -EBUSY with everything as it was
    Progress    bounded, blocking
    """
    begin = cycles()
    start, end = first_block << mem.pageblock_order, end_block << mem.pageblock_order
    nid, why = nid_of(mem, start), -1
    count(mem, cpu, counter.OFFLINE_TRIED, 1)
    zone_pcp_disable(mem, cpu, nid)
    if unmovable_frame(mem, start, end) >= 0:
        why = REFUSAL_UNMOVABLE
    elif not start_isolate_page_range(mem, cpu, first_block, end_block):
        why = REFUSAL_ISOLATED
    else:
        busy = empty_memory_block(mem, cpu, start, end)
        if busy >= 0:
            why = why_busy(mem, busy)
            undo_isolate_page_range(mem, cpu, first_block, end_block)
        else:
            leave_zone(mem, cpu, first_block, end_block)
    zone_pcp_enable(mem, cpu, nid)
    record_wait(mem, cpu, WAIT_OFFLINE, cycles() - begin)
    if why >= 0:
        count(mem, cpu, C_OFFLINE_FAILED + why, 1)
        return -EBUSY
    count(mem, cpu, counter.OFFLINE_SUCCEEDED, 1)
    return 0


@kernel
def online_pages(mem, cpu, first_block, end_block):
    """Put pageblocks that were taken offline online again.

    Models      online_pages(), online_pages_range(), mm/memory_hotplug.c
    Returns     0, or -EBUSY if they are not offline
    Progress    blocking on zone->lock
    """
    begin = cycles()
    nid = nid_of(mem, first_block << mem.pageblock_order)
    for block in range(first_block, end_block):
        if load_relaxed(mem.block_offline, block) == 0:
            return -EBUSY
    for block in range(first_block, end_block):
        set_words(mem, block << mem.pageblock_order, mem.pageblock_order, NONE_WORD)
    spin_lock(mem, cpu, nid, LC_ZONE)
    mem.zone_nr_isolate[nid] += end_block - first_block
    mem.zone_managed[nid] += end_block - first_block << mem.pageblock_order
    setup_zone_wmarks(mem, nid)
    for block in range(first_block, end_block):
        store_relaxed(mem.block_offline, block, 0)
        mem.block_saved[block] = MT_MOVABLE
        shadow_move(mem, cpu, block << mem.pageblock_order, mem.pageblock_order, SH_OWNED, SH_BUDDY)
        zone_give(mem, cpu, block << mem.pageblock_order, mem.pageblock_order)
    spin_unlock(mem, cpu, nid)
    undo_isolate_page_range(mem, cpu, first_block, end_block)
    count(mem, cpu, counter.ONLINE_SUCCEEDED, 1)
    record_wait(mem, cpu, WAIT_ONLINE, cycles() - begin)
    return 0
