"""Pageblocks isolated, drained and taken under allocator = bitfield.

Models      set_migratetype_isolate(), unset_migratetype_isolate(), mm/page_isolation.c; zone_pcp_disable(), mm/page_alloc.c, as
            far as it waits; P12, P22
Differs     LLFree has no isolation. A flag in the pageblock's word refuses claims, in the same instruction that tells how many frames
            were free; the drain waits for claims that were made before, as a drain of per-CPU lists waits for their locks
Invariants  I17: each frame is counted in zone_free or zone_isolate_free as the flag says; I18
Protocol    the flag and the migratetype change under zone->lock, as in the buddy, so that isolators exclude each other. Isolate: exchange
            the migratetype, set the flag, move the count. Drain: wait until the count and the clear bits agree. Take: claim, set the bits
"""

from kernels.alloc.bitfield import count_clear, no_claim_is_left
from kernels.alloc.buddy import nid_of
from kernels.alloc.trees import account, account_isolated, take_given_isolated, trees_give
from kernels.base import counter
from kernels.base.atomics import exchange_relaxed, fetch_and_acq_rel, fetch_or_acq_rel, store_relaxed
from kernels.base.bug import relax
from kernels.base.jit import kernel
from kernels.base.layout import CHUNK_COUNT_MASK, CHUNK_ISOLATED, MT_ISOLATE
from kernels.base.vmstat import count


@kernel
def isolate_chunk(mem, cpu, chunk):
    """Refuse claims in a pageblock from now on; zone->lock held.

    Progress    wait-free
    """
    nid = nid_of(mem, chunk << mem.pageblock_order)
    # an allocation may give a pageblock its migratetype meanwhile: it fails once this is done
    mem.block_saved[chunk] = exchange_relaxed(mem.block_migratetype, chunk, MT_ISOLATE)
    # ORDER: acquire and release: claims and frees come before it or after it
    free = fetch_or_acq_rel(mem.chunk_word, chunk, CHUNK_ISOLATED) & CHUNK_COUNT_MASK
    account(mem, cpu, nid, -free)
    account_isolated(mem, nid, free)


@kernel
def unisolate_chunk(mem, cpu, chunk, saved):
    """Allow claims in an isolated pageblock again; zone->lock held.

    Parameters  saved: its migratetype from now on
    Progress    wait-free
    """
    nid = nid_of(mem, chunk << mem.pageblock_order)
    store_relaxed(mem.block_migratetype, chunk, saved)
    # ORDER: release, pairs with claim_frames' acquire: a claim sees that the pageblock is not drained any more
    free = fetch_and_acq_rel(mem.chunk_word, chunk, ~CHUNK_ISOLATED) & CHUNK_COUNT_MASK
    account(mem, cpu, nid, free)
    account_isolated(mem, nid, -free)


@kernel
def wait_for_claims(mem, cpu, chunk):
    """Wait until each claim that was made in a pageblock before its isolation has its frames, or was undone.

    Progress    blocking on CPUs between a claim and its bits, or a free and its count
    """
    spins = 0
    while not no_claim_is_left(mem, chunk):
        if spins == 0:
            count(mem, cpu, counter.MET_ISOLATION_MET_CLAIM, 1)
        spins = relax(mem, cpu, spins)


@kernel
def nr_taken(mem, chunk):
    """Frames of a pageblock that are not free.

    Progress    wait-free
    """
    return (1 << mem.pageblock_order) - count_clear(mem, chunk)


@kernel
def fitting(mem, pfn, end):
    """The order of the largest aligned block at a frame that does not reach beyond `end`, a pageblock at most.

    Progress    wait-free
    """
    order = 0
    while order < mem.pageblock_order and pfn & ((2 << order) - 1) == 0 and pfn + (2 << order) <= end:
        order += 1
    return order


@kernel
def take_isolated_frames(mem, cpu, start, end):
    """Take a range of isolated pageblocks, if all of it is free and not claimed.

    Returns     -1; or the first frame of the block that could not be taken, and nothing was changed
    Progress    lock-free
    """
    pfn = start
    while pfn < end:
        order = fitting(mem, pfn, end)
        if not take_given_isolated(mem, cpu, pfn, order):
            break
        pfn += 1 << order
    if pfn >= end:
        return -1
    done = start
    while done < pfn:
        order = fitting(mem, done, end)
        trees_give(mem, cpu, done, order)
        done += 1 << order
    return pfn
