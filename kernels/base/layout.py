"""The layout of the segment: every array, field, packed word and counter. No behaviour.

Checkers and oracles import this file and nothing else of `kernels`.

Array k starts at byte ARRAY_START[k] of the segment, so its address is a constant offset from one base pointer; only the
number of elements varies between machines; the lengths and all scalar parameters are in array 0, the header. An
array is a sequence of records of `stride` bytes; a field is one little-endian signed integer in each record. All kernels
compute in int64: narrow fields are sign-extended when read and truncated when written.
"""

from dataclasses import dataclass
from enum import IntEnum

from kernels.base.names import *

# Near arrays are within 2 GiB of the base pointer, where an address is the pointer plus a 32-bit displacement: with all of them far,
# an allocate + free kept twenty base addresses on the stack. Far arrays grow with the memory of the machine.
NEAR_SHIFT, FAR_SHIFT = 25, 36
# Words that different CPUs write are a pair of lines apart: prefetchers fetch lines in pairs.
LINE_PAIR_BYTES = 128
# Each array begins one page and one pair of lines later in its range than the one before. Without that all arrays' first pages have
# equal low 36 address bits, and processors that index by those (AMD's L1 way predictor, sets of TLB and cache) evict them
# constantly: an allocate + free took 67 ns instead of 31 ns.
ARRAY_SKEW = 4096 + LINE_PAIR_BYTES

# ------------------------------------------------------------------------------------------------------------------- frames

NR_ORDERS = 11  # 0..10, as MAX_PAGE_ORDER = 10
WINDOW_FRAMES = 512  # frames per bitmap, unless batches may span windows: see Geometry.window_frames
BITMAP_WORDS = 8  # on a machine whose batches do not span windows


class Type(IntEnum):
    """Memdesc types, bits 0-3 of a memdesc word (revision B of kernelnewbies MatthewWilcox/Memdescs)."""

    MISC = 0
    BUDDY = 1
    FILE = 2
    ANON = 3
    KSM = 4
    SLAB = 5
    MOVABLE = 6
    PAGETABLE = 7
    NETPOOL = 8
    HWPOISON = 9
    PERCPU = 10
    COUNTED = 11  # unassigned in revision B: today's alloc_pages() frames, with a count and no folio


class Misc(IntEnum):
    """Subtypes of Type.MISC, bits 4-10; 9 and above are free in revision B."""

    RESERVED = 0
    ZERO = 1
    UNKNOWN = 2
    VMALLOC = 3
    GUARD = 4
    OFFLINE = 5
    KMALLOC_LARGE = 6
    EXACT = 7
    BRD = 8
    NONE = 9  # no owner: on a per-CPU list, inside a free block, or in flight between two owners
    NOT_ONLINE = 10  # in an offline memory block: no owner, and not counted by the zone


class Offline(IntEnum):
    """States of the head word of an Offline block (`offline = none`); see kernels/types/offline.py."""

    PRIVATE = 0
    INFLATED = 1
    ISOLATED = 2
    TRANSIT = 3
    RELEASED = 4
    DEFLATING = 5


class Udesc(IntEnum):
    """States of a descriptor without a count; the state word also holds its frame and its isolator, see kernels/page/udesc.py."""

    FREE = 0
    PRIVATE = 1  # has its frame and is not published yet, or its owner is taking it apart
    LIVE = 2
    ISOLATED = 3
    RELEASED = 4  # its owner released it while it was isolated: the isolator frees it


class Migratetype(IntEnum):
    UNMOVABLE = 0
    MOVABLE = 1
    RECLAIMABLE = 2
    ISOLATE = 3


NR_MIGRATETYPES = 4
NR_PCPTYPES = 3

TYPE_MASK = 15
DESC_SHIFT = 4  # descriptor types: the rest of the word is the index of a descriptor
SUBTYPE_SHIFT, SUBTYPE_MASK = 4, 127
ORDER_SHIFT, ORDER_MASK = 12, 63
TAIL_BIT = 1 << 18
STATE_SHIFT, STATE_MASK = 19, 7
CPU_SHIFT, CPU_MASK = 22, 65535
NODE_SHIFT, NODE_MASK = 38, 1023
OWNER_SHIFT, OWNER_MASK = 48, 32767
BUDDY_ORDER_SHIFT, BUDDY_ORDER_MASK = 4, 63

