"""Compaction of a zone: a migrate scanner going up, a free scanner going down, and when to run them.

Models      compact_zone(), isolate_migratepages(), compaction_suitable(), defer_compaction(), mm/compaction.c (0003e2a4); P11
Differs     one pageblock is one window, or `window_blocks` of them; both scanners' positions are the zone's, so that
            several compactors of a zone share the work; no proactive compaction and no capture of the freed block
Invariants  L1: a scan ends when the scanners meet or after `max_blocks`; D3: a block that gave nothing gets its skip bit
Protocol    words are read without any lock and are hints: migrate_range derives the types again
"""

from kernels.alloc.buddy import nid_of
from kernels.alloc.release import lru_add_drain
from kernels.alloc.zone import has_free_block
from kernels.base import counter
from kernels.base.atomics import cas_relaxed, load_relaxed, store_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import (
    EV_COMPACTION_BEGIN,
    EV_COMPACTION_END,
    MIGRATE_ASYNC,
    MIGRATE_SYNC,
    MR_COMPACTION,
    MT_ISOLATE,
    MT_MOVABLE,
)
from kernels.base.vmstat import count, trace
from kernels.migrate.targets import CLUSTER_MAX, FROM_SCANNER, cc_release, isolate_freepages, want_targets
from kernels.migrate.window import migrate_window
from kernels.page.memdesc import is_folio, word_desc

SKIP = 1 << 16  # of block_skip; the bits below hold the current scanner, CPU + 1
COMPACT_MAX_DEFER_SHIFT = 6
COMPACT_SUCCESS, COMPACT_CONTINUE, COMPACT_COMPLETE = range(3)


@kernel
def claim_block(mem, cpu, block):
    """Become the one scanner of a pageblock.

    Models      test_and_set_skip(), mm/compaction.c
    Returns     False if its skip bit is set or another CPU scans it
    Progress    wait-free
    """
    # a hint: what a scanner does in the block is decided by locks and re-checks there
    seen = cas_relaxed(mem.block_skip, block, 0, cpu + 1)
    if seen != 0 and seen != SKIP:
        count(mem, cpu, counter.MET_TWO_SCANNERS_ONE_BLOCK, 1)
    return seen == 0


@kernel
def fills_block(mem, block):
    """Whether one folio fills a whole pageblock: moving it elsewhere would gain nothing (a hint).

    Models      pageblock_skip_persistent(), skip_isolation_on_order(), mm/compaction.c
    Differs     a compaction for less than a pageblock does not skip folios of its own order or more
    Progress    wait-free
    """
    word = load_relaxed(mem.memdesc, block << mem.pageblock_order)
    return is_folio(word) and load_relaxed(mem.folio_order, word_desc(word)) >= mem.pageblock_order


@kernel
def claim_window(mem, cpu, block, end, mode):
    """Claim neighbouring pageblocks that are worth scanning, from `block` on.

    Models      suitable_migration_source(), mm/compaction.c, and as claim_block
    Parameters  end: where the free scanner is
    Returns     how many
    Progress    wait-free
    """
    claimed = 0
    while claimed < mem.window_blocks and block + claimed < end:
        migratetype = load_relaxed(mem.block_migratetype, block + claimed)
        if migratetype == MT_ISOLATE or (mode == MIGRATE_ASYNC and migratetype != MT_MOVABLE) or fills_block(mem, block + claimed):
            break
        if not claim_block(mem, cpu, block + claimed):
            break
        claimed += 1
    return claimed


@kernel
def compact_block(mem, cpu, block, end, mode, reason):
    """Migrate what can be migrated out of a pageblock, and out of those after it that batches may span.

    Parameters  end: as claim_window
    Returns     pageblocks that the scanner is past
    Progress    as migrate_range
    """
    base_pfn = block << mem.pageblock_order
    if mem.cc_pages[cpu] == 0:
        want_targets(mem, cpu, CLUSTER_MAX)
        isolate_freepages(mem, cpu, nid_of(mem, base_pfn))
        if mem.cc_pages[cpu] == 0:  # the scanners have met: there are no targets, so nothing is isolated
            return 1
    claimed = claim_window(mem, cpu, block, end, mode)
    if claimed == 0:
        return 1
    moved = 0
    before = mem.cc_pages[cpu]
    left = migrate_window(mem, cpu, base_pfn, claimed << mem.pageblock_order, mode, reason, FROM_SCANNER)
    if left >= 0:
        moved = 1 if left == 0 or mem.cc_pages[cpu] < before else 0
    for k in range(claimed):
        store_relaxed(mem.block_skip, block + k, 0 if moved else SKIP)
    return claimed


@kernel
def reset_scanners(mem, nid):
    """Move both scanners to their ends of the zone and clear the skip bits.

    Models      __reset_isolation_suitable(), mm/compaction.c
    Progress    wait-free
    """
    first = nid * mem.frames_per_node
    store_relaxed(mem.zone_migrate_pfn, nid, first)
    store_relaxed(mem.zone_free_pfn, nid, first + mem.frames_per_node - (1 << mem.pageblock_order))
    for block in range(first >> mem.pageblock_order, first + mem.frames_per_node >> mem.pageblock_order):
        # a block that is being scanned keeps its scanner
        cas_relaxed(mem.block_skip, block, SKIP, 0)


