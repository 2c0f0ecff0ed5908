"""Names with numbers: policies, modes, causes, lock classes, counters, events, bugs. A part of the layout, which re-exports them all.

Only layout.py imports this module: kernels, checkers and oracles import the layout.
"""

from enum import IntEnum

# --------------------------------------------------------------------------------------------------------------- policies

POLICIES: dict[str, tuple[str, ...]] = {
    "migration": ("bitmap", "list"),
    "offline": ("none", "counted", "zero"),
    "refcount": ("cas", "frozen-bit"),
}
#: numeric policies: least, most, default
NUMBERS: dict[str, tuple[int, int, int]] = {
    "migrate_batch": (1, 512, 512),  # folios unmapped per TLB flush: NR_MAX_BATCHED_MIGRATION
    "isolate_batch": (1, 512, 32),  # folios isolated per hold of the lruvec lock: COMPACT_CLUSTER_MAX
    "window_blocks": (1, 8, 1),  # pageblocks that one batch may span
    "balloon_order": (0, 2, 2),  # the order of a balloon's larger blocks (offline = none only)
}


class Mode(IntEnum):
    """enum migrate_mode, include/linux/migrate_mode.h."""

    ASYNC = 0
    SYNC_LIGHT = 1
    SYNC = 2


class Reason(IntEnum):
    """enum migrate_reason, include/linux/migrate_mode.h (those that the model has)."""

    COMPACTION = 0
    NUMA_MISPLACED = 1
    CONTIG_RANGE = 2
    MEMORY_FAILURE = 3
    MEMORY_HOTPLUG = 4


class Cause(IntEnum):
    """Why one folio or frame was not migrated."""

    LOCK = 0  # -EAGAIN: source folio locked
    WRITEBACK = 1  # -EBUSY
    DST_LOCK = 2  # -EAGAIN: target locked by a late speculative holder
    MAPPED = 3  # -EAGAIN: still mapped after unmap
    REFCOUNT = 4  # -EAGAIN: unexpected count before the copy
    LRU_BATCH = 5  # -EAGAIN: as REFCOUNT, and an LRU batch holds the extra reference
    FREEZE = 6  # -EAGAIN: count moved between copy and freeze
    NOMEM = 7  # -ENOMEM: no target
    RELEASED = 8  # the owner released it first: counts as a success
    STATE = 9  # an Offline word that changed meanwhile


class Refusal(IntEnum):
    """Why a range of pageblocks could not be taken, by the frame that was in the way."""

    ISOLATED = 0  # another CPU has isolated one of its pageblocks, or it is not online
    UNMOVABLE = 1  # it holds a frame that cannot move
    REFERENCED = 2  # a folio with an unexpected reference, or locked or isolated by another CPU
    LRU_BATCH = 3  # a folio in a CPU's LRU batch
    IN_FLIGHT = 4  # a frame between two owners: on a per-CPU list, or being freed
    NOMEM = 5  # no target
    MOVABLE = 6  # a movable frame with no reason found
    NO_RANGE = 7  # no candidate range


NR_CAUSES = len(Cause)

# Kernels use these plain integers: numba would compile a kernel once more for an argument that is an enum member.
MIGRATE_ASYNC, MIGRATE_SYNC_LIGHT, MIGRATE_SYNC = map(int, Mode)
MR_COMPACTION, MR_NUMA_MISPLACED, MR_CONTIG_RANGE, MR_MEMORY_FAILURE, MR_MEMORY_HOTPLUG = map(int, Reason)
(CAUSE_LOCK, CAUSE_WRITEBACK, CAUSE_DST_LOCK, CAUSE_MAPPED, CAUSE_REFCOUNT, CAUSE_LRU_BATCH, CAUSE_FREEZE, CAUSE_NOMEM,
 CAUSE_RELEASED, CAUSE_STATE) = map(int, Cause)  # fmt: skip
(REFUSAL_ISOLATED, REFUSAL_UNMOVABLE, REFUSAL_REFERENCED, REFUSAL_LRU_BATCH, REFUSAL_IN_FLIGHT, REFUSAL_NOMEM, REFUSAL_MOVABLE,
 REFUSAL_NO_RANGE) = map(int, Refusal)  # fmt: skip

