"""A settled recording is put into a booted machine: every word, descriptor, mapping, list and stamp of every frame, by numpy.

The machine is data, so this module writes what kernels would have written; the checkers at rest then verify it. Frames keep their
place, counted from the beginning of the zone. What the recording does not have is made up: which tasks map an anonymous folio (those
of one family), the file and the index of a folio, and that its contents were never written.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.base.layout import (
    ALLOCATOR_BITFIELD,
    BITFIELD_WORDS,
    BUDDY_ORDER_SHIFT,
    DESC_SHIFT,
    FAMILY_TASKS,
    FL_DIRTY,
    FL_LRU,
    FL_REFERENCED,
    FL_UPTODATE,
    HELD_CAPACITY,
    M_KMALLOC_LARGE,
    M_OFFLINE,
    M_RESERVED,
    M_UNKNOWN,
    MAPPING_ANON,
    MT_MOVABLE,
    NONE_WORD,
    NR_MIGRATETYPES,
    OFF_INFLATED,
    OFFLINE_NONE,
    ORDER_SHIFT,
    OWNER_SHIFT,
    PCP_CAPACITY,
    PCP_LISTS,
    PCP_STRIDE,
    PCP_TOTAL,
    PTE_ACCESSED,
    PTE_DIRTY,
    PTE_EXCLUSIVE,
    PTE_PFN_SHIFT,
    PTE_PRESENT,
    PTE_WRITE,
    SH_BUDDY,
    SH_OWNED,
    SH_PCP,
    SIBLING_BIT,
    STAMP_OWNER,
    STATE_SHIFT,
    SUBTYPE_SHIFT,
    T_ANON,
    T_BUDDY,
    T_FILE,
    T_MISC,
    T_PAGETABLE,
    T_SLAB,
    TAIL_BIT,
    U_LIVE,
    U_PFN_SHIFT,
    U_TYPE_SHIFT,
    Geometry,
)
from stress.errors import UserError
from stress.io.text import GIB
from stress.machine.host import memory_headroom, require_memory
from stress.machine.segment import segment_bytes
from stress.machine.sizes import anon_pages_of, derived_params
from stress.snapshot.flags import NAMES, Ints, has
from stress.snapshot.frames import Frames, settle
from stress.snapshot.recording import Recording, read_recording

TASK_PAGES = FILE_PAGES = 2048
ANON_PAGES = anon_pages_of(TASK_PAGES)
MAPPABLE = TASK_PAGES - ANON_PAGES  # pages of a file that tasks can map
TABLE_PAGES = 512
MAX_FRAME_BYTES, MIN_FRAME_BYTES = 4096, 64
SEGMENT_MAX_BYTES = GIB
NUMPY_BYTES = 400  # for each frame: copies while a recording is loaded and checked
Arrays = dict[str, npt.NDArray[Any]]
KERNEL_STAMP, TABLE_STAMP = 1 << 60, 1 << 58  # as roles write and checkers expect them


@dataclass(frozen=True)
class Folios:
    """Folios of one type, large ones first: the first frame of each, its order, and its first page in all memory of that type."""

    first: Ints
    order: Ints
    page: Ints

    @property
    def size(self) -> Ints:
        return np.left_shift(1, self.order)

    def each_frame(self) -> tuple[Ints, Ints]:
        """For every frame of every folio: the number of the folio, and the place of the frame in it."""
        number = np.repeat(np.arange(len(self.first)), self.size)
        ends = np.cumsum(self.size)
        return number, np.arange(len(number)) - np.repeat(ends - self.size, self.size)


@dataclass(frozen=True)
class Start:
    """A recording as the start of a run: what its frames are, and the machine that holds them."""

    recording: Recording
    frames: Frames
    geometry: Geometry
    params: dict[str, int]
    anon: Folios
    file: Folios

    @property
    def frame_bytes(self) -> int:
        return self.geometry.words_per_frame * 8


def plan(recording: Recording, frames: Frames, nr_cpus: int, frame_bytes: int | None, window_blocks: int = 1) -> Start:
    """Size a machine for a recording.

    Parameters  frame_bytes: bytes of contents a frame; None: the most that keep the segment within 1 GiB and half of the free memory
                window_blocks: as the policy of that name
    """
    anon = _packed(frames, "anon", np.ones(recording.nr_frames, np.int64), ANON_PAGES, 0, ANON_PAGES)
    # tasks map the first pages of a file
    file = _packed(frames, "file", frames.mapped, FILE_PAGES, MAPPABLE, FILE_PAGES)
    nr_files = max(4, _units(file, FILE_PAGES))
    nr_families = max(nr_cpus, nr_files, _units(anon, ANON_PAGES))  # at least FAMILY_TASKS tasks can map each file
    held = _held(frames)
    pcp_high = -(-frames.pcp_high // nr_cpus)
    geometry = Geometry(
        nr_cpus=nr_cpus,
        nr_nodes=1,
        frames_per_node=recording.nr_frames,
        pageblock_order=recording.pageblock_order,
        words_per_frame=(frame_bytes or MAX_FRAME_BYTES) // 8,
        nr_tasks=nr_families * FAMILY_TASKS,
        task_pages=TASK_PAGES,
        table_pages=TABLE_PAGES,
        nr_files=nr_files,
        file_pages=FILE_PAGES,
        max_trace_pfn=len(held),
        window_blocks=window_blocks,
        pcp_capacity=max(PCP_CAPACITY, pcp_high),
    )
    if frame_bytes is None:
        geometry = _fitting(geometry)
    params = derived_params(geometry) | {"tables_stay": 1, "anon_pages": ANON_PAGES}
    params["pcp_high"] = max(params["pcp_high"], pcp_high)
    params["reserved_anywhere"] = len(frames.of("hole", "poisoned", "reserved")) + _offline_beyond(frames, nr_cpus)
    return Start(recording, frames, geometry, params, anon, file)


def start_from(path: Path, nr_cpus: int, frame_bytes: int | None, window_blocks: int) -> Start:
    """Read a recording and size a machine for it.

    Raises      UserError; HostError if it does not fit into the host's memory
    """
    recording = read_recording(path)
    start = plan(recording, settle(recording), nr_cpus, frame_bytes, window_blocks)
    require_memory(segment_bytes(start.geometry) + recording.nr_frames * NUMPY_BYTES)
    return start


def _fitting(geometry: Geometry) -> Geometry:
    """The same geometry with the most contents a frame for which the segment is small enough, and at least MIN_FRAME_BYTES."""
    room = min(SEGMENT_MAX_BYTES, memory_headroom().available_bytes // 2)
    while geometry.words_per_frame * 8 > MIN_FRAME_BYTES and segment_bytes(geometry) > room:
        geometry = replace(geometry, words_per_frame=geometry.words_per_frame // 2)
    return geometry


def _offline_beyond(frames: Frames, nr_cpus: int) -> int:
    """Offline frames for which the model's balloons have no room."""
    return max(0, len(frames.of("offline")) - nr_cpus * HELD_CAPACITY)


