"""The sizes and parameters of a machine, from the requested workers, memory and nodes.

The virtual memory of all tasks is about 0.8 times the frames, all files are about a quarter of them: memory is nearly full and is
reclaimed now and then. What roles hold beside that (kernel objects, balloons) is a few per cent.
"""

import re
from dataclasses import dataclass

from kernels.base.layout import FAMILY_TASKS, HELD_CAPACITY, HUGE_POOL, NR_ORDERS, SLAB_HELD, ZS_HANDLES, Geometry
from stress.errors import UserError
from stress.io.text import MIB, shortened, size_text
from stress.machine.host import memory_headroom, usable_cores

MAX_WORKERS = 4096
DEFAULT_MEMORY_BYTES = 256 * MIB
MIN_BLOCKS_PER_NODE = 4  # with fewer, the two scanners of compaction meet immediately
MIN_FRAMES_PER_NODE = 128
DEFAULT_FILL, FILE_SHARE, KERNEL_SHARE, BALLOON_SHARE, ZSPAGE_SHARE, SLAB_SHARE = 0.8, 0.25, 0.03, 0.08, 0.03, 0.02
DEFAULT_PINS = 16  # the most that the speculators of one CPU hold
MEMORY_BLOCK_FRAMES = 32768  # 128 MiB in frames of 4 KiB; an eighth of a node if that is less
HUGE_SHARE_SHIFT = 4  # the pool of huge folios: a sixteenth of each node
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@dataclass(frozen=True)
class MachineRequest:
    """The sizes that are requested of a machine, defaults filled in."""

    nr_workers: int
    nr_nodes: int
    memory_bytes: int
    frame_bytes: int
    pageblock_order: int
    fill: float = DEFAULT_FILL  # virtual memory of all tasks, as a multiple of the frames
    reserved: float = 0.0  # the share of each node that boot never frees
    nr_trace_events: int = 0
    max_trace_pfn: int = 0
    window_blocks: int = 1


def parse_size(text: str) -> int:
    """ "256M", "1GiB", "65536" as bytes.

    Raises      UserError on anything else
    """
    match = re.fullmatch(r"\s*(\d{1,19}(?:\.\d{1,19})?)\s*([KMGT]?)(?:i?B)?\s*", text, re.IGNORECASE)
    if match is None:
        raise UserError(f"{shortened(text)!r} is not a size: write 256M or 1G")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def default_workers() -> int:
    """Two for each core, at least four: races are likeliest with a worker that lost its core at a risky point."""
    return min(max(4, 2 * usable_cores()), 256)