EAGAIN, ENOMEM, EBUSY = 11, 12, 16

# ------------------------------------------------------------------------------------------------------------------ locks


class LockClass(IntEnum):
    ZONE = 0
    PCP = 1
    LRU = 2
    PTL = 3
    I_PAGES = 4
    BALLOON = 5
    DESC = 6
    FOLIO = 7  # the lock bit of a folio's flags
    ZS_POOL = 8
    ZS_CLASS = 9
    TABLE = 10
    SLAB = 11
    HUGETLB = 12
    LRU_BATCH = 13


NR_LOCK_CLASSES = len(LockClass)
(LC_ZONE, LC_PCP, LC_LRU, LC_PTL, LC_I_PAGES, LC_BALLOON, LC_DESC, LC_FOLIO, LC_ZS_POOL, LC_ZS_CLASS, LC_TABLE, LC_SLAB, LC_HUGETLB,
 LC_LRU_BATCH) = map(int, LockClass)  # fmt: skip

# --------------------------------------------------------------------------------------------------------------- counters

#: /proc/vmstat names (mm/vmstat.c)
VMSTAT = (
    "pgalloc", "pgfree", "allocstall", "pgfault", "pgmajfault", "pgsteal", "pgscan", "pgrotated",
    "pgmigrate_success", "pgmigrate_fail", "thp_migration_success", "thp_migration_fail", "thp_migration_split",
    "compact_migrate_scanned", "compact_free_scanned", "compact_isolated", "compact_stall", "compact_fail", "compact_success",
    "compact_daemon_wake", "compact_daemon_migrate_scanned", "compact_daemon_free_scanned",
    "numa_pte_updates", "numa_hint_faults", "numa_hint_faults_local", "numa_pages_migrated", "numa_hit", "numa_miss",
    "numa_foreign", "pgpromote_candidate",
    "balloon_inflate", "balloon_deflate", "balloon_migrate",
    "thp_fault_alloc", "thp_fault_fallback", "thp_split_page", "thp_split_page_failed",
    "nr_tlb_remote_flush", "nr_tlb_remote_flush_received", "nr_tlb_local_flush_one",
    "pcp_refill", "pcp_drain", "pcp_drain_remote", "pageblock_steal", "lru_add_drain", "cow_fault", "cow_reuse",
    "migration_entry_wait", "compact_deferred", "fork",
    "zspage_alloc", "zspage_free", "zspage_migrate", "pgtable_alloc", "pgtable_free", "pgtable_migrate", "slabs_scanned", "nr_slab_freed",
    "netpool_recycled", "hwpoison_pages", "unpoison_pages", "ksm_merged", "htlb_buddy_alloc_success", "htlb_dissolved",
)  # fmt: skip

#: speculative references
SPECULATION = ("tried", "failed_on_zero", "undone_by_recheck", "held_last_reference", "kept")

#: meetings of concurrent operations that scenarios exist for; each is counted where it happens
MEETINGS = (
    "speculation_on_frozen", "put_last_after_recheck", "lookup_reload_changed", "gup_pte_changed",
    "fault_on_migration_entry", "stale_tlb_met_flush", "shootdown_waited", "deflate_on_isolated", "release_found_by_isolator",
    "two_scanners_one_block", "free_block_vanished", "pcp_lock_contended", "speculation_on_free_pages",
    "isolation_raced_free", "count_unexpected", "count_moved_during_copy", "lru_batch_held_reference", "cow_on_pinned",
    "hint_fault_raced", "capture_in_isolated_block_refused", "split_refused_by_reference", "pin_refused_migration", "put_lost_to_a_get",
    "reference_from_before_inflation",
    "zspage_emptied_while_isolated", "zspage_reader_refused_migration", "zs_object_moved",
    "table_moved_under_walker", "table_gone_while_isolated", "rcu_waited_for_reader", "slab_shrunk_under_pressure",
    "net_fragment_put_by_other", "poison_raced_allocation", "ksm_refused_by_reference", "ksm_broken_by_write",
    "dissolve_met_freeing",
)  # fmt: skip

