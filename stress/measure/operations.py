"""What the benchmark suite times of whole protocols: allocation patterns, faults, the page cache, migration by type, uncounted frames.

Each entry runs one kind of operation many times; one entry a group, since each is compiled with all that it calls. Every CPU works on a
task, a file and inventories of its own, unless it says otherwise.
"""

from kernels.alloc.isolation import isolate_pageblock, unisolate_pageblock
from kernels.alloc.pages import alloc_frozen_pages, cpu_node, free_frozen_pages
from kernels.alloc.release import folio_put, lru_add_drain
from kernels.base.atomics import load_relaxed
from kernels.base.jit import entry, kernel
from kernels.base.layout import (
    FAMILY_TASKS,
    FORK_BATCH,
    HELD_CAPACITY,
    HUGE_HELD,
    MIGRATE_ASYNC,
    MIGRATE_SYNC,
    MR_CONTIG_RANGE,
    MT_MOVABLE,
    PTE_PFN_SHIFT,
    PTE_PRESENT,
    PTE_WRITE,
    ZS_HANDLES,
)
from kernels.map.access import task_access
from kernels.map.rmap import zap_range
from kernels.map.tlb import current_pte, flush_space
from kernels.migrate.targets import FROM_ALLOCATOR
from kernels.migrate.window import migrate_window
from kernels.policy.compaction import compact_zone, reset_scanners
from kernels.policy.contig import alloc_contig_pages, free_contig_range
from kernels.policy.fault import fork_range, handle_fault
from kernels.policy.filemap import file_read, file_truncate
from kernels.policy.hotplug import offline_pages, online_pages
from kernels.policy.pagealloc import alloc_pages
from kernels.types import balloon
from kernels.types.zspage import zs_access, zs_free
from stress.roles.hugetlb import take_huge
from stress.roles.zram import fill_handle

# --------------------------------------------------------------------------------------------------------------- allocation


@entry
def take(mem, cpu, order, nr_blocks):
    """Allocate blocks into this CPU's inventory.

    Returns     how many
    Progress    as alloc_frozen_pages
    """
    base, taken = cpu * HELD_CAPACITY, 0
    for _ in range(nr_blocks):
        pfn = alloc_frozen_pages(mem, cpu, cpu_node(mem, cpu), order, MT_MOVABLE)
        if pfn >= 0:
            mem.held_pfn[base + taken] = pfn
            taken += 1
    return taken


@entry
def give(mem, cpu, owner, order, shuffled, nr_blocks):
    """Free the blocks of a CPU's inventory, in order or in the order that held_kind has.

    Returns     nr_blocks
    Progress    as free_frozen_pages
    """
    base = owner * HELD_CAPACITY
    for k in range(nr_blocks):
        place = mem.held_kind[base + k] if shuffled else k
        free_frozen_pages(mem, cpu, mem.held_pfn[base + place], order)
    return nr_blocks


# ------------------------------------------------------------------------------------------------------------------- memory

FAULT, UNMAP, FORK, COPY_ON_WRITE, UNMAP_CHILD, SHOOTDOWN, ACCESS = range(7)


@entry
def memory_work(mem, cpu, what, nr_pages):
    """One operation on each of the first pages of a CPU's own task; a shootdown is of the task that all CPUs use.

    Returns     operations that succeeded
    Progress    blocking
    """
    space, done = cpu * FAMILY_TASKS, 0
    if what == UNMAP:
        done = zap_range(mem, cpu, space, 0, nr_pages)
    elif what == UNMAP_CHILD:
        done = zap_range(mem, cpu, space + 1, 0, nr_pages)
    elif what == FORK:
        for vpage in range(0, nr_pages, FORK_BATCH):
            done += fork_range(mem, cpu, space, space + 1, vpage, FORK_BATCH)
    elif what == SHOOTDOWN:
        for _ in range(nr_pages):
            flush_space(mem, cpu, 0)
        done = nr_pages
    elif what == ACCESS:
        for vpage in range(nr_pages):
            done += 1 + task_access(mem, cpu, space, vpage, 1)
    else:
        for vpage in range(nr_pages):
            handle_fault(mem, cpu, space, vpage, 1, 0)
            done += 1 if current_pte(mem, space, vpage) & PTE_WRITE else 0
    return done


HIT, READ_IN, TRUNCATE = range(3)


@entry
def file_work(mem, cpu, what, nr_pages):
    """Read the first pages of a CPU's own file, cached or not, or truncate them one by one.

    Returns     pages
    Progress    blocking
    """
    done = 0
    for index in range(nr_pages):
        if what == TRUNCATE:
            done += file_truncate(mem, cpu, cpu, index)
        else:
            done += 1 + file_read(mem, cpu, cpu_node(mem, cpu), cpu, index, 0)
    return done


# ---------------------------------------------------------------------------------------------------------------- migration

ANON, OFFLINE, CACHED = range(3)


@kernel
def frame_of(mem, cpu, kind, place):
    """The frame at a place of what is to be migrated.

    Returns     pfn or -1
    Progress    wait-free
    """
    if kind == OFFLINE:
        return mem.balloon_pfn[cpu * HELD_CAPACITY + place] if place < mem.balloon_pages[cpu] else -1
    if kind == CACHED:
        entry_word = load_relaxed(mem.cache, place)
        return mem.folio_pfn[(entry_word >> 1) - 1] if entry_word != 0 else -1
    pte = current_pte(mem, 0, place)
    return pte >> PTE_PFN_SHIFT if pte & PTE_PRESENT else -1


