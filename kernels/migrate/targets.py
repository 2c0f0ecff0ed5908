"""Where migrated objects go: frames that a free scanner captured, or the allocator; and the pair allocate / free target per type.

Models      isolate_freepages(), compaction_alloc(), compaction_free(), mm/compaction.c (0003e2a4); alloc_migration_target(); P11
Differs     captured frames are in per-CPU stacks by order; the scanner's cached position is the zone's, shared by all scanners
Invariants  I1: a captured frame is in no free list and has no owner; what is left is given back; C11
Protocol    words and bits are read without the lock, and again under zone->lock, or by a claim, before a block is taken
"""

from kernels.alloc.buddy import get_pageblock_migratetype, nid_of
from kernels.alloc.isolation import capture_free_block
from kernels.alloc.pages import alloc_frozen_pages, check_none, free_frozen_pages, free_to_zone
from kernels.alloc.zone import free_order, is_free_block
from kernels.base import counter
from kernels.base.atomics import load_relaxed, store_relaxed
from kernels.base.bug import chaos_point
from kernels.base.jit import kernel
from kernels.base.layout import (
    ALLOCATOR_BITFIELD,
    CC_CAPACITY,
    CC_WANTED,
    EV_ISOLATE_FREE,
    LC_ZONE,
    MT_MOVABLE,
    NR_ORDERS,
    SH_CAPTURED,
    SH_OWNED,
)
from kernels.base.lock import spin_lock, spin_unlock
from kernels.base.vmstat import count, trace
from kernels.page.folio import desc_free, folio_prepare, folio_publish, folio_retire_words
from kernels.page.refcount import ref_put_testzero
from kernels.page.shadow import shadow_move

FROM_SCANNER, FROM_ALLOCATOR = 0, 1
CLUSTER_MAX = 32  # COMPACT_CLUSTER_MAX


@kernel
def want_targets(mem, cpu, nr_frames):
    """Record how many frames this CPU has isolated to migrate: a refill continues until it has captured as many.

    Models      cc->nr_migratepages, mm/compaction.c
    Progress    wait-free
    """
    mem.cc_count[cpu * 16 + CC_WANTED] = nr_frames


@kernel
def has_targets(mem, cpu):
    """Whether as many frames are captured as were wanted.

    Progress    wait-free
    """
    return mem.cc_pages[cpu] >= mem.cc_count[cpu * 16 + CC_WANTED]


@kernel
def cc_push(mem, cpu, pfn, order):
    """Put captured frames on this CPU's stack; if it is full they go back to the zone.

    Progress    wait-free, or blocking on zone->lock
    """
    top = mem.cc_count[cpu * 16 + order]
    if top == CC_CAPACITY:
        free_to_zone(mem, cpu, pfn, order, SH_CAPTURED)
        return
    mem.cc_frames[(cpu * NR_ORDERS + order) * CC_CAPACITY + top] = pfn
    mem.cc_count[cpu * 16 + order] = top + 1
    mem.cc_pages[cpu] += 1 << order


@kernel
def cc_pop(mem, cpu, order):
    """Take 2^order captured frames, splitting a larger block if need be.

    Models      compaction_alloc(), mm/compaction.c
    Returns     pfn or -1
    Progress    wait-free
    """
    for high in range(order, NR_ORDERS):
        top = mem.cc_count[cpu * 16 + high]
        if top > 0:
            pfn = mem.cc_frames[(cpu * NR_ORDERS + high) * CC_CAPACITY + top - 1]
            mem.cc_count[cpu * 16 + high] = top - 1
            mem.cc_pages[cpu] -= 1 << high
            for below in range(high - 1, order - 1, -1):
                cc_push(mem, cpu, pfn + (1 << below), below)
            return pfn
    return -1


@kernel
def cc_release(mem, cpu):
    """Give what is left on this CPU's stacks back to the zones.

    Models      release_free_list(), mm/compaction.c
    Progress    blocking on zone->lock
    """
    for order in range(NR_ORDERS):
        while mem.cc_count[cpu * 16 + order] > 0:
            top = mem.cc_count[cpu * 16 + order] - 1
            mem.cc_count[cpu * 16 + order] = top
            mem.cc_pages[cpu] -= 1 << order
            free_to_zone(mem, cpu, mem.cc_frames[(cpu * NR_ORDERS + order) * CC_CAPACITY + top], order, SH_CAPTURED)


@kernel
def suitable_target(mem, block):
    """Whether a free scanner looks into a pageblock: movable, and not free as a whole (a hint).

    Models      suitable_migration_target(), mm/compaction.c
    Progress    wait-free
    """
    first_pfn = block << mem.pageblock_order
    if is_free_block(mem, block):
        return False
    return get_pageblock_migratetype(mem, first_pfn) == MT_MOVABLE