def default_memory() -> int:
    """256 MiB, or a quarter of the free memory if that is less."""
    return min(DEFAULT_MEMORY_BYTES, memory_headroom().available_bytes // 4)


def check_workers(nr_workers: int) -> int:
    """The number itself.

    Raises      UserError unless it is between 1 and MAX_WORKERS
    """
    if not 1 <= nr_workers <= MAX_WORKERS:
        raise UserError(f"--workers {nr_workers}: must be between 1 and {MAX_WORKERS}")
    return nr_workers


def check_contig_blocks(nr_blocks: int, geometry: Geometry) -> int:
    """The number itself.

    Raises      UserError unless a node has room for a range of so many pageblocks and for what moves out of it
    """
    least = 2 * nr_blocks
    if geometry.frames_per_node >> geometry.pageblock_order < least:
        needed = least * geometry.nr_nodes * geometry.words_per_frame * 8 << geometry.pageblock_order
        raise UserError(
            f"{nr_blocks} pageblocks in a row need nodes of at least {least} pageblocks: use --memory {size_text(needed)} or more"
        )
    return nr_blocks


def check_movable_nodes(nr_movable: int, geometry: Geometry) -> int:
    """The number itself.

    Raises      UserError unless a node is left for memory that does not move
    """
    if nr_movable >= geometry.nr_nodes:
        raise UserError(
            f"{nr_movable} of {geometry.nr_nodes} node(s) would be for movable memory only: use --nodes {nr_movable + 1} or more"
        )
    return nr_movable


def geometry_of(request: MachineRequest) -> Geometry:
    """The machine's sizes.

    Raises      UserError if the memory is too small for the nodes
    """
    block_frames = 1 << request.pageblock_order
    frames_per_node = request.memory_bytes // request.frame_bytes // request.nr_nodes // block_frames * block_frames
    least = max(MIN_BLOCKS_PER_NODE * block_frames, MIN_FRAMES_PER_NODE)
    if frames_per_node < least:
        needed = least * request.nr_nodes * request.frame_bytes
        raise UserError(
            f"--memory {size_text(request.memory_bytes)} is too small: {request.nr_nodes} node(s) of at least {least} frames of "
            f"{request.frame_bytes} bytes need {size_text(needed)}"
        )
    nr_frames = frames_per_node * request.nr_nodes
    nr_tasks, task_pages = _tasks(int(nr_frames * request.fill), request.nr_workers)
    nr_files, file_pages = _files(nr_frames)
    return Geometry(
        nr_cpus=request.nr_workers,
        nr_nodes=request.nr_nodes,
        frames_per_node=frames_per_node,
        pageblock_order=request.pageblock_order,
        words_per_frame=request.frame_bytes // 8,
        nr_tasks=nr_tasks,
        task_pages=task_pages,
        table_pages=min(512, task_pages // 4),
        nr_files=nr_files,
        file_pages=file_pages,
        window_blocks=request.window_blocks,
        nr_trace_events=request.nr_trace_events,
        max_trace_pfn=request.max_trace_pfn,
    )


def memory_for(nr_frames: int, nr_nodes: int, frame_bytes: int, pageblock_order: int) -> int:
    """The least memory with so many frames, in whole pageblocks on every node. A replayed trace gets it."""
    block_frames = 1 << pageblock_order
    blocks_per_node = max(MIN_BLOCKS_PER_NODE, -(-nr_frames // (nr_nodes * block_frames)))
    frames_per_node = max(blocks_per_node * block_frames, MIN_FRAMES_PER_NODE)
    return frames_per_node * nr_nodes * frame_bytes


def anon_pages_of(task_pages: int) -> int:
    """How many pages of a task are anonymous; the rest maps a file."""
    return task_pages * 3 // 4


def _tasks(wanted_pages: int, nr_workers: int) -> tuple[int, int]:
    """(number of tasks, virtual pages of each): whole families, one per worker at least, smaller tasks on smaller machines."""
    task_pages = 2048
    while task_pages > 32 and FAMILY_TASKS * nr_workers * anon_pages_of(task_pages) > wanted_pages:
        task_pages //= 2
    nr_families = max(nr_workers, round(wanted_pages / anon_pages_of(task_pages) / FAMILY_TASKS))
    return nr_families * FAMILY_TASKS, task_pages


def _files(nr_frames: int) -> tuple[int, int]:
    """(number of files, pages of each): at least four files, smaller ones on smaller machines."""
    wanted_pages = int(nr_frames * FILE_SHARE)
    file_pages = 2048
    while file_pages > 16 and 4 * file_pages > wanted_pages:
        file_pages //= 2
    return max(4, wanted_pages // file_pages), file_pages


def derived_params(geometry: Geometry) -> dict[str, int]:
    """Parameters that are chosen by rules of thumb from the sizes."""

    def held(share: float) -> int:
        return min(max(1, int(geometry.nr_frames * share) // geometry.nr_cpus), HELD_CAPACITY // 2)

    # per-CPU lists of all CPUs together stay below an eighth of a zone
    pcp_high = max(4, min(128, geometry.frames_per_node // (8 * geometry.nr_cpus)))
    return {
        "pcp_high": pcp_high,
        "pcp_batch": max(1, min(32, pcp_high // 4)),
        "spin_yield": 64,
        "ipi_ns": 0,
        "tracing": 1,
        "cycles_per_us": 1000,  # until it is calibrated
        "anon_pages": anon_pages_of(geometry.task_pages),
        "kernel_target": held(KERNEL_SHARE),
        "balloon_target": held(BALLOON_SHARE),
        "zs_target": min(ZS_HANDLES, 4 * held(ZSPAGE_SHARE)),
        "huge_target": max(1, min(HUGE_POOL // 2, geometry.frames_per_node >> geometry.pageblock_order + HUGE_SHARE_SHIFT)),
        "slab_target": min(SLAB_HELD // 2, 8 * held(SLAB_SHARE)),
        "pin_target": DEFAULT_PINS,
        "contig_blocks": max(1, geometry.frames_per_node // 16 >> geometry.pageblock_order),
        "memory_block_blocks": max(1, min(MEMORY_BLOCK_FRAMES, geometry.frames_per_node // 8) >> geometry.pageblock_order),
        "max_order_anon": min(9, geometry.pageblock_order, NR_ORDERS - 1, geometry.table_pages.bit_length() - 1),
        "numa_rate_limit": max(64, geometry.frames_per_node // 8),
    }