@entry
def evacuate_kind(mem, cpu, kind, nr_pages):
    """Migrate the first pages of task 0, of file 0 or of a balloon, by (base_pfn, bitmap) or as the policy says, a pageblock at a time.

    Parameters  the machine has at most 62 pageblocks; all that have such a page are isolated first, so that no target is in one
    Returns     frames migrated
    Progress    blocking
    """
    lru_add_drain(mem, cpu)
    blocks, frames = 0, 0
    for place in range(nr_pages):
        pfn = frame_of(mem, cpu, kind, place)
        if pfn >= 0:
            blocks |= 1 << (pfn >> mem.pageblock_order)
            frames += 1
    nr_blocks = mem.nr_frames >> mem.pageblock_order
    for block in range(nr_blocks):
        if blocks >> block & 1:
            isolate_pageblock(mem, cpu, block)
    for block in range(nr_blocks):
        if blocks >> block & 1:
            left = migrate_window(
                mem, cpu, block << mem.pageblock_order, 1 << mem.pageblock_order, MIGRATE_ASYNC, MR_CONTIG_RANGE, FROM_ALLOCATOR
            )
            frames -= max(left, 0)
    for block in range(nr_blocks):
        if blocks >> block & 1:
            unisolate_pageblock(mem, cpu, block)
    return frames


@entry
def compact_some(mem, cpu, nr_blocks):
    """Begin a compaction of zone 0, as /proc/sys/vm/compact_memory does, and end it after some pageblocks.

    Returns     nr_blocks
    Progress    as compact_zone
    """
    reset_scanners(mem, 0)
    compact_zone(mem, cpu, 0, -1, MIGRATE_SYNC, nr_blocks)
    return nr_blocks


# -------------------------------------------------------------------------------------------------------- uncounted, ranges

INFLATE, DEFLATE, ZS_MALLOC, ZS_ACCESS, ZS_FREE, HUGETLB, CONTIG, HOTPLUG = range(8)


@kernel
def inflate_some(mem, cpu, nr_frames):
    """Inflate this CPU's balloon frame by frame.

    Returns     frames
    Progress    as alloc_pages
    """
    done = 0
    for _ in range(nr_frames):
        pfn = alloc_pages(mem, cpu, cpu_node(mem, cpu), 0, MT_MOVABLE)
        if pfn >= 0:
            balloon.inflate(mem, cpu, cpu, pfn, 0)
            done += 1
    return done


@kernel
def huge_pair(mem, cpu):
    """Take a huge folio and put it.

    Returns     1, or 0 if there was none
    Progress    as alloc_pages
    """
    if take_huge(mem, cpu) < 0:
        return 0
    held = mem.huge_count[cpu] - 1
    mem.huge_count[cpu] = held
    folio_put(mem, cpu, mem.huge_held[cpu * HUGE_HELD + held])
    return 1


@kernel
def contig_pair(mem, cpu, rank):
    """Allocate a range of contig_blocks pageblocks, and free it.

    Returns     1, or 0 if there was none
    Progress    as alloc_contig_pages
    """
    first = alloc_contig_pages(mem, cpu, cpu_node(mem, cpu), mem.contig_blocks, rank)
    if first < 0:
        return 0
    free_contig_range(mem, cpu, first, mem.contig_blocks << mem.pageblock_order)
    return 1


@kernel
def hotplug_pair(mem, cpu, rank):
    """Take a memory block offline, and put it online.

    Returns     1, or 0 if it could not be emptied
    Progress    as offline_pages
    """
    nr_blocks = mem.memory_block_blocks
    first = rank % ((mem.frames_per_node >> mem.pageblock_order) // nr_blocks) * nr_blocks
    if offline_pages(mem, cpu, first, first + nr_blocks) != 0:
        return 0
    return 1 if online_pages(mem, cpu, first, first + nr_blocks) == 0 else 0


@entry
def uncounted_work(mem, cpu, what, nr_ops):
    """Operations on a CPU's balloon, zsmalloc handles and huge folios, or on ranges of pageblocks.

    Returns     operations that succeeded
    Progress    blocking
    """
    done = 0
    if what == INFLATE:
        return inflate_some(mem, cpu, nr_ops)
    for op in range(nr_ops):
        handle = cpu * ZS_HANDLES + op % ZS_HANDLES
        if what == DEFLATE:
            done += min(balloon.deflate(mem, cpu, cpu, 0), 1)
        elif what == ZS_MALLOC:
            done += 1 + max(fill_handle(mem, cpu, op & 3, handle), -1)
        elif what == ZS_ACCESS:
            zs_access(mem, cpu, handle, 1)
            done += 1
        elif what == ZS_FREE:
            zs_free(mem, cpu, handle)
            done += 1
        elif what == HUGETLB:
            done += huge_pair(mem, cpu)
        elif what == CONTIG:
            done += contig_pair(mem, cpu, op)
        else:
            done += hotplug_pair(mem, cpu, op)
    return done