@kernel
def isolate_freepages_block(mem, cpu, pfn, stride):
    """Capture the free blocks from `pfn` to the end of its pageblock, lowest first, until there are enough.

    Models      isolate_freepages_block(), mm/compaction.c
    Parameters  stride: frames from one look to the next
    Returns     the frame to look at next; the first one of the next pageblock if this one is done
    Progress    blocking on zone->lock, block by block
    """
    scanned, end = 0, (pfn >> mem.pageblock_order) + 1 << mem.pageblock_order
    nid = nid_of(mem, pfn)
    enough = False
    while pfn < end and not enough:
        order = free_order(mem, pfn, load_relaxed(mem.memdesc, pfn))
        scanned += 1
        if order < 0:
            pfn += stride
            continue
        if order >= mem.pageblock_order:  # the whole pageblock has become free
            pfn = end
            continue
        chaos_point(mem, cpu)
        if mem.policy_allocator == ALLOCATOR_BITFIELD:
            captured = capture_free_block(mem, cpu, pfn, order)
        else:
            spin_lock(mem, cpu, nid, LC_ZONE)
            captured = capture_free_block(mem, cpu, pfn, order)
            spin_unlock(mem, cpu, nid)
        if captured:
            trace(mem, cpu, EV_ISOLATE_FREE, pfn, order)
            count(mem, cpu, counter.COMPACT_ISOLATED, 1 << order)
            cc_push(mem, cpu, pfn, order)
            enough = has_targets(mem, cpu)
        else:
            count(mem, cpu, counter.MET_FREE_BLOCK_VANISHED, 1)
        scanned += (1 << order) - 1
        pfn += (1 << order) - 1 + (1 if enough else stride)
    count(mem, cpu, counter.COMPACT_FREE_SCANNED, scanned)
    return min(pfn, end)


@kernel
def isolate_freepages(mem, cpu, nid):
    """Refill this CPU's stacks from the top of a zone downwards, staying above its migrate scanner.

    Models      isolate_freepages(), mm/compaction.c
    Differs     the stride starts at 1 in every mode, where Linux starts at COMPACT_CLUSTER_MAX in ASYNC; no fast_isolate_freepages()
    Protocol    zone_free_pfn is the next frame to look at, in the middle of a pageblock if there were enough. After a pageblock
                without a free frame the next one is looked into at every second frame, then at every fourth, up to CLUSTER_MAX;
                after one with a free frame at every frame again
    Progress    at most one pass over the zone
    """
    first = nid * mem.frames_per_node >> mem.pageblock_order
    last = ((nid + 1) * mem.frames_per_node >> mem.pageblock_order) - 1
    pfn = load_relaxed(mem.zone_free_pfn, nid)
    block = min(max(pfn >> mem.pageblock_order, first), last)
    pfn = pfn if pfn >> mem.pageblock_order == block else block << mem.pageblock_order
    stride, enough = 1, False
    while block > load_relaxed(mem.zone_migrate_pfn, nid) >> mem.pageblock_order and not enough:
        if suitable_target(mem, block):
            before = mem.cc_pages[cpu]
            pfn = isolate_freepages_block(mem, cpu, pfn, stride)
            stride = 1 if mem.cc_pages[cpu] > before else min(stride << 1, CLUSTER_MAX)
            enough = has_targets(mem, cpu)
        else:
            pfn = block + 1 << mem.pageblock_order
        if pfn >> mem.pageblock_order > block:
            block -= 1
            pfn = block << mem.pageblock_order
    store_relaxed(mem.zone_free_pfn, nid, max(pfn, first << mem.pageblock_order))


@kernel
def alloc_target_frames(mem, cpu, pfn, order, targets):
    """Frames for 2^order frames at `pfn` to move to.

    Parameters  targets: FROM_SCANNER captures in the same zone; FROM_ALLOCATOR asks the allocator for movable memory
    Returns     pfn or -1
    Progress    blocking
    """
    nid = nid_of(mem, pfn)
    if targets == FROM_ALLOCATOR:
        return alloc_frozen_pages(mem, cpu, nid, order, MT_MOVABLE)
    taken = cc_pop(mem, cpu, order)
    if taken < 0:
        isolate_freepages(mem, cpu, nid)
        taken = cc_pop(mem, cpu, order)
    if taken >= 0:
        check_none(mem, cpu, taken, order)
        shadow_move(mem, cpu, taken, order, SH_CAPTURED, SH_OWNED)
        mem.cc_count[cpu * 16 + CC_WANTED] -= 1 << order
    return taken


@kernel
def free_target_frames(mem, cpu, pfn, order, targets):
    """Give unused target frames back to where they came from.

    Models      compaction_free(), mm/compaction.c
    Progress    blocking
    """
    if targets == FROM_ALLOCATOR:
        free_frozen_pages(mem, cpu, pfn, order)
    else:
        check_none(mem, cpu, pfn, order)
        shadow_move(mem, cpu, pfn, order, SH_OWNED, SH_CAPTURED)
        cc_push(mem, cpu, pfn, order)
        mem.cc_count[cpu * 16 + CC_WANTED] += 1 << order


@kernel
def publish_target(mem, cpu, src, pfn):
    """A target for a folio in the frames at `pfn`, with one reference, initialised no further than that (C11).

    Progress    as desc_alloc
    """
    dst = folio_prepare(mem, cpu, mem.folio_type[src], pfn, mem.folio_order[src], 0, 0)
    folio_publish(mem, cpu, dst, 1)
    return dst


@kernel
def alloc_target_folio(mem, cpu, src, targets):
    """Allocate a target for a folio.

    Returns     the descriptor with one reference, or -1
    Progress    blocking
    """
    pfn = alloc_target_frames(mem, cpu, mem.folio_pfn[src], mem.folio_order[src], targets)
    return publish_target(mem, cpu, src, pfn) if pfn >= 0 else -1


@kernel
def free_target_folio(mem, cpu, dst, targets):
    """Give an unused target back; if a speculator holds a reference, the speculator's put frees it.

    Models      compaction_free(), mm/compaction.c
    Progress    blocking
    """
    pfn, order = mem.folio_pfn[dst], mem.folio_order[dst]
    if ref_put_testzero(mem, cpu, dst, 1):
        folio_retire_words(mem, cpu, dst)
        desc_free(mem, cpu, dst)
        free_target_frames(mem, cpu, pfn, order, targets)