#: of a state word: state, isolator, type, frame
U_STATE_MASK, U_CPU_SHIFT, U_CPU_MASK, U_TYPE_SHIFT, U_PFN_SHIFT = 7, 3, 65535, 19, 23

NONE_WORD = Type.MISC | (Misc.NONE << SUBTYPE_SHIFT)

#: bits of a descriptor's flags (PG_* of page-flags.h)
(FL_LOCKED, FL_LRU, FL_ISOLATED, FL_DIRTY, FL_WRITEBACK, FL_UPTODATE, FL_BATCHED, FL_REFERENCED, FL_OFFLINE, FL_HUGETLB,
 FL_HUGE_FREE) = (1 << k for k in range(11))  # fmt: skip

#: a folio's `mapping`: 0 none, else (number + 1) << 1, with bit 0 set for anonymous memory (PAGE_MAPPING_ANON)
MAPPING_ANON = 1

#: `shadow` words: the owner of a frame according to the full checks
SH_BUDDY, SH_PCP, SH_OWNED, SH_CAPTURED = range(4)

# Kernels use these plain integers: numba would compile a kernel once more for an argument that is an enum member.
T_MISC, T_BUDDY, T_FILE, T_ANON, T_KSM, T_SLAB, T_MOVABLE, T_PAGETABLE, T_NETPOOL, T_HWPOISON, T_PERCPU, T_COUNTED = map(int, Type)
M_RESERVED, M_ZERO, M_UNKNOWN, M_VMALLOC, M_GUARD, M_OFFLINE, M_KMALLOC_LARGE, M_EXACT, M_BRD, M_NONE, M_NOT_ONLINE = map(int, Misc)
OFF_PRIVATE, OFF_INFLATED, OFF_ISOLATED, OFF_TRANSIT, OFF_RELEASED, OFF_DEFLATING = map(int, Offline)
U_FREE, U_PRIVATE, U_LIVE, U_ISOLATED, U_RELEASED = map(int, Udesc)
MT_UNMOVABLE, MT_MOVABLE, MT_RECLAIMABLE, MT_ISOLATE = map(int, Migratetype)

# --------------------------------------------------------------------------------------------------------------------- map

#: bits of a page table entry; the pfn is above them
PTE_PRESENT, PTE_WRITE, PTE_ACCESSED, PTE_DIRTY, PTE_PROTNONE, PTE_MIGRATION, PTE_MIG_WRITE, PTE_MIG_DIRTY = (1 << k for k in range(8))
PTE_EXCLUSIVE = 1 << 8  # PageAnonExclusive: only this task has the page, pinned or not; kept in migration entries
PTE_PFN_SHIFT = 10
TLB_ENTRIES = 64  # per CPU, direct-mapped
SECTION_SPACE_BITS = 20  # a CPU's section word: sequence << 20 | space + 1, low bits 0 outside of a section

#: page cache entries: 0 empty, (descriptor + 1) << 1 a folio, (index of the head) << 1 | 1 a sibling
SIBLING_BIT = 1

#: stamps in the first words of each frame's contents; its last word mirrors the version
STAMP_OWNER, STAMP_VERSION = 0, 1
OFFLINE_NONE, OFFLINE_COUNTED, OFFLINE_ZERO = range(3)  # of policy_offline
ALLOCATOR_BUDDY, ALLOCATOR_BITFIELD = range(2)  # of policy_allocator
REFCOUNT_FROZEN_BIT, FROZEN = 1, -(1 << 31)  # of policy_refcount; the value of a frozen count under it (under cas: 0)
INCARNATION_SHIFT = 32  # of an oracle word: incarnation << 32 | number of writes

# ------------------------------------------------------------------------------------------------------------------- rings

