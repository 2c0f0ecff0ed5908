"""Pageblock isolation: no allocation from a range while it is evacuated; taking a whole range out of the buddy; and capture of free frames.

Models      set_migratetype_isolate(), unset_migratetype_isolate(), test_pages_isolated(), mm/page_isolation.c;
            isolate_freepages_range(), mm/compaction.c; __isolate_free_page(), take_page_off_buddy(), mm/page_alloc.c; P12
Differs     the block's old type is saved and restored, where Linux sets a separate isolate bit in the pageblock flags; a range
            is tested and taken under one hold of zone->lock
Invariants  I17, I18: after the drain returns, nothing of the block is allocated until it is given back
Protocol    isolate under zone->lock (two isolators exclude each other there), then drain the per-CPU lists; a caller that
            must keep frames of the block off them disables them first with zone_pcp_disable()
"""

from kernels.alloc.bitfield import first_taken
from kernels.alloc.buddy import (
    add_to_free_list,
    del_from_free_list,
    free_one_block,
    get_pageblock_migratetype,
    is_buddy_block,
    move_freepages_block,
    nid_of,
)
from kernels.alloc.chunks import (
    fitting,
    isolate_chunk,
    nr_taken,
    take_isolated_frames,
    unisolate_chunk,
    wait_for_claims,
)
from kernels.alloc.pages import zone_pcp_disable, zone_pcp_enable, zone_watermark_ok
from kernels.alloc.trees import take_given
from kernels.base import counter
from kernels.base.atomics import load_relaxed, store_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import (
    ALLOCATOR_BITFIELD,
    EV_SET_MIGRATETYPE,
    LC_ZONE,
    MT_ISOLATE,
    NR_ORDERS,
    SH_BUDDY,
    SH_CAPTURED,
    SH_OWNED,
    T_BUDDY,
)
from kernels.base.lock import spin_lock, spin_unlock
from kernels.base.vmstat import count, trace
from kernels.page.memdesc import buddy_order, word_type
from kernels.page.shadow import shadow_move, shadow_set


@kernel
def free_block_around(mem, pfn):
    """The order of the free block that a frame is in: exact under zone->lock, a hint without.

    Models      find_large_buddy(), mm/page_alloc.c
    Returns     the order, or -1 if the frame is not free
    Progress    wait-free
    """
    first = nid_of(mem, pfn) * mem.frames_per_node
    for order in range(NR_ORDERS):
        head = pfn & ~((1 << order) - 1)
        if head >= first and is_buddy_block(mem, head, order):
            return order
    return -1


@kernel
def busy_frame(mem, start, end):
    """The first frame of a range that is in no free block: exact under zone->lock, a hint without.

    Models      __test_page_isolated_in_pageblock(), mm/page_isolation.c
    Returns     its pfn, or -1
    Progress    wait-free
    """
    if mem.policy_allocator == ALLOCATOR_BITFIELD:
        return first_taken(mem, start, end)
    pfn = start
    order = free_block_around(mem, start)  # its head may be before the range
    if order >= 0:
        pfn = (start & ~((1 << order) - 1)) + (1 << order)
    while pfn < end:
        word = load_relaxed(mem.memdesc, pfn)
        if word_type(word) != T_BUDDY:
            return pfn
        pfn += 1 << min(buddy_order(word), NR_ORDERS - 1)
    return -1


@kernel
def nr_allocated_in_block(mem, block):
    """Frames of a pageblock that are not in the buddy; zone->lock held, per-CPU lists drained.

    Progress    wait-free
    """
    if mem.policy_allocator == ALLOCATOR_BITFIELD:
        return nr_taken(mem, block)
    pfn = block << mem.pageblock_order
    end = pfn + (1 << mem.pageblock_order)
    for order in range(mem.pageblock_order + 1, NR_ORDERS):  # inside a larger free block with its head in a lower one
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


# ---------------------------------------------------------------------------------------------------------- isolation


@kernel
def change_block(mem, cpu, block, migratetype):
    """Change a pageblock's migratetype and the place of its free frames; zone->lock held.

    Models      __move_freepages_block_isolate(), mm/page_alloc.c
    Progress    wait-free
    """
    if mem.policy_allocator != ALLOCATOR_BITFIELD:
        move_freepages_block(mem, cpu, block, migratetype)
    elif migratetype == MT_ISOLATE:
        isolate_chunk(mem, cpu, block)
    else:
        unisolate_chunk(mem, cpu, block, migratetype)


