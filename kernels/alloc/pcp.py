"""Per-CPU lists and the zone: how many blocks are taken and given back at a time, and how.

Models      nr_pcp_alloc(), rmqueue_bulk(), nr_pcp_free(), free_pcppages_bulk(), mm/page_alloc.c (linux-mm tree, 00cb34b034a5); P12
Differs     a list is an array: allocation and free at the top, drains from the bottom (the coldest), as Linux drains the tail;
            batches adapt to streaks of refills or of drains and to the length of the lists, not to reclaim; a full list makes room
            before the free, where Linux drains after it; a drain frees blocks that make up a larger one as that, where Linux merges
            them one by one; it keeps pcp->lock, where Linux drops it between batches
Invariants  I2, I18: a disabled list (PCP_HIGH 0) is not refilled
Protocol    all of it under pcp->lock, within which zone->lock nests
"""

from kernels.alloc.buddy import free_one_block, prefetch_merge, rmqueue_bulk
from kernels.base import counter
from kernels.base.atomics import load_relaxed, prefetch_write
from kernels.base.flavour import CHECKED
from kernels.base.jit import kernel, slow_kernel
from kernels.base.layout import (
    LC_ZONE,
    NR_PCPTYPES,
    PCP_BATCH_SCALE_MAX,
    PCP_HIGH,
    PCP_LISTS,
    PCP_STREAK,
    PCP_STRIDE,
    PCP_TOTAL,
    SH_BUDDY,
    SH_PCP,
)
from kernels.base.lock import spin_lock, spin_unlock
from kernels.base.vmstat import count
from kernels.page.shadow import shadow_move

PREFETCH_BLOCKS = 6  # how far ahead of a drain links are fetched: some 100 ns, the third level of cache


@kernel
def pcp_frames_base(mem, pcp, which):
    """The first slot of list `which` of per-CPU lists `pcp`.

    Progress    wait-free
    """
    return (pcp * PCP_LISTS + which) * mem.pcp_capacity


@kernel
def nr_pcp_alloc(mem, pcp, nid, order):
    """How many blocks to refill a list with: a batch, twice as many at each further refill without a drain in between; pcp->lock held.

    Models      nr_pcp_alloc(), mm/page_alloc.c
    Differs     PCP_STREAK replaces pcp->alloc_factor, which each free halves too. The high mark does not adapt; a batch does not
                grow where it would take the zone below its high watermark, below which Linux stops raising the high mark
    Returns     at least 1
    Progress    wait-free
    """
    base = mem.pcp_batch
    streak = max(mem.pcp_nr[pcp * PCP_STRIDE + PCP_STREAK], 0)
    mem.pcp_nr[pcp * PCP_STRIDE + PCP_STREAK] = min(streak + 1, PCP_BATCH_SCALE_MAX)
    if order > 0 or load_relaxed(mem.zone_free, nid) - (base << streak) < load_relaxed(mem.zone_high, nid):
        return max(1, base >> order)
    room = mem.pcp_nr[pcp * PCP_STRIDE + PCP_HIGH] - mem.pcp_nr[pcp * PCP_STRIDE + PCP_TOTAL] - base
    return min(base << streak, max(room, base))


@slow_kernel
def pcp_refill(mem, cpu, pcp, nid, order, migratetype):
    """Take a batch of blocks from the zone, unless the lists are disabled; pcp->lock held.

    Models      rmqueue_bulk(), mm/page_alloc.c
    Returns     blocks now on the list
    Progress    blocking on zone->lock
    """
    if mem.pcp_nr[pcp * PCP_STRIDE + PCP_HIGH] == 0:
        return 0
    which = order * NR_PCPTYPES + migratetype
    base = pcp_frames_base(mem, pcp, which)
    nr_blocks = nr_pcp_alloc(mem, pcp, nid, order)
    spin_lock(mem, cpu, nid, LC_ZONE)
    taken = rmqueue_bulk(mem, cpu, nid, order, migratetype, base + nr_blocks - 1, nr_blocks)
    if CHECKED:
        for k in range(nr_blocks - taken, nr_blocks):
            shadow_move(mem, cpu, mem.pcp_frames[base + k], order, SH_BUDDY, SH_PCP)
    spin_unlock(mem, cpu, nid)
    if taken < nr_blocks:
        for k in range(taken):
            mem.pcp_frames[base + k] = mem.pcp_frames[base + nr_blocks - taken + k]
    mem.pcp_nr[pcp * PCP_STRIDE + which] = taken
    mem.pcp_nr[pcp * PCP_STRIDE + PCP_TOTAL] += taken << order
    count(mem, cpu, counter.PCP_REFILL, 1)
    return taken


