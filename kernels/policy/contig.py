"""Ranges of pageblocks: isolated, evacuated, and taken out of the allocator whole.

Models      alloc_contig_frozen_range(), __alloc_contig_migrate_range(), alloc_contig_frozen_pages(), free_contig_frozen_range(),
            mm/page_alloc.c (linux-mm tree, 00cb34b034a5), here under the names of their counted wrappers alloc_contig_range() and so
            on; start_isolate_page_range(), undo_isolate_page_range(), mm/page_isolation.c; P20
Differs     a round migrates window after window and returns to those that are not empty, where Linux tries 32 pages five times before
            it continues: a temporary reference has a whole round to be put. Between rounds the CPU yields, as cond_resched() does.
            What was not migrated is put back after each window and isolated again, so that no CPU waits for it in between; the frame
            in the way shows why a range was refused, without locks. Clean page cache is migrated, where Linux drops it
            (reclaim_clean_pages_from_list()); a lack of targets makes the next round reclaim, where Linux gives up on -ENOMEM
Invariants  I15: a range that was refused is as it was, its pageblocks of their old types; I17, I18; L1: MAX_TRIES rounds
Protocol    look for what cannot move; isolate the first pageblock, the last, the others; drain per-CPU lists and LRU batches, and keep
            the batches empty; align to the head of what straddles the start; migrate until all of it is free; under zone->lock test
            and take; un-isolate. Whatever fails, nothing stays isolated
"""

from kernels.alloc.buddy import nid_of
from kernels.alloc.hugetlb import huge_dissolve
from kernels.alloc.isolation import (
    busy_frame,
    isolate_pageblock,
    nr_allocated_in_block,
    order_fitting,
    set_migratetype_isolate,
    take_isolated_range,
    unset_migratetype_isolate,
)
from kernels.alloc.pages import drain_all_pages, free_frozen_pages, zone_watermark_ok
from kernels.alloc.release import lru_cache_disable, lru_cache_enable
from kernels.base import counter
from kernels.base.atomics import cycles, load_relaxed
from kernels.base.bug import SPINS_BEFORE_NAP, relax
from kernels.base.jit import kernel
from kernels.base.layout import (
    C_CONTIG_FAILED,
    C_CONTIG_REFUSED,
    M_RESERVED,
    MIGRATE_SYNC,
    MR_CONTIG_RANGE,
    MT_ISOLATE,
    REFUSAL_ISOLATED,
    REFUSAL_MOVABLE,
    REFUSAL_NO_RANGE,
    REFUSAL_NOMEM,
    REFUSAL_UNMOVABLE,
    SUBTYPE_MASK,
    SUBTYPE_SHIFT,
    T_MISC,
    TYPE_MASK,
    WAIT_CONTIG,
)
from kernels.base.vmstat import count, record_wait
from kernels.migrate.scan import head_of, unmovable_frame, what_is_there
from kernels.migrate.targets import FROM_ALLOCATOR
from kernels.migrate.window import migrate_window
from kernels.policy.reclaim import shrink_node

MAX_TRIES = 5
GIVE_WAY_TURNS = 512  # of relax() before the second round, twice as many before each further one


@kernel
def dissolve_free_huge_page(mem, cpu, block):
    """Free the hugetlb folio of a pageblock, if it is in the pool.

    Models      dissolve_free_hugetlb_folios(), mm/hugetlb.c, for a range of one pageblock, as offline_pages() uses it
    Differs     alloc_contig_frozen_range() uses replace_free_hugepage_folios()
    Progress    as free_frozen_pages
    """
    pfn = block << mem.pageblock_order
    if huge_dissolve(mem, cpu, nid_of(mem, pfn), pfn):
        free_frozen_pages(mem, cpu, pfn, mem.pageblock_order)


@kernel
def undo_isolate_page_range(mem, cpu, first_block, end_block):
    """Give isolated pageblocks back to their old migratetypes.

    Models      undo_isolate_page_range(), mm/page_isolation.c
    Progress    blocking on zone->lock
    """
    for block in range(first_block, end_block):
        unset_migratetype_isolate(mem, cpu, block)