@kernel
def set_migratetype_isolate(mem, cpu, block):
    """Isolate a pageblock; a larger free block around it is split.

    Models      set_migratetype_isolate(), mm/page_isolation.c
    Differs     does not call has_unmovable_pages() under the lock; callers that need the check call unmovable_frame() before
    Returns     False if it is isolated already, or not online
    Progress    blocking on zone->lock
    """
    nid = nid_of(mem, block << mem.pageblock_order)
    spin_lock(mem, cpu, nid, LC_ZONE)
    old = load_relaxed(mem.block_migratetype, block)
    if old == MT_ISOLATE:
        spin_unlock(mem, cpu, nid)
        return False
    mem.block_saved[block] = old
    change_block(mem, cpu, block, MT_ISOLATE)
    mem.zone_nr_isolate[nid] += 1
    spin_unlock(mem, cpu, nid)
    trace(mem, cpu, EV_SET_MIGRATETYPE, block << mem.pageblock_order, MT_ISOLATE)
    return True


@kernel
def unset_migratetype_isolate(mem, cpu, block):
    """Give an isolated pageblock back to its old migratetype.

    Models      unset_migratetype_isolate(), mm/page_isolation.c
    Progress    blocking on zone->lock
    """
    nid = nid_of(mem, block << mem.pageblock_order)
    # the block_* words are the caller's until the migratetype changes: after that the next isolator may write them
    store_relaxed(mem.block_drained, block, 0)
    saved, first = mem.block_saved[block], block << mem.pageblock_order
    spin_lock(mem, cpu, nid, LC_ZONE)
    change_block(mem, cpu, block, saved)
    if is_buddy_block(mem, first, mem.pageblock_order):  # all of it is free: merge with the neighbour that isolation kept it from
        del_from_free_list(mem, cpu, first, mem.pageblock_order, saved)
        free_one_block(mem, cpu, first, mem.pageblock_order)
    mem.zone_nr_isolate[nid] -= 1
    spin_unlock(mem, cpu, nid)
    trace(mem, cpu, EV_SET_MIGRATETYPE, first, saved)


@kernel
def isolate_pageblock(mem, cpu, block):
    """Isolate a pageblock, disable and drain the per-CPU lists of its node.

    Models      set_migratetype_isolate() and zone_pcp_disable()
    Returns     False if it is isolated already
    Progress    blocking
    """
    if not set_migratetype_isolate(mem, cpu, block):
        return False
    nid = nid_of(mem, block << mem.pageblock_order)
    zone_pcp_disable(mem, cpu, nid)
    if mem.policy_allocator == ALLOCATOR_BITFIELD:
        wait_for_claims(mem, cpu, block)
    spin_lock(mem, cpu, nid, LC_ZONE)
    mem.block_allocated[block] = nr_allocated_in_block(mem, block)
    spin_unlock(mem, cpu, nid)
    store_relaxed(mem.block_drained, block, 1)
    return True


@kernel
def unisolate_pageblock(mem, cpu, block):
    """Give an isolated pageblock its old migratetype again, and undo the disabling of its node's per-CPU lists.

    Models      unset_migratetype_isolate() and zone_pcp_enable()
    Progress    blocking on zone->lock
    """
    unset_migratetype_isolate(mem, cpu, block)
    zone_pcp_enable(mem, cpu, nid_of(mem, block << mem.pageblock_order))


# ----------------------------------------------------------------------------------------------------- a range as a whole


@kernel
def order_fitting(mem, pfn, end):
    """The order of the largest aligned block at `pfn` that does not reach beyond `end` and is no larger than a pageblock.

    Progress    wait-free
    """
    return fitting(mem, pfn, end)


@kernel
def give_back_part(mem, pfn, end):
    """Free a part of a block that was taken off its free list; zone->lock held.

    Progress    wait-free
    """
    while pfn < end:
        order = order_fitting(mem, pfn, end)
        add_to_free_list(mem, pfn, order, get_pageblock_migratetype(mem, pfn))
        pfn += 1 << order


@kernel
def take_isolated_bits(mem, cpu, start, end):
    """take_isolated_range() under allocator = bitfield: no other CPU claims frames there, so pieces are taken one by one.

    Returns     as take_isolated_range
    Progress    lock-free
    """
    failed = take_isolated_frames(mem, cpu, start, end)
    if failed >= 0:
        busy = first_taken(mem, failed, end)
        return busy if busy >= 0 else failed  # freed meanwhile, or claimed
    pfn = start
    while pfn < end:
        order = fitting(mem, pfn, end)
        shadow_set(mem, cpu, pfn, order, SH_BUDDY, SH_OWNED)
        pfn += 1 << order
    return -1