def _held(frames: Frames) -> Ints:
    """The first frames of all objects that the kernel holds and that never move."""
    pfn = frames.of("kernel", "kernel_mapped", "kernel_block", "hugetlb")
    return pfn[frames.orders[pfn] >= 0]


def _packed(frames: Frames, name: str, mapped: Ints, unit: int, low: int, high: int) -> Folios:
    """The folios of a class, placed in units of `unit` pages: mapped ones in the first `low` pages of each unit, the others after them.

    Sizes are powers of two no larger than a part of a unit, and large ones come first, so that there are no gaps.
    """
    pfn = frames.of(name)
    first = pfn[frames.orders[pfn] >= 0]
    order = frames.orders[first]
    running = np.concatenate(([0], np.cumsum(mapped)))
    is_mapped = running[first + (1 << order)] > running[first]
    ranked = np.argsort(-order, kind="stable")
    first, order, is_mapped = first[ranked], order[ranked], is_mapped[ranked]
    page = np.zeros(len(first), np.int64)
    for chosen, begin, end in ((is_mapped, 0, low or high), (~is_mapped, low, high)):
        size = np.left_shift(1, order[chosen])
        place = np.cumsum(size) - size
        page[chosen] = place // (end - begin) * unit + begin + place % (end - begin)
    return Folios(first, order, page)


def _units(folios: Folios, unit: int) -> int:
    return int(folios.page.max()) // unit + 1 if len(folios.page) else 0


# ------------------------------------------------------------------------------------------------------------------ writing


def load(mem: Any, start: Start) -> None:
    """Put a recording into a booted machine of its geometry and parameters.

    Raises      UserError if there are Offline frames and the policy has no words for them
    """
    arrays, frames = mem.arrays, start.frames
    if len(frames.of("offline")) and mem.policy_offline != OFFLINE_NONE:
        raise UserError("--set offline: a recording with Offline frames needs offline=none")
    arrays["memdesc"][:] = NONE_WORD
    arrays["shadow"][:] = SH_OWNED
    arrays["block_migratetype"][:] = frames.migratetypes
    if mem.policy_allocator == ALLOCATOR_BITFIELD:
        _load_bits(mem, frames)
    else:
        _load_free(arrays, frames)
        _load_pcp(mem, frames)
    _load_misc(mem, start)
    nr_anon = _load_folios(mem, start)
    _load_uncounted(mem, frames)
    taken = nr_anon + len(start.file.first)
    arrays["desc_top"][0] = mem.nr_desc - taken