#: compare-and-exchange tries and failures of the retry loops
ATOMICS = ("cmpxchg_tried", "cmpxchg_failed")

#: migrations: migrated and failed frames by reason, and failed attempts by reason and cause
MIGRATION = tuple(
    [f"migrated_{r.name.lower()}" for r in Reason] + [f"failed_{r.name.lower()}" for r in Reason]
    + [f"cause_{r.name.lower()}_{c.name.lower()}" for r in Reason for c in Cause]
)  # fmt: skip

#: ranges of pageblocks: tried, succeeded, and why not: per range (refused) and per try (failed, by its last range)
RANGES = tuple(
    ["contig_tried", "contig_succeeded", "contig_ranges", "offline_tried", "offline_succeeded", "online_succeeded"]
    + ["pageblock_tried", "pageblock_succeeded"]
    + [f"{user}_{r.name.lower()}" for user in ("contig_refused", "contig_failed", "offline_failed") for r in Refusal]
)  # fmt: skip

COUNTERS = (*VMSTAT, *(f"spec_{n}" for n in SPECULATION), *(f"met_{n}" for n in MEETINGS), *ATOMICS, *MIGRATION, *RANGES)
COUNTER = {name: k for k, name in enumerate(COUNTERS)}
C_MIGRATED, C_FAILED, C_CAUSE = COUNTER["migrated_compaction"], COUNTER["failed_compaction"], COUNTER["cause_compaction_lock"]
C_CONTIG_REFUSED, C_CONTIG_FAILED = COUNTER["contig_refused_isolated"], COUNTER["contig_failed_isolated"]
C_OFFLINE_FAILED = COUNTER["offline_failed_isolated"]

#: operations long enough to be timed one by one: contiguous ranges, memory blocks, single pageblocks
WAITS = ("contig", "offline", "online", "pageblock")
WAIT_CONTIG, WAIT_OFFLINE, WAIT_ONLINE, WAIT_PAGEBLOCK = range(len(WAITS))

# ---------------------------------------------------------------------------------------------------------- events and bugs


class Event(IntEnum):
    """Trace events, named as the kernel's tracepoints where it has one."""

    MM_PAGE_ALLOC = 1
    MM_PAGE_FREE = 2
    MM_MIGRATE_PAGES_START = 3
    MM_MIGRATE_PAGES = 4
    MM_COMPACTION_BEGIN = 5
    MM_COMPACTION_END = 6
    MM_COMPACTION_ISOLATE_MIGRATEPAGES = 7
    MM_COMPACTION_ISOLATE_FREEPAGES = 8
    SET_MIGRATION_PTE = 9
    REMOVE_MIGRATION_PTE = 10
    TLB_FLUSH = 11
    OFFLINE_STATE = 12
    PAGE_REF_FREEZE = 13
    PAGE_REF_UNFREEZE = 14
    MM_PAGE_ALLOC_EXTFRAG = 15
    SET_MIGRATETYPE = 16
    FOLIO_SPLIT = 17
    UDESC_STATE = 18