@kernel
def compaction_deferred(mem, cpu, nid, order):
    """Whether recent failures defer this attempt.

    Models      compaction_deferred(), mm/compaction.c
    Progress    wait-free
    """
    shift = load_relaxed(mem.zone_defer_shift, nid)
    if shift == 0 or order < load_relaxed(mem.zone_order_failed, nid):
        return False
    considered = load_relaxed(mem.zone_considered, nid) + 1
    store_relaxed(mem.zone_considered, nid, considered)
    if considered >= 1 << shift:
        return False
    count(mem, cpu, counter.COMPACT_DEFERRED, 1)
    return True


@kernel
def note_outcome(mem, nid, order, succeeded):
    """Remember a success or a failure for the deferral.

    Models      compaction_defer_reset(), defer_compaction(), mm/compaction.c
    Progress    wait-free
    """
    if succeeded:
        store_relaxed(mem.zone_defer_shift, nid, 0)
        store_relaxed(mem.zone_considered, nid, 0)
        store_relaxed(mem.zone_order_failed, nid, max(load_relaxed(mem.zone_order_failed, nid), order + 1))
    else:
        store_relaxed(mem.zone_considered, nid, 0)
        store_relaxed(mem.zone_defer_shift, nid, min(load_relaxed(mem.zone_defer_shift, nid) + 1, COMPACT_MAX_DEFER_SHIFT))
        store_relaxed(mem.zone_order_failed, nid, min(load_relaxed(mem.zone_order_failed, nid), order))


@kernel
def compact_zone(mem, cpu, nid, order, mode, max_blocks):
    """Compact a zone until a block of `order` is free, the scanners meet, or `max_blocks` were scanned.

    Models      compact_zone(), mm/compaction.c
    Parameters  order: 0..10, or -1 to continue until the scanners meet
    Returns     COMPACT_SUCCESS, COMPACT_CONTINUE (max_blocks reached) or COMPACT_COMPLETE (scanners met)
    Progress    bounded by max_blocks
    """
    lru_add_drain(mem, cpu)
    trace(mem, cpu, EV_COMPACTION_BEGIN, load_relaxed(mem.zone_migrate_pfn, nid), load_relaxed(mem.zone_free_pfn, nid))
    outcome, scanned = COMPACT_CONTINUE, 0
    while outcome == COMPACT_CONTINUE and scanned < max_blocks:
        block = load_relaxed(mem.zone_migrate_pfn, nid) >> mem.pageblock_order
        end = load_relaxed(mem.zone_free_pfn, nid) >> mem.pageblock_order
        if block >= end or nid_of(mem, block << mem.pageblock_order) != nid:
            reset_scanners(mem, nid)
            outcome = COMPACT_COMPLETE
        else:
            past = compact_block(mem, cpu, block, end, mode, MR_COMPACTION)
            scanned += past
            # of several scanners one advances the zone's position
            cas_relaxed(mem.zone_migrate_pfn, nid, block << mem.pageblock_order, block + past << mem.pageblock_order)
            if order >= 0 and has_free_block(mem, nid, order):
                outcome = COMPACT_SUCCESS
    cc_release(mem, cpu)
    trace(mem, cpu, EV_COMPACTION_END, load_relaxed(mem.zone_migrate_pfn, nid), outcome)
    return outcome


@kernel
def compact_memory(mem, cpu, nid):
    """Compact a zone from end to end, synchronously and ignoring its skip bits.

    Models      compact_node() of `echo 1 > /proc/sys/vm/compact_memory`: order -1, MIGRATE_SYNC, whole_zone, ignore_skip_hint;
                mm/compaction.c
    Differs     the LRU batches of this CPU are drained, not those of all
    Returns     as compact_zone
    Progress    one pass over the zone
    """
    reset_scanners(mem, nid)
    return compact_zone(mem, cpu, nid, -1, MIGRATE_SYNC, mem.frames_per_node >> mem.pageblock_order)


@kernel
def try_to_compact_pages(mem, cpu, nid, order):
    """Direct compaction on behalf of an allocation: ASYNC, then SYNC_LIGHT unless that succeeded.

    Models      try_to_compact_pages(), mm/compaction.c
    Returns     True if a block of `order` should be free now
    Progress    bounded
    """
    if compaction_deferred(mem, cpu, nid, order):
        return False
    count(mem, cpu, counter.COMPACT_STALL, 1)
    outcome = COMPACT_CONTINUE
    for mode in range(2):
        if outcome != COMPACT_SUCCESS:
            outcome = compact_zone(mem, cpu, nid, order, mode, 8)
    note_outcome(mem, nid, order, outcome == COMPACT_SUCCESS)
    count(mem, cpu, counter.COMPACT_SUCCESS if outcome == COMPACT_SUCCESS else counter.COMPACT_FAIL, 1)
    return outcome == COMPACT_SUCCESS
