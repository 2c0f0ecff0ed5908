"""Names with numbers: policies, modes, causes, lock classes, counters, events, bugs. A part of the layout, which re-exports them all.

A name that reports print has its meaning beside it, in one line: `pfnstorm list policies`, `counters` and `bugs` print these.

Only layout.py imports this module: kernels, checkers and oracles import the layout.
"""

from enum import IntEnum
from itertools import product

# --------------------------------------------------------------------------------------------------------------- policies

#: each policy and its values in one line each; the first value is the default
POLICY_MEANINGS: dict[str, tuple[str, dict[str, str]]] = {
    "migration": (
        "how compaction names what is to be migrated",
        {
            "bitmap": "(base_pfn, bitmap): migration decides per pfn from the memdesc type; P9",
            "list": "a list of isolated descriptors, as migrate_pages() takes today",
        },
    ),
    "offline": (
        "how a balloon's PageOffline frames are kept",
        {
            "none": "no count and no descriptor: the memdesc word holds the whole state; P1",
            "counted": "a descriptor with an ordinary reference count, as today",
            "zero": "a descriptor whose count stays frozen, so that no speculative get succeeds",
        },
    ),
    "refcount": (
        "how a speculative get takes a reference",
        {
            "cas": "a compare-and-exchange loop that stops at zero, as today; P4",
            "frozen-bit": "one atomic add; PAGEREF_FROZEN_BIT makes the get of a frozen count fail; P2",
        },
    ),
    "allocator": (
        "how a zone keeps its free frames",
        {
            "buddy": "free lists by order and migratetype under zone->lock, behind per-CPU lists, as today; P12",
            "bitfield": "a bit for each frame and a count for each pageblock, without locks; CPUs reserve trees of pageblocks; P22",
        },
    ),
}
POLICIES: dict[str, tuple[str, ...]] = {name: tuple(values) for name, (_, values) in POLICY_MEANINGS.items()}

#: numeric policies: meaning, unit, and (least, most, default)
NUMBER_MEANINGS: dict[str, tuple[str, str, tuple[int, int, int]]] = {
    "migrate_batch": ("unmapped for one TLB flush; Linux: NR_MAX_BATCHED_MIGRATION", "folios", (1, 512, 512)),
    "isolate_batch": ("isolated under one hold of the lruvec lock; Linux: COMPACT_CLUSTER_MAX", "folios", (1, 512, 32)),
    "window_blocks": ("that one batch of compaction may span", "pageblocks", (1, 8, 1)),
    "balloon_order": ("of a balloon's larger blocks, under offline=none only", "order", (0, 2, 2)),
}
NUMBERS: dict[str, tuple[int, int, int]] = {name: bounds for name, (_, _, bounds) in NUMBER_MEANINGS.items()}


class Explained(IntEnum):
    """Numbers of which each says in one line what it means."""

    meaning: str

    def __new__(cls, number: int, meaning: str = "") -> "Explained":
        member = int.__new__(cls, number)
        member._value_ = number
        member.meaning = meaning
        return member


class Mode(IntEnum):
    """enum migrate_mode, include/linux/migrate_mode.h."""

    ASYNC = 0
    SYNC_LIGHT = 1
    SYNC = 2


class Reason(Explained):
    """enum migrate_reason, include/linux/migrate_mode.h (those that the model has)."""

    COMPACTION = 0, "compaction"
    NUMA_MISPLACED = 1, "NUMA balancing, to the node that accesses the folio"
    CONTIG_RANGE = 2, "alloc_contig_range(), to empty the range"
    MEMORY_FAILURE = 3, "soft offlining of a frame"
    MEMORY_HOTPLUG = 4, "a memory block that goes offline"


class Cause(Explained):
    """Why one folio or frame was not migrated."""

    LOCK = 0, "-EAGAIN: the source folio is locked"
    WRITEBACK = 1, "-EBUSY: the source folio is under writeback"
    DST_LOCK = 2, "-EAGAIN: a late speculative holder has locked the target"
    MAPPED = 3, "-EAGAIN: the source is still mapped after the unmap"
    REFCOUNT = 4, "-EAGAIN: the count is not the expected one before the copy"
    LRU_BATCH = 5, "-EAGAIN: as refcount, and an LRU batch holds the extra reference"
    FREEZE = 6, "-EAGAIN: the count moved between copy and freeze"
    NOMEM = 7, "-ENOMEM: no target"
    RELEASED = 8, "the owner released it first: counts as a success"
    STATE = 9, "its Offline word changed meanwhile"