@kernel
def take_isolated_range(mem, cpu, start, end):
    """Take a range of isolated pageblocks out of the buddy, if all of it is free there.

    Free blocks that straddle an end of the range are split, and their frames outside the range stay free.

    Models      test_pages_isolated(), mm/page_isolation.c; isolate_freepages_range(), mm/compaction.c; and the "free head and tail"
                of alloc_contig_range(), mm/page_alloc.c
    Returns     -1: the range is the caller's, its words NONE; else a frame that is in use, and nothing was changed
    Progress    blocking on zone->lock; lock-free under allocator = bitfield
    """
    if mem.policy_allocator == ALLOCATOR_BITFIELD:
        return take_isolated_bits(mem, cpu, start, end)
    nid = nid_of(mem, start)
    spin_lock(mem, cpu, nid, LC_ZONE)
    busy = busy_frame(mem, start, end)
    pfn = start if busy < 0 else end
    while pfn < end:
        order = free_block_around(mem, pfn)
        head = pfn & ~((1 << order) - 1)
        after = head + (1 << order)
        del_from_free_list(mem, cpu, head, order, get_pageblock_migratetype(mem, head))
        give_back_part(mem, head, pfn)
        give_back_part(mem, end, after)
        while pfn < min(after, end):
            piece = order_fitting(mem, pfn, min(after, end))
            shadow_set(mem, cpu, pfn, piece, SH_BUDDY, SH_OWNED)
            pfn += 1 << piece
    spin_unlock(mem, cpu, nid)
    return busy


@kernel
def capture_bits(mem, cpu, pfn, order):
    """capture_free_block() under allocator = bitfield: a claim refuses isolated pageblocks, and zone->lock is not needed.

    Returns     as capture_free_block
    Progress    lock-free
    """
    if get_pageblock_migratetype(mem, pfn) == MT_ISOLATE:
        count(mem, cpu, counter.MET_CAPTURE_IN_ISOLATED_BLOCK_REFUSED, 1)
    nid = nid_of(mem, pfn)
    if not zone_watermark_ok(mem, nid, order, load_relaxed(mem.zone_min, nid)) or not take_given(mem, cpu, pfn, order):
        return False
    shadow_set(mem, cpu, pfn, order, SH_BUDDY, SH_CAPTURED)
    return True


@kernel
def capture_free_block(mem, cpu, pfn, order):
    """Take a free block, found without the lock, out of the buddy for a scanner; zone->lock held.

    Models      __isolate_free_page(), mm/page_alloc.c
    Differs     refuses isolated pageblocks, and leaves the migratetype of large blocks' pageblocks alone
    Returns     False if it is no longer a free block of that order, or the zone is at its min watermark
    Progress    wait-free
    """
    if mem.policy_allocator == ALLOCATOR_BITFIELD:
        return capture_bits(mem, cpu, pfn, order)
    if get_pageblock_migratetype(mem, pfn) == MT_ISOLATE:
        # Isolated since the scanner looked: a captured frame counts as allocated (I18).
        count(mem, cpu, counter.MET_CAPTURE_IN_ISOLATED_BLOCK_REFUSED, 1)
        return False
    nid = nid_of(mem, pfn)
    if not is_buddy_block(mem, pfn, order) or not zone_watermark_ok(mem, nid, order, load_relaxed(mem.zone_min, nid)):
        return False
    del_from_free_list(mem, cpu, pfn, order, get_pageblock_migratetype(mem, pfn))
    shadow_move(mem, cpu, pfn, order, SH_BUDDY, SH_CAPTURED)
    return True


@kernel
def take_page_off_buddy(mem, cpu, pfn):
    """Take one frame out of the free block that it is in, and give the rest of the block back; zone->lock held.

    Models      take_page_off_buddy(), break_down_buddy_pages(), mm/page_alloc.c
    Differs     refuses isolated pageblocks: a frame taken from one counts as allocated (I18)
    Returns     False if the frame is in no free block, or its pageblock is isolated
    Progress    wait-free
    """
    migratetype, nid = get_pageblock_migratetype(mem, pfn), nid_of(mem, pfn)
    if migratetype == MT_ISOLATE:
        return False
    if mem.policy_allocator == ALLOCATOR_BITFIELD:
        if not take_given(mem, cpu, pfn, 0):
            return False
        shadow_set(mem, cpu, pfn, 0, SH_BUDDY, SH_OWNED)
        return True
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