RING_EVENTS = 4096  # per CPU, a power of two
HIST_SUB_BITS = 4  # 16 sub-buckets per octave: at most 6.25 % error
HIST_BUCKETS = 40 << HIST_SUB_BITS
NR_ROLES_MAX = 32
COUNTER_STRIDE = -(-len(COUNTERS) // (LINE_PAIR_BYTES // 8)) * (LINE_PAIR_BYTES // 8)  # a row of whole pairs of lines per CPU
EXIT_BUG, EXIT_ABANDONED = 86, 87  # exit status of a worker that broke an invariant, and of one that leaves a halted machine



# --------------------------------------------------------------------------------------------------------------- geometry

PCP_ORDERS = 4  # 0..PAGE_ALLOC_COSTLY_ORDER on per-CPU lists
PCP_LISTS = PCP_ORDERS * NR_PCPTYPES
PCP_STRIDE = LINE_PAIR_BYTES // 4  # words per (CPU, node)
PCP_TOTAL, PCP_HIGH, PCP_STREAK = 12, 13, 14  # of them, after the lengths of the lists; PCP_STREAK: refills in a row, or minus the drains
PCP_BATCH_SCALE_MAX = 5  # a batch doubles so often at most, CONFIG_PCP_BATCH_SCALE_MAX
PCP_CAPACITY = 256  # blocks that one list can hold by default, and the largest PCP_HIGH
DESC_CACHE = 64
LRU_BATCH = 15  # folios; Linux's PAGEVEC_SIZE is 31 since 2024 (9cecde80aae0)
CC_CAPACITY, HELD_CAPACITY = 512, 4096  # blocks of one order that a scanner keeps; blocks that a role holds
PIN_CAPACITY = 1024  # pins that one CPU can hold
FORK_BATCH = 32  # pages that one fork shares
GANG = 16  # words that a pfn walker reads before it takes references
FLUSH_CAPACITY = 64
FAMILY_TASKS = 4
NR_ZS_CLASSES, ZS_HANDLES = 4, 4096  # size classes of a pool; handles of a CPU
UL_SLAB_PARTIAL, UL_SLAB_EMPTY, NR_ULISTS = NR_ZS_CLASSES, NR_ZS_CLASSES + 1, NR_ZS_CLASSES + 2
OBJECT_WORDS = 4  # the least: header, owner, version, and the version mirrored in the last
OBJ_SHIFT, OBJ_MASK = 8, 255  # the place of an object: (pfn << 8 | number) + 1; 0: none
SLAB_OBJECTS, SLAB_MIN_EMPTY = 16, 5  # objects of a slab at most; empty slabs that a node keeps (min_partial)
SLAB_HELD, TABLES_MAX = 4096, 4096
NET_SLOTS, NET_CACHE, NET_FRAGMENTS = 128, 32, 4  # per CPU: fragments in flight, recycled frames; most fragments of a frame
HUGE_POOL, HUGE_HELD = 64, 2  # most hugetlb folios of a node, and most that one CPU holds
POISONED = 32  # most frames that one CPU has poisoned
CANDIDATES, ISOLATED, DONE = range(3)  # the per-CPU bitmaps
NR_BITMAPS = 4
CC_WANTED = 15  # of cc_count, after the orders: isolated frames without a target yet, cc->nr_migratepages
SCRATCH_WORDS = 64  # of a model of stress/explore, for any use
TRACE_NONE, TRACE_FAILED = -1, -2  # of ev_pfn: nothing allocated yet; there was no memory
#: the bitfield allocator: 64-bit words of a pageblock, one cache line; a pageblock's word: its free frames, and whether it is isolated
BITFIELD_WORDS, BITFIELD_MAX_ORDER = 8, 9
CHUNK_COUNT_MASK, CHUNK_ISOLATED = 1023, 1 << 10
TREE_MAX_SHIFT = 3  # at most 8 pageblocks a tree: their words are one cache line
#: a tree's word: the migratetype that it serves; above it the reservation that holds it, + 1
TREE_KIND_MASK, TREE_OWNER_SHIFT = 3, 8
#: words per (CPU, node): by migratetype the last frame taken + 1 (0: no tree is reserved), the pageblock to look at first for a whole one,
#: and the free frames not added to zone_free yet
RESERVE_STRIDE, RESERVE_LARGE, RESERVE_DELTA = LINE_PAIR_BYTES // 8, NR_PCPTYPES, NR_PCPTYPES + 1


@dataclass(frozen=True)
class Geometry:
    """The sizes of one machine, from which every array length follows. Frames, pages and entries are counts, not bytes."""

    nr_cpus: int = 2
    nr_nodes: int = 2
    frames_per_node: int = 8192
    pageblock_order: int = 9
    words_per_frame: int = 512
    nr_tasks: int = 8
    task_pages: int = 2048  # virtual pages of one task; the last quarter maps a file
    table_pages: int = 512  # PTEs under one page-table lock
    nr_files: int = 4
    file_pages: int = 2048
    window_blocks: int = 1
    nr_trace_events: int = 0
    max_trace_pfn: int = 0
    pcp_capacity: int = PCP_CAPACITY

    @property
    def nr_frames(self) -> int:
        return self.nr_nodes * self.frames_per_node

    @property
    def window_frames(self) -> int:
        """Frames that one bitmap describes: a window of 512, or the pageblocks that batches may span."""
        return max(WINDOW_FRAMES, self.window_blocks << self.pageblock_order)

    @property
    def nr_desc(self) -> int:
        return self.nr_frames + self.nr_cpus * 2 * DESC_CACHE

    @property
    def nr_tables(self) -> int:
        return self.nr_tasks * (self.task_pages // self.table_pages)

    @property
    def nr_udesc(self) -> int:
        return self.nr_frames // 4 + self.nr_cpus

    @property
    def nr_uppers(self) -> int:
        """Upper entries of the page tables that are frames: a sixty-fourth of the frames."""
        return min(TABLES_MAX, max(16, self.nr_frames // 64))

    @property
    def nr_blocks(self) -> int:
        return -(-self.nr_frames >> self.pageblock_order)

    @property
    def tree_shift(self) -> int:
        """log2 of the pageblocks of a tree: as many trees of a node as its CPUs can reserve, if it has as many pageblocks."""
        blocks = self.frames_per_node >> self.pageblock_order
        wanted = max(1, blocks // (NR_PCPTYPES * self.nr_cpus))
        return min(TREE_MAX_SHIFT, wanted.bit_length() - 1)

    @property
    def nr_locks(self) -> int:
        """Locks by class, in the order of machine.lock_params(): zone, lru, pcp, ptl, i_pages, balloon, desc, udesc, huge, zs pool,
        zs class, slab, lru batch, table."""
        by_node = self.nr_nodes * (3 + 1 + NR_ZS_CLASSES + 1)
        return by_node + self.nr_cpus * self.nr_nodes + self.nr_tables + self.nr_files + 2 * self.nr_cpus + 3 + self.nr_uppers


@dataclass(frozen=True)
class FieldSpec:
    name: str
    bits: int
    offset: int


@dataclass(frozen=True)
class ArraySpec:
    """One array of the segment: `length` maps a Geometry to a number of records."""

    name: str
    stride: int
    length: object
    fields: tuple[FieldSpec, ...]
    far: bool

    @property
    def bytes_max(self) -> int:
        """The most bytes that the array can have."""
        return (1 << (FAR_SHIFT if self.far else NEAR_SHIFT)) - (1 << 20)


def _record(name: str, stride: int, length, *, far: bool = False, **bits: int) -> ArraySpec:
    """Fields in order of declaration, each aligned to its size; names are unique in the machine."""
    offset, fields = 0, []
    for field_name, width in bits.items():
        size = width // 8
        offset = -(-offset // size) * size
        fields.append(FieldSpec(field_name, width, offset))
        offset += size
    if offset > stride:
        raise ValueError(f"{name}: fields need {offset} bytes, stride is {stride}")
    return ArraySpec(name, stride, length, tuple(fields), far)


def _words(name: str, length, bits: int = 64, *, far: bool = False) -> ArraySpec:
    return _record(name, bits // 8, length, far=far, **{name: bits})


#: scalar parameters in the header, constant while the machine runs: mem.<name>
PARAMS = (
    "nr_cpus", "nr_nodes", "nr_frames", "frames_per_node", "pageblock_order", "words_per_frame", "nr_desc", "nr_tasks",
    "task_pages", "table_pages", "nr_files", "file_pages", "nr_tables", "nr_locks",
    "lock_lru", "lock_pcp", "lock_ptl", "lock_i_pages", "lock_balloon", "lock_desc", "lock_udesc", "lock_huge",
    "lock_zs_pool", "lock_zs_class", "lock_slab", "lock_lru_batch", "lock_table", "nr_udesc", "nr_uppers",
    "zs_target", "slab_target", "huge_target", "reserved_frames",
    "pcp_high", "pcp_batch", "chaos_ppm", "shadow_on", "tracing", "ipi_ns", "seed", "cycles_per_us",
    "policy_migration", "policy_offline", "policy_refcount", "numa_rate_limit", "anon_pages", "balloon_target",
    "spin_yield", "nr_trace_events", "max_order_anon", "kernel_target", "timing", "window_blocks", "window_frames", "migrate_batch",
    "isolate_batch", "balloon_order", "pin_target", "contig_blocks", "memory_block_blocks", "movable_nodes",
    "pcp_capacity", "tables_stay", "reserved_anywhere", "policy_allocator", "tree_shift",
)  # fmt: skip
PARAM = {name: k for k, name in enumerate(PARAMS)}
LENGTHS_WORD = 256  # header word of the length of array 0
HEADER_WORDS = 512

ARRAYS: tuple[ArraySpec, ...] = (
    _words("header", lambda g: HEADER_WORDS),
    # words that stop all CPUs, each on its own line
    _record("control", 64, lambda g: 1, halt=64),
    _record("park", 64, lambda g: 1, park_request=64),
    _record("bugs", 64, lambda g: 1 + g.nr_cpus, bug_count=64, bug_code=64, bug_cpu=64, bug_pfn=64, bug_seen=64, bug_wanted=64, bug_ns=64,
            bug_site=64),
    # per CPU: words that the supervisor reads, on a line that only its owner writes
    _record("cpus", 128, lambda g: g.nr_cpus, cpu_parked=64, cpu_role=64, cpu_waits=64, cpu_batches=64, rng0=64, rng1=64, rng2=64,
            rng3=64, ring_head=64, desc_cached=64, lru_batched=64, cc_pages=64, held_count=64, pin_count=64, cpu_chaos=64,
            isolated_block=64),
    _record("sections", 64, lambda g: g.nr_cpus, section=64, cpu_nid=64),
    _words("counters", lambda g: g.nr_cpus * COUNTER_STRIDE),
    _record("lockstat", 64, lambda g: g.nr_cpus * NR_LOCK_CLASSES, lock_acquired=64, lock_contended=64, lock_spins=64),
    _record("rolestat", 64, lambda g: g.nr_cpus * NR_ROLES_MAX, role_ops=64, role_fails=64, role_cycles=64),
    _words("hist", lambda g: g.nr_cpus * NR_ROLES_MAX * HIST_BUCKETS, far=True),
    _words("waits", lambda g: g.nr_cpus * len(WAITS) * HIST_BUCKETS, far=True),
    _record("ring", 32, lambda g: g.nr_cpus * RING_EVENTS, far=True, ring_cycles=64, ring_event=64, ring_pfn=64, ring_result=64),
    _record("locks", LINE_PAIR_BYTES, lambda g: g.nr_locks, lock_word=64),
    # per frame
    _words("memdesc", lambda g: g.nr_frames, far=True),
    _words("shadow", lambda g: g.nr_frames, far=True, bits=32),
    _record("links", 8, lambda g: g.nr_frames, far=True, frame_next=32, frame_prev=32),
    _words("contents", lambda g: g.nr_frames * g.words_per_frame, far=True),
    # per pageblock
    _record("blocks", 32, lambda g: g.nr_blocks, block_migratetype=32, block_skip=32, block_saved=32,
            block_drained=32, block_allocated=64, block_nid=32, block_offline=32),
    # per zone
    _record("zones", 256, lambda g: g.nr_nodes, zone_free=64, zone_isolate_free=64, zone_min=64, zone_low=64, zone_high=64,
            zone_migrate_pfn=64, zone_free_pfn=64, zone_defer_shift=64, zone_considered=64, zone_order_failed=64,
            zone_pcp_disabled=64, zone_nr_isolate=64, zone_numa_window=64, zone_numa_pages=64, zone_managed=64),
    _record("areas", 8, lambda g: g.nr_nodes * NR_ORDERS * NR_MIGRATETYPES, free_head=32, nr_free=32),
    # per CPU and node, one cache line: blocks on each list, then frames on all of them, how many may be (0: disabled), and the streak
    _words("pcp_nr", lambda g: g.nr_cpus * g.nr_nodes * PCP_STRIDE, bits=32),
    _words("pcp_frames", lambda g: g.nr_cpus * g.nr_nodes * PCP_LISTS * g.pcp_capacity, far=True, bits=32),
    _record("lrus", 64, lambda g: g.nr_nodes * 2, lru_head=32, lru_tail=32, lru_count=64, lru_isolated=64),
    _words("lru_batch", lambda g: g.nr_cpus * 16, bits=32),
    _record("lru_cache", 64, lambda g: 1, lru_disabled=64),
    # descriptors, 64 bytes each
    _record("descs", 64, lambda g: g.nr_desc, far=True, refcount=32, mapcount=32, flags=32, folio_order=32, folio_pfn=64, mapping=64,
            folio_index=64, folio_next=32, folio_prev=32, pincount=64, cpupid=32, folio_type=32),
    _words("desc_stack", lambda g: g.nr_desc, far=True, bits=32),
    _record("desc_pool", 64, lambda g: 1, desc_top=64),
    _words("desc_cache", lambda g: g.nr_cpus * DESC_CACHE, bits=32),
    # address spaces
    _words("pte", lambda g: g.nr_tasks * g.task_pages, far=True),
    _words("oracle", lambda g: g.nr_tasks * g.task_pages, far=True),
    _record("spaces", 64, lambda g: g.nr_tasks, tlb_generation=64, numa_scan=64),
    _record("tlb", 32, lambda g: g.nr_cpus * TLB_ENTRIES, tlb_tag=64, tlb_filled=64, tlb_value=64),
    _words("flush_spaces", lambda g: g.nr_cpus * FLUSH_CAPACITY, bits=32),
    # page cache
    _words("cache", lambda g: g.nr_files * g.file_pages, far=True),
    _words("disk", lambda g: g.nr_files * g.file_pages, far=True),
    _words("file_oracle", lambda g: g.nr_files * g.file_pages, far=True),
    # migration and compaction, per CPU
    _words("migrate_list", lambda g: g.nr_cpus * 16),
    _words("stage_cycles", lambda g: g.nr_cpus * 16),
    _words("bitmap", lambda g: g.nr_cpus * NR_BITMAPS * (g.window_frames >> 6)),
    _words("dst", lambda g: g.nr_cpus * g.window_frames, bits=32),
    _words("folio_list", lambda g: g.nr_cpus * WINDOW_FRAMES, bits=32),
    _words("cc_frames", lambda g: g.nr_cpus * NR_ORDERS * CC_CAPACITY, far=True, bits=32),
    _words("cc_count", lambda g: g.nr_cpus * 16, bits=32),
    # held by roles between operations
    _record("held", 16, lambda g: g.nr_cpus * HELD_CAPACITY, far=True, held_pfn=64, held_order=32, held_kind=32),
    _words("balloon_pfn", lambda g: g.nr_cpus * HELD_CAPACITY, far=True),
    _record("balloons", 64, lambda g: g.nr_cpus, balloon_pages=64),
    _record("pins", 32, lambda g: g.nr_cpus * PIN_CAPACITY, far=True, pin_desc=64, pin_pfn=64, pin_at=64, pin_incarnation=64),
    _record("forked", 16, lambda g: g.nr_cpus * FORK_BATCH, fork_vpage=64, fork_pfn=64),
    _record("gang", 32, lambda g: g.nr_cpus * GANG, gang_pfn=64, gang_word=64, gang_desc=64),
    # descriptors without a count: zspages, slabs, page tables; type-stable too
    _record("udescs", 64, lambda g: g.nr_udesc, far=True, u_word=64, u_lock=64, u_owner=32, u_inuse=32, u_free=32, u_next=32,
            u_prev=32),
    _words("udesc_stack", lambda g: g.nr_udesc, far=True, bits=32),
    _record("udesc_pool", 64, lambda g: 1, udesc_top=64),
    # their lists: per node the zspages with room of each class, the slabs with room, the empty slabs
    _record("ulists", 64, lambda g: g.nr_nodes * NR_ULISTS, u_head=64, u_listed=64),
    # zsmalloc: per CPU its handles, and the versions written through them
    _record("handles", 32, lambda g: g.nr_cpus * ZS_HANDLES, far=True, zs_obj=64, zs_version=64, zs_class=64),
    # page tables that are frames: upper entries, the versions written through them, walkers' sections
    _words("upper", lambda g: g.nr_uppers),
    _words("upper_oracle", lambda g: g.nr_uppers),
    _record("rcu", LINE_PAIR_BYTES, lambda g: g.nr_cpus, rcu_seq=64),
    # per CPU its slab objects
    _words("slab_obj", lambda g: g.nr_cpus * SLAB_HELD, far=True),
    _record("slab_cpus", 64, lambda g: g.nr_cpus, slab_count=64),
    # page pools: fragments on their way to a consumer, per CPU the recycled frames
    _words("net_slot", lambda g: g.nr_cpus * NET_SLOTS),
    _words("net_frame", lambda g: g.nr_cpus * NET_CACHE),
    _record("net_cpus", 64, lambda g: g.nr_cpus, net_cached=64, poison_count=64, huge_count=64),
    _words("poison_pfn", lambda g: g.nr_cpus * POISONED),
    # hugetlb: per node its pool and counts; per CPU its folios
    _record("huge", 64, lambda g: g.nr_nodes, huge_nr=64, huge_free=64, huge_surplus=64),
    _words("huge_desc", lambda g: g.nr_nodes * HUGE_POOL),
    _words("huge_held", lambda g: g.nr_cpus * HUGE_HELD),
    # ranges: per CPU the allocated range (first frame + 1, pageblocks), and the memory block it took offline (first pageblock + 1)
    _record("ranges", 64, lambda g: g.nr_cpus, contig_first=64, contig_held=64, offline_first=64),
    # a recorded trace, for replay
    _record("events", 16, lambda g: g.nr_trace_events, far=True, ev_kind=8, ev_order=8, ev_migratetype=8, ev_slot=32, ev_wait=32),
    _words("ev_pfn", lambda g: g.max_trace_pfn, far=True),
    _words("ev_first", lambda g: g.nr_cpus + 1),
    _record("replays", 64, lambda g: g.nr_cpus, ev_next=64, ev_passes=64),
    # what the CPUs of a model share and its check reads; roles do not use it
    _words("scratch", lambda g: SCRATCH_WORDS),
    # the bitfield allocator: a bit for each frame (set: taken), a word for each pageblock, one for each tree; reservations
    _words("bitfield", lambda g: g.nr_blocks * BITFIELD_WORDS),
    _words("chunk_word", lambda g: g.nr_blocks),
    _words("tree_word", lambda g: -(-g.nr_blocks >> g.tree_shift)),
    _words("reserve_word", lambda g: g.nr_cpus * g.nr_nodes * RESERVE_STRIDE),
)
ARRAY = {spec.name: slot for slot, spec in enumerate(ARRAYS)}
#: field name -> (array slot, bits, stride, offset)
FIELDS = {f.name: (slot, f.bits, spec.stride, f.offset) for slot, spec in enumerate(ARRAYS) for f in spec.fields}


def _starts() -> tuple[list[int], int]:
    near, far, starts = 0, 1 << 31, []
    for slot, spec in enumerate(ARRAYS):
        starts.append((far if spec.far else near) + slot * ARRAY_SKEW)
        near, far = (near, far + (1 << FAR_SHIFT)) if spec.far else (near + (1 << NEAR_SHIFT), far)
    if near > 1 << 31:
        raise ValueError("near arrays do not fit into 2 GiB")
    return starts, far


#: the first byte of each array, and the end of the last one
ARRAY_START, SEGMENT_BYTES = _starts()