def _load_free(arrays: Arrays, frames: Frames) -> None:
    first, order = frames.free_first, frames.free_orders
    migratetype = frames.migratetypes[first >> frames.pageblock_order]
    arrays["memdesc"][first] = T_BUDDY | order << BUDDY_ORDER_SHIFT
    for name in ("frame_next", "frame_prev", "free_head", "nr_free", "zone_free"):
        arrays[name][:] = 0
    area = order * NR_MIGRATETYPES + migratetype
    for each in np.unique(area):
        _link(first[area == each], arrays["frame_next"], arrays["frame_prev"])
        arrays["free_head"][each] = first[area == each][0] + 1
    arrays["nr_free"][:] = np.bincount(area, minlength=len(arrays["nr_free"]))
    arrays["zone_free"][0] = int(np.left_shift(1, order).sum())
    arrays["shadow"][frames.of("free")] = SH_BUDDY


def _load_bits(mem: Any, frames: Frames) -> None:
    """Free frames of a bitfield. It has no per-CPU lists: frames that were on one are free."""
    arrays, shift = mem.arrays, mem.pageblock_order
    nr_blocks, free = len(arrays["chunk_word"]), frames.of("free", "on_pcp")
    bits = np.ones((nr_blocks, BITFIELD_WORDS * 64), np.uint8)
    bits[free >> shift, free & (1 << shift) - 1] = 0
    arrays["bitfield"][:] = np.packbits(bits, axis=1, bitorder="little").reshape(-1).view(np.int64)
    arrays["chunk_word"][:] = np.bincount(free >> shift, minlength=nr_blocks)
    arrays["tree_word"][:] = frames.migratetypes[:: 1 << mem.tree_shift]
    arrays["zone_free"][0] = len(free)
    arrays["shadow"][free] = SH_BUDDY


def _link(members: Ints, after: npt.NDArray[Any], before: npt.NDArray[Any]) -> None:
    """Link members in their order; a link is index + 1, and 0 ends a list."""
    after[members] = np.append(members[1:] + 1, 0)
    before[members] = np.append(0, members[:-1] + 1)


def _load_pcp(mem: Any, frames: Frames) -> None:
    """Frames on per-CPU lists in equal shares; the lowest frame is the coldest."""
    which = MT_MOVABLE  # of order 0
    for cpu, share in enumerate(np.array_split(frames.of("on_pcp"), mem.nr_cpus)):
        base = (cpu * PCP_LISTS + which) * mem.pcp_capacity
        mem.arrays["pcp_frames"][base : base + len(share)] = share
        mem.arrays["pcp_nr"][cpu * PCP_STRIDE + which] = len(share)
        mem.arrays["pcp_nr"][cpu * PCP_STRIDE + PCP_TOTAL] = len(share)
        mem.arrays["shadow"][share] = SH_PCP


def _load_misc(mem: Any, start: Start) -> None:
    """Kernel memory, held in the mailboxes that a replayed trace would use; reserved frames; balloons."""
    arrays, frames = mem.arrays, start.frames
    held = _held(frames)
    order = frames.orders[held]
    subtype = np.where(np.isin(frames.settled[held], [NAMES.index("kernel_block"), NAMES.index("hugetlb")]), M_KMALLOC_LARGE, M_UNKNOWN)
    blocks = Folios(held, order, order)
    number, place = blocks.each_frame()
    word = T_MISC | subtype << SUBTYPE_SHIFT | order << ORDER_SHIFT
    arrays["memdesc"][held[number] + place] = word[number] | np.where(place > 0, TAIL_BIT, 0)
    arrays["ev_pfn"][:] = held
    _stamp(mem, held, KERNEL_STAMP | np.arange(len(held)))
    offline = frames.of("offline")
    beyond = len(offline) - _offline_beyond(frames, mem.nr_cpus)
    reserved = np.concatenate((frames.of("hole", "poisoned", "reserved"), offline[beyond:]))
    arrays["memdesc"][reserved] = T_MISC | M_RESERVED << SUBTYPE_SHIFT
    place = np.arange(beyond)
    balloon = place // HELD_CAPACITY
    inflated = T_MISC | M_OFFLINE << SUBTYPE_SHIFT | OFF_INFLATED << STATE_SHIFT
    arrays["memdesc"][offline[:beyond]] = inflated | balloon << OWNER_SHIFT
    arrays["frame_next"][offline[:beyond]] = place % HELD_CAPACITY
    arrays["balloon_pfn"][place] = offline[:beyond]
    arrays["balloon_pages"][:] = np.bincount(balloon, minlength=mem.nr_cpus)