class Refusal(Explained):
    """Why a range of pageblocks could not be taken, by the frame that was in the way."""

    ISOLATED = 0, "another CPU has isolated one of its pageblocks, or one is not online"
    UNMOVABLE = 1, "a frame that cannot move"
    REFERENCED = 2, "a folio with an unexpected reference, or locked or isolated by another CPU"
    LRU_BATCH = 3, "a folio in a CPU's LRU batch"
    IN_FLIGHT = 4, "a frame between two owners: on a per-CPU list, or being freed"
    NOMEM = 5, "no target"
    MOVABLE = 6, "a movable frame with no reason found"
    NO_RANGE = 7, "no candidate range"


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

#: what each counts; names as in /proc/vmstat (mm/vmstat.c), "(own)" where Linux has none of that name
_VMSTAT = {
    "pgalloc": "frames allocated (Linux: by zone, as pgalloc_normal)",
    "pgfree": "frames freed",
    "allocstall": "allocations that found no frame and reclaimed directly (Linux: by zone)",
    "pgfault": "page faults",
    "pgmajfault": "page-cache folios created and read in (Linux: faults that waited for a read)",
    "pgsteal": "frames reclaimed (Linux: by reclaimer, as pgsteal_direct)",
    "pgscan": "folios that reclaim looked at (Linux: pages, by reclaimer)",
    "pgrotated": "frames that reclaim isolated and put back (Linux: pages moved to the list's tail after writeback)",
    "pgmigrate_success": "frames migrated",
    "pgmigrate_fail": "frames that migration gave up",
    "thp_migration_success": "folios and blocks of more than one frame migrated",
    "thp_migration_fail": "folios and blocks of more than one frame that migration gave up",
    "thp_migration_split": "large folios split because migration had no target",
    "compact_migrate_scanned": "frames that a migrate scanner passed",
    "compact_free_scanned": "frames that a free scanner passed",
    "compact_isolated": "frames isolated for migration, and free frames captured as targets",
    "compact_stall": "allocations that compacted directly",
    "compact_fail": "direct compactions that made no block of the wanted order",
    "compact_success": "direct compactions that made a block of the wanted order",
    "compact_daemon_wake": "compactions in the background (Linux: kcompactd's)",
    "compact_daemon_migrate_scanned": "of compact_migrate_scanned, those in the background",
    "compact_daemon_free_scanned": "of compact_free_scanned, those in the background",
    "numa_pte_updates": "PTEs made inaccessible, so that the next access is a hint fault",
    "numa_hint_faults": "hint faults",
    "numa_hint_faults_local": "hint faults on a frame of the faulting CPU's node",
    "numa_pages_migrated": "frames that NUMA balancing migrated",
    "numa_hit": "allocations from the wanted node",
    "numa_miss": "allocations from a node other than the wanted one",
    "numa_foreign": "allocations that wanted this node and came from another",
    "pgpromote_candidate": "folios with two hint faults in a row from the same other node (Linux: pages of a slower tier)",
    "balloon_inflate": "frames that a balloon took",
    "balloon_deflate": "frames that a balloon gave back",
    "balloon_migrate": "frames of balloons migrated",
    "thp_fault_alloc": "faults that mapped a large folio",
    "thp_fault_fallback": "faults that could not map a large folio and tried a small one",
    "thp_split_page": "large folios split",
    "thp_split_page_failed": "splits refused because of an unexpected reference",
    "nr_tlb_remote_flush": "flushes of one address space, or of all spaces of a deferred flush",
    "nr_tlb_remote_flush_received": "CPUs inside a section that a flush waited for (Linux: interrupts received)",
    "nr_tlb_local_flush_one": "single translations that a CPU dropped from its own TLB",
    "pcp_refill": "(own) batches that a per-CPU list took from the zone",
    "pcp_drain": "(own) batches that a per-CPU list gave back to the zone",
    "pcp_drain_remote": "(own) per-CPU lists drained by another CPU",
    "pageblock_steal": "(own) allocations from a block of another migratetype",
    "lru_add_drain": "(own) LRU batches moved to their lists",
    "cow_fault": "(own) write faults that copied the page",
    "cow_reuse": "(own) write faults that kept the page, which was this task's alone",
    "migration_entry_wait": "(own) faults that waited for a migration to end",
    "compact_deferred": "(own) direct compactions left out after recent failures",
    "fork": "(own) ranges of pages that a fork shared with the child",
    "zspage_alloc": "(own) zspages made",
    "zspage_free": "(own) zspages freed",
    "zspage_migrate": "(own) zspages migrated",
    "pgtable_alloc": "(own) leaf page tables made",
    "pgtable_free": "(own) leaf page tables freed",
    "pgtable_migrate": "(own) leaf page tables migrated",
    "slabs_scanned": "objects that shrinkers looked at",
    "nr_slab_freed": "(own) empty slabs that reclaim gave back",
    "netpool_recycled": "(own) page-pool frames that went back to the pool's cache with their last fragment",
    "hwpoison_pages": "(own) free frames poisoned",
    "unpoison_pages": "(own) poisoned frames given back",
    "ksm_merged": "(own) pairs of equal pages merged",
    "htlb_buddy_alloc_success": "surplus hugetlb folios made of pageblocks",
    "htlb_dissolved": "(own) free hugetlb folios dissolved",
    "tree_reserved": "(own) trees of the bitfield allocator that a CPU reserved",
    "tree_stolen": "(own) of these, trees that another CPU had reserved",
    "claim_undone": "(own) claims in the bitfield allocator that met no aligned run of their order",
}
VMSTAT = tuple(_VMSTAT)