@kernel
def start_isolate_page_range(mem, cpu, first_block, end_block):
    """Isolate pageblocks, all or none: first the two at the ends, where overlapping ranges meet, then those between.

    Models      start_isolate_page_range(), mm/page_isolation.c
    Returns     False if another CPU has isolated one of them; then the caller holds none
    Progress    blocking on zone->lock
    """
    last = end_block - 1
    if not set_migratetype_isolate(mem, cpu, first_block):
        return False
    if last > first_block and not set_migratetype_isolate(mem, cpu, last):
        unset_migratetype_isolate(mem, cpu, first_block)
        return False
    for block in range(first_block + 1, last):
        if not set_migratetype_isolate(mem, cpu, block):
            undo_isolate_page_range(mem, cpu, first_block, block)
            unset_migratetype_isolate(mem, cpu, last)
            return False
    return True


@kernel
def evacuate_round(mem, cpu, start, end, reason):
    """Migrate once what moves in each window of a range that is not empty.

    Progress    as migrate_range
    """
    pfn, block_frames = head_of(mem, start), 1 << mem.pageblock_order
    while pfn < end:
        after = min(end, (pfn & -block_frames) + mem.window_frames)
        if busy_frame(mem, pfn, after) >= 0:
            migrate_window(mem, cpu, pfn, after - pfn, MIGRATE_SYNC, reason, FROM_ALLOCATOR)
            for block in range(pfn >> mem.pageblock_order, (after - 1 >> mem.pageblock_order) + 1):
                dissolve_free_huge_page(mem, cpu, block)
        pfn = after


@kernel
def give_way(mem, cpu, turns):
    """Yield: a task that holds what is in the way may have been preempted by this one.

    Models      cond_resched()
    Progress    bounded
    """
    for turn in range(turns):
        relax(mem, cpu, SPINS_BEFORE_NAP + turn)


@kernel
def evacuate_range(mem, cpu, start, end, reason, max_tries):
    """Migrate everything that moves out of a range of isolated pageblocks.

    Models      __alloc_contig_migrate_range(), mm/page_alloc.c
    Returns     -1 if all of it was free; else a frame that was in the way (a hint either way: take_isolated_range() decides)
    Progress    at most max_tries rounds
    """
    nid, busy = nid_of(mem, start), start
    lru_cache_disable(mem, cpu)
    for attempt in range(max_tries):
        if attempt > 0:
            give_way(mem, cpu, GIVE_WAY_TURNS << attempt)
            drain_all_pages(mem, cpu, nid)
            if why_busy(mem, busy) == REFUSAL_NOMEM:
                shrink_node(mem, cpu, nid, 1 << mem.pageblock_order)  # alloc_migration_target() reclaims by itself
        evacuate_round(mem, cpu, start, end, reason)
        busy = busy_frame(mem, start, end)
        if busy < 0 or unmovable_frame(mem, busy, end) >= 0:
            break
    lru_cache_enable(mem)
    return busy


@kernel
def why_busy(mem, pfn):
    """Why a frame is in the way of a range (a hint).

    Returns     layout.Refusal
    Progress    wait-free
    """
    why = what_is_there(mem, pfn)
    if why == REFUSAL_MOVABLE:
        for nid in range(mem.nr_nodes):
            if zone_watermark_ok(mem, nid, 0, load_relaxed(mem.zone_low, nid)):
                return why
        return REFUSAL_NOMEM
    return why


@kernel
def alloc_contig_range(mem, cpu, start, end):
    """Take a range of frames out of the allocator, moving away what is in it.

    Models      alloc_contig_range(), mm/page_alloc.c
    Parameters  start, end: frames of one node, of any alignment
    Returns     -1: the frames are the caller's, their words NONE. Else why not (layout.Refusal), and everything is as it was
    Progress    bounded, blocking
    """
    first_block, end_block = start >> mem.pageblock_order, (end - 1 >> mem.pageblock_order) + 1
    if unmovable_frame(mem, start, end) >= 0:
        return REFUSAL_UNMOVABLE
    if not start_isolate_page_range(mem, cpu, first_block, end_block):
        return REFUSAL_ISOLATED
    drain_all_pages(mem, cpu, nid_of(mem, start))
    refusal = -1
    evacuate_range(mem, cpu, start, end, MR_CONTIG_RANGE, MAX_TRIES)
    busy = take_isolated_range(mem, cpu, start, end)
    if busy >= 0:
        refusal = why_busy(mem, busy)
    undo_isolate_page_range(mem, cpu, first_block, end_block)
    return refusal


