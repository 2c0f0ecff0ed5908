"""Pageblock isolation: no allocation from a range while it is evacuated; and capture of free frames by a scanner.

Models      set_migratetype_isolate(), unset_migratetype_isolate(), mm/page_isolation.c; __isolate_free_page(), mm/page_alloc.c
Differs     one pageblock at a time; the block's old type is kept aside and restored
Invariants  I17, I18: after the drain returns, nothing of the block is allocated until it is given back
Protocol    isolate under zone->lock (two isolators exclude each other there), then zone_pcp_disable(), which drains
"""

from kernels.alloc.buddy import (
    add_to_free_list,
    del_from_free_list,
    free_one_block,
    get_pageblock_migratetype,
    is_buddy_block,
    move_freepages_block,
    nid_of,
)
from kernels.alloc.pages import zone_pcp_disable, zone_pcp_enable, zone_watermark_ok
from kernels.base import counter
from kernels.base.atomics import load_relaxed, store_release
from kernels.base.jit import kernel
from kernels.base.layout import EV_SET_MIGRATETYPE, LC_ZONE, MT_ISOLATE, NR_ORDERS, SH_BUDDY, SH_CAPTURED, SH_OWNED, T_BUDDY
from kernels.base.lock import spin_lock, spin_unlock
from kernels.base.vmstat import count, trace
from kernels.page.memdesc import buddy_order, word_type
from kernels.page.shadow import shadow_move


@kernel
def nr_allocated_in_block(mem, block):
    """Frames of a pageblock that are not in the buddy; zone->lock held, per-CPU lists drained.

    Progress    wait-free
    """
    pfn = block << mem.pageblock_order
    end = pfn + (1 << mem.pageblock_order)
    for order in range(mem.pageblock_order + 1, NR_ORDERS):  # inside a larger free block whose head stands in a lower one
        if is_buddy_block(mem, pfn & ~((1 << order) - 1), order):
            return 0
    allocated = 0
    while pfn < end:
        word = load_relaxed(mem.memdesc, pfn)
        if word_type(word) == T_BUDDY:
            pfn += 1 << buddy_order(word)
        else:
            allocated += 1
            pfn += 1
    return allocated


@kernel
def isolate_pageblock(mem, cpu, block):
    """Isolate a pageblock, disable and drain the per-CPU lists of its node.

    Models      set_migratetype_isolate() and zone_pcp_disable()
    Returns     False if it is isolated already
    Progress    blocking
    """
    nid = nid_of(mem, block << mem.pageblock_order)
    spin_lock(mem, cpu, nid, LC_ZONE)
    old = load_relaxed(mem.block_migratetype, block)
    if old == MT_ISOLATE:
        spin_unlock(mem, cpu, nid)
        return False
    mem.block_saved[block] = old
    move_freepages_block(mem, cpu, block, MT_ISOLATE)
    mem.zone_nr_isolate[nid] += 1
    spin_unlock(mem, cpu, nid)
    zone_pcp_disable(mem, cpu, nid)
    spin_lock(mem, cpu, nid, LC_ZONE)
    mem.block_allocated[block] = nr_allocated_in_block(mem, block)
    spin_unlock(mem, cpu, nid)
    # ORDER: release, so that a checker that sees the block drained sees the count
    store_release(mem.block_drained, block, 1)
    trace(mem, cpu, EV_SET_MIGRATETYPE, block << mem.pageblock_order, MT_ISOLATE)
    return True


@kernel
def unisolate_pageblock(mem, cpu, block):
    """Give an isolated pageblock back to its old migratetype.

    Models      unset_migratetype_isolate() and zone_pcp_enable()
    Progress    blocking on zone->lock
    """
    nid = nid_of(mem, block << mem.pageblock_order)
    spin_lock(mem, cpu, nid, LC_ZONE)
    store_release(mem.block_drained, block, 0)  # ORDER: release, pairs with the checker's read of the count before it
    move_freepages_block(mem, cpu, block, mem.block_saved[block])
    first = block << mem.pageblock_order
    if is_buddy_block(mem, first, mem.pageblock_order):  # free as a whole: merge with the neighbour it was kept from
        del_from_free_list(mem, cpu, first, mem.pageblock_order, mem.block_saved[block])
        free_one_block(mem, cpu, first, mem.pageblock_order)
    mem.zone_nr_isolate[nid] -= 1
    spin_unlock(mem, cpu, nid)
    zone_pcp_enable(mem, cpu, nid)
    trace(mem, cpu, EV_SET_MIGRATETYPE, block << mem.pageblock_order, mem.block_saved[block])


@kernel
def capture_free_block(mem, cpu, pfn, order):
    """Take a free block, found without the lock, out of the buddy for a scanner; zone->lock held.

    Models      __isolate_free_page(), mm/page_alloc.c
    Returns     False if it is no longer a free block of that order, or the zone is at its min watermark
    Progress    wait-free
    """
    if get_pageblock_migratetype(mem, pfn) == MT_ISOLATE:
        # Isolated since the scanner looked: what is captured is as good as allocated (I18).
        count(mem, cpu, counter.MET_CAPTURE_IN_ISOLATED_BLOCK_REFUSED, 1)
        return False
    if not is_buddy_block(mem, pfn, order) or not zone_watermark_ok(mem, nid_of(mem, pfn), order, mem.zone_min[nid_of(mem, pfn)]):
        return False
    del_from_free_list(mem, cpu, pfn, order, get_pageblock_migratetype(mem, pfn))
    shadow_move(mem, cpu, pfn, order, SH_BUDDY, SH_CAPTURED)
    return True


@kernel
def take_page_off_buddy(mem, cpu, pfn):
    """Take one frame out of the free block that it is in, and give the rest of the block back; zone->lock held.

    Models      take_page_off_buddy(), break_down_buddy_pages(), mm/page_alloc.c
    Differs     leaves isolated pageblocks alone: what is taken from one is as good as allocated (I18)
    Returns     False if the frame is in no free block
    Progress    wait-free
    """
    migratetype, nid = get_pageblock_migratetype(mem, pfn), nid_of(mem, pfn)
    if migratetype == MT_ISOLATE:
        return False
    for order in range(NR_ORDERS):
        head = pfn & ~((1 << order) - 1)
        if head >= nid * mem.frames_per_node and is_buddy_block(mem, head, order):
            del_from_free_list(mem, cpu, head, order, migratetype)
            for half in range(order - 1, -1, -1):
                upper = head + (1 << half)
                if pfn >= upper:
                    add_to_free_list(mem, head, half, migratetype)
                    head = upper
                else:
                    add_to_free_list(mem, upper, half, migratetype)
            shadow_move(mem, cpu, pfn, 0, SH_BUDDY, SH_OWNED)
            return True
    return False