#: speculative references
_SPECULATION = {
    "tried": "speculative gets",
    "failed_on_zero": "gets that found a count of zero, or frozen",
    "undone_by_recheck": "references put back because the word or the slot had changed",
    "held_last_reference": "speculative references whose put was the last and freed",
    "kept": "references that the re-check confirmed",
}
SPECULATION = tuple(_SPECULATION)

#: meetings of concurrent operations that scenarios exist for, as "one operation with another"; each is counted where it happens
_MEETINGS = {
    "speculation_on_frozen": "a speculative get with a CPU that has frozen the count to free, migrate, split or publish",
    "put_last_after_recheck": "a speculative get, undone by its re-check, with the owner's put: the speculator's put is the last and frees",
    "lookup_reload_changed": "a page-cache lookup with a removal, a split or a migration that changed the slot before the re-check",
    "gup_pte_changed": "GUP-fast with a CPU that changed the PTE before the re-check",
    "fault_on_migration_entry": "a fault with the migration of its page",
    "stale_tlb_met_flush": "an access whose translation is in the TLB with a flush of its space since",
    "shootdown_waited": "a TLB flush with another CPU's access under way: the flusher waits",
    "deflate_on_isolated": "a balloon that deflates with the isolation of its block",
    "release_found_by_isolator": "an isolator with the balloon that released the block meanwhile: the isolator frees it",
    "two_scanners_one_block": "two compactions at one pageblock",
    "free_block_vanished": "a free scanner with a CPU that took or isolated the free block first, or left too little free",
    "pcp_lock_contended": "an allocation or a free with another CPU that holds the lock of the per-CPU list: the zone is used",
    "speculation_on_free_pages": "the free of a counted block with a speculative reference, whose put frees the first frame",
    "isolation_raced_free": "an isolation with the folio's last user: only the isolator's reference is left",
    "count_unexpected": "a migration with another reference to the unmapped folio, found before the copy",
    "count_moved_during_copy": "a migration with a get or a put during the copy: the freeze fails",
    "lru_batch_held_reference": "an isolation with a folio that is in some CPU's LRU batch",
    "cow_on_pinned": "a fork with a pin of the page: the child gets a copy",
    "hint_fault_raced": "a NUMA hint fault with a CPU that changed the PTE first",
    "capture_in_isolated_block_refused": "a free scanner with the isolation of the free block's pageblock",
    "split_refused_by_reference": "a split with another reference to the folio",
    "pin_refused_migration": "an isolation with more references to a mapped folio than mappings, such as a pin",
    "put_lost_to_a_get": "under refcount=frozen-bit, the last put with a get that came before the freeze and puts last instead",
    "reference_from_before_inflation": "a speculative get, through a word read before, with the inflation of its frame into a balloon",
    "zspage_emptied_while_isolated": "the free of a zspage's last object with the zspage's isolation",
    "zspage_reader_refused_migration": "a zspage's migration with a user of one of its objects",
    "zs_object_moved": "a zspage's migration with an object in use, which moves; one for each object",
    "table_moved_under_walker": "a lockless walk with the migration or the zap of the page table that it reads",
    "table_gone_while_isolated": "the zap of a page table with the table's isolation",
    "rcu_waited_for_reader": "synchronize_rcu() with a reader's section: it waits",
    "slab_shrunk_under_pressure": "reclaim with empty slabs, which it gives back",
    "net_fragment_put_by_other": "the put of a page-pool fragment with the CPU in whose receive ring it was",
    "poison_raced_allocation": "soft offlining with a CPU that allocated the emptied frame first, or is freeing it",
    "ksm_refused_by_reference": "a KSM merge with another reference to the page",
    "ksm_broken_by_write": "a write fault with the page that KSM shared",
    "bitfield_changed": "a claim in the bitfield allocator with another CPU that changed the same word first",
    "tree_lost": "an allocation with a CPU that stole the reserved tree meanwhile",
    "isolation_met_claim": "the drain of an isolated pageblock with a claim made before the isolation: the drain waits",
    "dissolve_met_freeing": "the dissolution of a hugetlb folio with its last put, which has not reached the pool",
}
MEETINGS = tuple(_MEETINGS)