@kernel
def is_candidate(mem, block):
    """Whether a range with this pageblock is worth a try: online, not isolated, not reserved.

    Models      pfn_range_valid_contig(), mm/page_alloc.c
    Differs     checks the first frame only, without zone->lock
    Progress    wait-free
    """
    word = load_relaxed(mem.memdesc, block << mem.pageblock_order)
    reserved = word & (TYPE_MASK | SUBTYPE_MASK << SUBTYPE_SHIFT) == T_MISC | M_RESERVED << SUBTYPE_SHIFT
    return not reserved and load_relaxed(mem.block_migratetype, block) != MT_ISOLATE


@kernel
def try_zone(mem, cpu, nid, nr_blocks, rank):
    """Try the aligned ranges of one node in turn, beginning with the `rank`-th.

    Parameters  nr_blocks: pageblocks of a range; rank: any number
    Returns     the first frame of a range that is the caller's, or -1 - layout.Refusal of the last range
    Progress    bounded
    """
    first, why = nid * mem.frames_per_node >> mem.pageblock_order, REFUSAL_NO_RANGE
    nr_ranges = (mem.frames_per_node >> mem.pageblock_order) // nr_blocks
    for k in range(nr_ranges):
        begin = first + (rank + k) % nr_ranges * nr_blocks
        wanted = True
        for block in range(begin, begin + nr_blocks):
            wanted = wanted and is_candidate(mem, block)
        if wanted:
            count(mem, cpu, counter.CONTIG_RANGES, 1)
            start = begin << mem.pageblock_order
            why = alloc_contig_range(mem, cpu, start, start + (nr_blocks << mem.pageblock_order))
            if why < 0:
                return start
            count(mem, cpu, C_CONTIG_REFUSED + why, 1)
    return -1 - why


@kernel
def alloc_contig_pages(mem, cpu, nid, nr_blocks, rank):
    """Allocate neighbouring pageblocks from some node: ranges are tried in turn until one can be emptied.

    Models      alloc_contig_pages(), mm/page_alloc.c
    Differs     the search begins at range `rank`, where Linux begins at the zone's start, so that not always the same range is emptied;
                it is repeated, as cma_alloc() does after -EBUSY, if what was in the way may be temporary: a CPU that isolated a pageblock
                of each range may have been preempted
    Parameters  nid: the node to begin with; rank: of its ranges
    Returns     the first frame, or -1; words are NONE
    Progress    at most MAX_TRIES searches, blocking
    """
    begin, found = cycles(), -1
    count(mem, cpu, counter.CONTIG_TRIED, 1)
    for attempt in range(MAX_TRIES):
        if attempt > 0:
            give_way(mem, cpu, GIVE_WAY_TURNS << attempt)
        for_the_moment = False
        for k in range(mem.nr_nodes):
            if found < 0:
                found = try_zone(mem, cpu, (nid + k) % mem.nr_nodes, nr_blocks, rank)
                for_the_moment = for_the_moment or found != -1 - REFUSAL_UNMOVABLE
        if found >= 0 or not for_the_moment:
            break
    if found >= 0:
        count(mem, cpu, counter.CONTIG_SUCCEEDED, 1)
    else:
        count(mem, cpu, C_CONTIG_FAILED + (-1 - found), 1)
        found = -1
    record_wait(mem, cpu, WAIT_CONTIG, cycles() - begin)
    return found


@kernel
def free_contig_range(mem, cpu, pfn, nr_frames):
    """Give a contiguous range back; its words must be NONE.

    Models      free_contig_range(), mm/page_alloc.c
    Progress    as free_frozen_pages
    """
    end = pfn + nr_frames
    while pfn < end:
        order = order_fitting(mem, pfn, end)
        free_frozen_pages(mem, cpu, pfn, order)
        pfn += 1 << order


@kernel
def isolate_and_evacuate(mem, cpu, block):
    """Isolate a pageblock and empty it as far as possible; it stays isolated, and its node's per-CPU lists disabled.

    Returns     frames still allocated in it (a hint: other CPUs free into it), or -1 if another CPU has isolated it
    Progress    bounded, blocking
    """
    if not isolate_pageblock(mem, cpu, block):
        return -1
    pfn = block << mem.pageblock_order
    evacuate_range(mem, cpu, pfn, pfn + (1 << mem.pageblock_order), MR_CONTIG_RANGE, 1)
    return nr_allocated_in_block(mem, block)