class Bug(IntEnum):
    """Codes of `bug()`: the invariant of docs/invariants.md that broke, what happened, and what the record's two words are.

    `seen` and `wanted` name the two words that bug() records. "bounds" and "promise" are no invariants of the kernel: the first is a
    mistake in a kernel function, the second a call that costs more, or achieves less, than a model of stress/explore says it may.
    """

    invariant: str
    summary: str
    seen: str
    wanted: str

    def __new__(cls, code: int, invariant: str = "", summary: str = "", seen: str = "", wanted: str = "") -> "Bug":
        member = int.__new__(cls, code)
        member._value_ = code
        member.invariant, member.summary, member.seen, member.wanted = invariant, summary, seen, wanted
        return member

    BOUNDS = 1, "bounds", "an index is outside its array", "index", "length"
    SHADOW = 2, "I2", "the shadow word of a frame is not the expected state", "shadow", "expected shadow"
    BAD_FREE = 3, "I8", "a folio is freed while locked, isolated, on an LRU list or mapped", "flags", "mapcount"
    REFCOUNT_UNDERFLOW = 4, "I3", "a reference is put that the count does not have", "refcount", "references put"
    UNFREEZE_LIVE = 5, "I3", "a folio is unfrozen whose count is not frozen", "refcount", "new refcount"
    WORD_CHANGED = 6, "I6", "a memdesc word changed under its owner", "memdesc", "expected memdesc"
    BUDDY_WORD = 7, "I17", "a frame on a free list has no Buddy word of that order", "memdesc", "expected memdesc"
    ISOLATED_ALLOC = 8, "I18", "a frame of an isolated pageblock is allocated", "pageblock type", "counter or type"
    ISOLATED_TYPE = 9, "I16", "an isolated frame changed its type or lost its isolation", "word", "expected bits"
    STRANGER = 10, "I13", "a valid translation or reference leads to another owner's contents", "owner stamp", "expected stamp"
    LOST_WRITE = 11, "I13", "a version went back: a write was lost", "version", "expected version"
    TORN_COPY = 12, "I13", "the stamps of one frame disagree: the copy is torn", "mirrored version", "version"
    LOCK_OWNER = 13, "I9", "a lock is released by a CPU that does not hold it; the pfn is the lock's number", "lock word", "owner's word"
    FOLIO_RANGE = 14, "I10", "a referenced folio does not cover the pfn or index that found it", "pfn or index of the folio", "wanted"
    NOT_FREEABLE = 15, "I5", "the last put is on a type that a put cannot free", "memdesc type", "expected type"
    OFFLINE_STATE = 16, "F-1", "an Offline word changed outside its transitions", "memdesc", "expected word or state"
    BALLOON_LOST = 17, "I1", "a balloon's inventory and its frames' words disagree", "word, place or pages", "balloon, pfn or pages"
    UNLOCK_UNLOCKED = 18, "I9", "an unlocked folio is unlocked", "flags", "lock bit"
    LIST_CORRUPT = 19, "I9", "a list link does not link back", "link", "expected link"
    OVERFLOW = 20, "bounds", "a per-CPU array of the model is full", "entries", "capacity"
    UDESC_STATE = 21, "I16", "a descriptor without a count changed state outside its transitions", "state word", "expected word"
    HANDLE = 22, "I13", "a handle and its object disagree", "object header", "expected header"
    NET_FRAGMENTS = 23, "I3", "more fragments of a page-pool frame are put than exist", "fragments", "fragments put"
    HUGE_LOST = 24, "I2", "a hugetlb folio is free and not in the pool", "descriptor", "free folios of the pool"
    PROMISE = 25, "promise", "a call costs more, or achieves less, than it promises", "seen", "promised"


(BUG_BOUNDS, BUG_SHADOW, BUG_BAD_FREE, BUG_REFCOUNT_UNDERFLOW, BUG_UNFREEZE_LIVE, BUG_WORD_CHANGED, BUG_BUDDY_WORD,
 BUG_ISOLATED_ALLOC, BUG_ISOLATED_TYPE, BUG_STRANGER, BUG_LOST_WRITE, BUG_TORN_COPY, BUG_LOCK_OWNER, BUG_FOLIO_RANGE,
 BUG_NOT_FREEABLE, BUG_OFFLINE_STATE, BUG_BALLOON_LOST, BUG_UNLOCK_UNLOCKED, BUG_LIST_CORRUPT, BUG_OVERFLOW,
 BUG_UDESC_STATE, BUG_HANDLE, BUG_NET_FRAGMENTS, BUG_HUGE_LOST, BUG_PROMISE) = map(int, Bug)  # fmt: skip
(EV_PAGE_ALLOC, EV_PAGE_FREE, EV_MIGRATE_START, EV_MIGRATE, EV_COMPACTION_BEGIN, EV_COMPACTION_END, EV_ISOLATE_MIGRATE,
 EV_ISOLATE_FREE, EV_SET_MIGRATION_PTE, EV_REMOVE_MIGRATION_PTE, EV_TLB_FLUSH, EV_OFFLINE_STATE, EV_REF_FREEZE, EV_REF_UNFREEZE,
 EV_EXTFRAG, EV_SET_MIGRATETYPE, EV_FOLIO_SPLIT, EV_UDESC_STATE) = map(int, Event)  # fmt: skip