#: compare-and-exchange tries and failures of the retry loops
_ATOMICS = {
    "cmpxchg_tried": "compare-and-exchanges of freezes (those of speculative gets are counted as gets)",
    "cmpxchg_failed": "compare-and-exchanges that failed, of gets and freezes",
}
ATOMICS = tuple(_ATOMICS)

_RANGES = {
    "contig_tried": "calls of alloc_contig_pages()",
    "contig_succeeded": "of these, calls that got a range",
    "contig_ranges": "candidate ranges that these calls tried",
    "offline_tried": "calls of offline_pages()",
    "offline_succeeded": "memory blocks taken offline",
    "online_succeeded": "memory blocks put online",
    "pageblock_tried": "allocations of pageblock order",
    "pageblock_succeeded": "of these, those that succeeded",
}

#: families of counters, one for each member of the enums that a name contains, and what each counts
_OF_MIGRATION = {
    "migrated_{reason}": "frames migrated for this reason",
    "failed_{reason}": "frames that were not migrated for this reason and put back",
    "cause_{reason}_{cause}": "attempts to migrate that failed",
}
_OF_RANGES = {
    "contig_refused_{refusal}": "ranges that alloc_contig_range() could not take, by what was in the way",
    "contig_failed_{refusal}": "failed calls of alloc_contig_pages(), by what was in the way in the last range",
    "offline_failed_{refusal}": "failed calls of offline_pages(), by what was in the way",
}
FAMILIES: dict[str, str] = {**_OF_MIGRATION, **_OF_RANGES}
FAMILY_FIELDS: dict[str, type[Explained]] = {"reason": Reason, "cause": Cause, "refusal": Refusal}


def family_members(family: str) -> list[str]:
    """The counters of one of FAMILIES."""
    fields = [field for field in FAMILY_FIELDS if "{" + field + "}" in family]
    names = product(*([member.name.lower() for member in FAMILY_FIELDS[field]] for field in fields))
    return [family.format(**dict(zip(fields, each, strict=True))) for each in names]


#: counters that stand alone, and what each counts
COUNTER_MEANINGS: dict[str, str] = {
    **_VMSTAT,
    **{f"spec_{name}": meaning for name, meaning in _SPECULATION.items()},
    **{f"met_{name}": meaning for name, meaning in _MEETINGS.items()},
    **_ATOMICS,
    **_RANGES,
}
COUNTERS = (
    *(name for name in COUNTER_MEANINGS if name not in _RANGES),
    *(name for family in _OF_MIGRATION for name in family_members(family)),
    *_RANGES,
    *(name for family in _OF_RANGES for name in family_members(family)),
)
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
    HANDLE = 22, "I13", "a handle and its object disagree", "object header, handle or type", "expected header, handle or type"
    NET_FRAGMENTS = 23, "I3", "more fragments of a page-pool frame are put than exist", "fragments", "fragments put"
    HUGE_LOST = 24, "I2", "a hugetlb folio is free and not in the pool", "descriptor", "free folios of the pool"
    PROMISE = 25, "promise", "a call costs more, or achieves less, than it promises", "seen", "promised"
    BITFIELD = 26, "I2", "a frame is freed whose bit says that it is free", "bits", "bits of the frames"


(BUG_BOUNDS, BUG_SHADOW, BUG_BAD_FREE, BUG_REFCOUNT_UNDERFLOW, BUG_UNFREEZE_LIVE, BUG_WORD_CHANGED, BUG_BUDDY_WORD,
 BUG_ISOLATED_ALLOC, BUG_ISOLATED_TYPE, BUG_STRANGER, BUG_LOST_WRITE, BUG_TORN_COPY, BUG_LOCK_OWNER, BUG_FOLIO_RANGE,
 BUG_NOT_FREEABLE, BUG_OFFLINE_STATE, BUG_BALLOON_LOST, BUG_UNLOCK_UNLOCKED, BUG_LIST_CORRUPT, BUG_OVERFLOW,
 BUG_UDESC_STATE, BUG_HANDLE, BUG_NET_FRAGMENTS, BUG_HUGE_LOST, BUG_PROMISE, BUG_BITFIELD) = map(int, Bug)  # fmt: skip
(EV_PAGE_ALLOC, EV_PAGE_FREE, EV_MIGRATE_START, EV_MIGRATE, EV_COMPACTION_BEGIN, EV_COMPACTION_END, EV_ISOLATE_MIGRATE,
 EV_ISOLATE_FREE, EV_SET_MIGRATION_PTE, EV_REMOVE_MIGRATION_PTE, EV_TLB_FLUSH, EV_OFFLINE_STATE, EV_REF_FREEZE, EV_REF_UNFREEZE,
 EV_EXTFRAG, EV_SET_MIGRATETYPE, EV_FOLIO_SPLIT, EV_UDESC_STATE) = map(int, Event)  # fmt: skip