def _load_folios(mem: Any, start: Start) -> int:
    """Descriptors, words, mappings, page cache, LRU lists and stamps of all folios.

    Returns     how many are anonymous; these have the first descriptors
    """
    nr_anon = len(start.anon.first)
    for folios, kind, lruvec, base in ((start.anon, T_ANON, 0, 0), (start.file, T_FILE, 1, nr_anon)):
        unit = ANON_PAGES if kind == T_ANON else FILE_PAGES
        owner, index = folios.page // unit, folios.page % unit  # family or file
        mapping = owner + 1 << 1 | (MAPPING_ANON if kind == T_ANON else 0)
        number, place = folios.each_frame()
        pfn = folios.first[number] + place
        mem.arrays["memdesc"][pfn] = kind | base + number << DESC_SHIFT
        _stamp(mem, pfn, mapping[number] << 32 | index[number] + place)
        nr_ptes = np.minimum(start.frames.mapped[pfn], FAMILY_TASKS)
        mapcount = np.bincount(number, weights=nr_ptes, minlength=len(folios.first)).astype(np.int64)
        fields = {
            "refcount": mapcount + (0 if kind == T_ANON else folios.size),
            "mapcount": mapcount,
            "flags": _folio_flags(start, folios, kind),
            "folio_order": folios.order,
            "folio_pfn": folios.first,
            "mapping": mapping,
            "folio_index": index,
            "cpupid": -1,
            "pincount": 0,
            "folio_type": kind,
        }
        for name, values in fields.items():
            mem.arrays[name][base : base + len(folios.first)] = values
        _load_ptes(mem, kind, owner[number], index[number] + place, pfn, nr_ptes)
        if kind == T_FILE:
            slot = owner[number] * FILE_PAGES + index[number] + place
            mem.arrays["cache"][slot] = np.where(place == 0, base + number + 1 << 1, index[number] << 1 | SIBLING_BIT)
        _load_lru(mem, base + np.argsort(folios.first, kind="stable"), lruvec)
    return nr_anon


def _folio_flags(start: Start, folios: Folios, kind: int) -> Ints:
    recorded = start.recording.flags[folios.first]
    flags = np.full(len(folios.first), FL_LRU | FL_UPTODATE, np.int64)
    flags |= np.where(has(recorded, "REFERENCED"), FL_REFERENCED, 0)
    return flags | np.where(has(recorded, "DIRTY") & (kind == T_FILE), FL_DIRTY, 0)


def _load_ptes(mem: Any, kind: int, owner: Ints, index: Ints, pfn: Ints, nr_ptes: Ints) -> None:
    """The first nr_ptes tasks of a folio map each of its pages; an anonymous page that one task maps is writable."""
    alone = PTE_WRITE | PTE_DIRTY | PTE_EXCLUSIVE
    for nth in range(FAMILY_TASKS):
        here = nr_ptes > nth
        if kind == T_ANON:
            at = (owner[here] * FAMILY_TASKS + nth) * TASK_PAGES + index[here]
        else:
            at = (owner[here] + nth * mem.nr_files) * TASK_PAGES + ANON_PAGES + index[here]
        bits = np.where((nr_ptes[here] == 1) & (kind == T_ANON), alone, 0)
        mem.arrays["pte"][at] = pfn[here] << PTE_PFN_SHIFT | PTE_PRESENT | PTE_ACCESSED | bits


def _load_lru(mem: Any, descs: Ints, lruvec: int) -> None:
    if len(descs):
        _link(descs, mem.arrays["folio_next"], mem.arrays["folio_prev"])
        mem.arrays["lru_head"][lruvec], mem.arrays["lru_tail"][lruvec] = descs[0] + 1, descs[-1] + 1
        mem.arrays["lru_count"][lruvec] = len(descs)


def _load_uncounted(mem: Any, frames: Frames) -> None:
    """A descriptor for each frame of a slab or page table. A slab has no objects and no room for one, so that it is never freed."""
    arrays = mem.arrays
    slabs, tables = frames.of("slab"), frames.of("page_table")
    pfn = np.concatenate((slabs, tables))
    kind = np.where(np.arange(len(pfn)) < len(slabs), T_SLAB, T_PAGETABLE)
    udesc = np.arange(len(pfn))
    arrays["udesc_top"][0] = mem.nr_udesc - len(pfn)
    arrays["u_word"][udesc] = pfn << U_PFN_SHIFT | kind << U_TYPE_SHIFT | U_LIVE
    arrays["memdesc"][pfn] = kind | udesc << DESC_SHIFT
    slots = np.arange(len(tables))
    arrays["u_owner"][udesc[kind == T_PAGETABLE]] = slots
    arrays["upper"][slots] = pfn[kind == T_PAGETABLE] + 1
    _stamp(mem, pfn[kind == T_PAGETABLE], TABLE_STAMP | slots)


def _stamp(mem: Any, pfn: Ints, owner: Ints) -> None:
    mem.arrays["contents"].reshape(-1, mem.words_per_frame)[pfn, STAMP_OWNER] = owner