@kernel
def order_of_run(mem, slot, nr_blocks, order):
    """The order of the largest block that the blocks of 2^order at `slot` and the next ones make up, in order or in reverse.

    The first 2^k of them are a block if and only if the n-th differs from the first one in the bits of n.

    Parameters  slot: of pcp_frames; nr_blocks: slots to look at, at least 1
    Returns     order or more, at most pageblock_order: the block may have one migratetype only
    Progress    wait-free
    """
    pfn = mem.pcp_frames[slot]
    most = min(nr_blocks, 1 << max(mem.pageblock_order - order, 0))
    length = 1
    while length < most and mem.pcp_frames[slot + length] ^ pfn == length << order:
        length += 1
    while length > 1:
        length >>= 1
        order += 1
    return order


@slow_kernel
def pcp_drain_list(mem, cpu, pcp, nid, which, nr_blocks):
    """Give the `nr_blocks` coldest blocks of a list back to the zone; pcp->lock held.

    Models      free_pcppages_bulk(), mm/page_alloc.c
    Progress    blocking on zone->lock
    """
    order = which // NR_PCPTYPES
    base = pcp_frames_base(mem, pcp, which)
    slot = pcp * PCP_STRIDE + which
    held = mem.pcp_nr[slot]
    nr_blocks = min(nr_blocks, held)
    if nr_blocks == 0:
        return
    for k in range(nr_blocks):
        prefetch_write(mem.frame_next, mem.pcp_frames[base + k])  # its own links, and mostly those of its buddy
    spin_lock(mem, cpu, nid, LC_ZONE)
    done = 0
    while done < nr_blocks:
        prefetch_merge(mem, mem.pcp_frames[base + min(done + PREFETCH_BLOCKS, nr_blocks - 1)], order)
        piece = order_of_run(mem, base + done, nr_blocks - done, order)
        pfn = mem.pcp_frames[base + done] & ~((1 << piece) - 1)
        shadow_move(mem, cpu, pfn, piece, SH_PCP, SH_BUDDY)
        free_one_block(mem, cpu, pfn, piece)
        done += 1 << (piece - order)
    spin_unlock(mem, cpu, nid)
    for k in range(nr_blocks, held):
        mem.pcp_frames[base + k - nr_blocks] = mem.pcp_frames[base + k]
    mem.pcp_nr[slot] = held - nr_blocks
    mem.pcp_nr[pcp * PCP_STRIDE + PCP_TOTAL] -= nr_blocks << order
    count(mem, cpu, counter.PCP_DRAIN, 1)


@kernel
def nr_pcp_free(mem, pcp, high):
    """How many frames to drain at a time: a batch, twice as many at each further drain without a refill in between; pcp->lock held.

    Models      nr_pcp_free(), mm/page_alloc.c
    Differs     PCP_STREAK replaces pcp->free_count, the frames freed without an allocation in between; where the high mark is large, as
                on a recorded machine, a 32nd of it does
    Returns     at least 1, and at most what leaves a batch on the lists
    Progress    wait-free
    """
    base = mem.pcp_batch
    streak = max(-mem.pcp_nr[pcp * PCP_STRIDE + PCP_STREAK], 0)
    mem.pcp_nr[pcp * PCP_STRIDE + PCP_STREAK] = -min(streak + 1, PCP_BATCH_SCALE_MAX)
    if high >> 5 > base:
        return high >> 5
    return min(base << streak, max(high - base, base))


@slow_kernel
def pcp_make_room(mem, cpu, pcp, nid, which):
    """Give a batch of frames back to the zone, beginning with the list after `which`; pcp->lock held.

    Models      the round robin of free_pcppages_bulk(); nr_pcp_free(): long lists give more at a time, mm/page_alloc.c
    Differs     Linux begins with the list `which` itself
    Returns     False if the lists are disabled
    Progress    blocking on zone->lock
    """
    high = mem.pcp_nr[pcp * PCP_STRIDE + PCP_HIGH]
    if high == 0:
        return False
    batch = nr_pcp_free(mem, pcp, high)
    room = max(batch, 1 << which // NR_PCPTYPES)
    for k in range(PCP_LISTS):
        other = (which + 1 + k) % PCP_LISTS
        if mem.pcp_nr[pcp * PCP_STRIDE + PCP_TOTAL] + room <= high:
            break
        pcp_drain_list(mem, cpu, pcp, nid, other, max(1, batch >> other // NR_PCPTYPES))
    return True
