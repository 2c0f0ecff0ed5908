"""Machines to measure on: booted, idle, and as small as the measurement allows."""

from typing import Any

import numpy as np

from kernels.base.layout import GANG, Geometry
from kernels.policy import boot
from stress.machine.segment import calibrate_cycles, create_machine, set_param
from stress.machine.sizes import derived_params
from stress.measure.calibration import TOTAL_WORDS
from stress.measure.entries import NR_RANDOM
from stress.storm.scenario import policy_params

#: between the descriptors that pair_hot uses, one for each CPU: they share no cache line
HOT_STRIDE = 1024
WORDS_PER_BLOCK = 512 * 512  # of a pageblock of the machine that calibrations work on


def booted(geometry: Geometry, **params: int) -> Any:
    """A machine with all frames free.

    Parameters  params: values of layout.PARAMS that differ from the usual ones
    """
    mem = create_machine(geometry, derived_params(geometry) | {"seed": 1, "tracing": 0} | params)
    set_param(mem, "cycles_per_us", calibrate_cycles(mem, boot.read_cycles))
    boot.boot(mem, 0)
    return mem


def frames_machine(nr_frames: int, nr_cpus: int = 1, nr_nodes: int = 1, **params: int) -> Any:
    """For allocations and references: no tasks or files to speak of, contents of eight words."""
    return booted(
        Geometry(
            nr_cpus=nr_cpus,
            nr_nodes=nr_nodes,
            frames_per_node=nr_frames // nr_nodes,
            words_per_frame=8,
            nr_tasks=4,
            task_pages=32,
            table_pages=8,
            file_pages=16,
        ),
        **params,
    )


def allocation_machine(nr_cpus: int, settings: dict[str, str]) -> Any:
    """For allocations by several CPUs, of order 9 too: 32 MiB of frames of 64 bytes for each.

    Parameters  settings: values of policies
    """
    params = {name: value for name, value in policy_params(settings).items() if name != "window_blocks"}
    return frames_machine((1 << 16) + (1 << 15) * nr_cpus, nr_cpus, **params)


def calibration_machine(nr_cpus: int) -> Any:
    """The contents of its frames are what calibrations work on; its frames are never allocated."""
    return booted(
        Geometry(
            nr_cpus=nr_cpus,
            nr_nodes=1,
            frames_per_node=-(-TOTAL_WORDS // WORDS_PER_BLOCK) * 512,
            words_per_frame=WORDS_PER_BLOCK // 512,
            nr_tasks=4,
            task_pages=32,
            table_pages=8,
            file_pages=16,
        )
    )


def block_machine(order: int, nr_blocks: int, nr_cpus: int, **params: int) -> Any:
    """For allocations of many blocks: one node with an eighth more frames than `nr_blocks` of 2^order have; ev_pfn has room for them."""
    pageblock = 1 << Geometry.pageblock_order
    wanted = max(1 << 14, (nr_blocks << order) * 9 // 8)
    return booted(
        Geometry(
            nr_cpus=nr_cpus,
            nr_nodes=1,
            frames_per_node=-(-wanted // pageblock) * pageblock,
            words_per_frame=8,
            nr_tasks=4,
            task_pages=32,
            table_pages=8,
            file_pages=16,
            max_trace_pfn=nr_blocks,
        ),
        **params,
    )


def reference_machine(nr_cpus: int = 1, nr_spare: int = 0) -> Any:
    """For references: every descriptor has a count of one, and the first NR_RANDOM entries of desc_stack are in random order.

    Parameters  nr_spare: frames beyond NR_RANDOM, and so descriptors that are not among those
    """
    mem = frames_machine(NR_RANDOM + nr_spare, nr_cpus)
    mem.arrays["refcount"][:] = 1
    mem.arrays["desc_stack"][:NR_RANDOM] = np.random.default_rng(1).permutation(NR_RANDOM)
    return mem


def link_ring(mem: Any, nr_descs: int, ring: int = 0, first: int = 0) -> None:
    """Link descriptors from `first` on in random order into a ring, for entries.walk_list; every CPU's walk begins at the same one."""
    order = first + np.random.default_rng(1).permutation(nr_descs)
    mem.arrays["folio_next"][order] = np.roll(order, -1) + 1
    mem.arrays["gang_desc"][ring::GANG] = order[0]


def copy_machine(nr_frames: int) -> Any:
    """For copies of frames of 4 KiB, a power of two of them; the first entries of desc_stack name them in random order."""
    mem = booted(Geometry(nr_cpus=1, nr_nodes=1, frames_per_node=nr_frames, nr_tasks=4, task_pages=32, table_pages=8, file_pages=16))
    mem.arrays["desc_stack"][:nr_frames] = np.random.default_rng(1).permutation(nr_frames)
    mem.arrays["contents"][:] = 1
    return mem


def task_machine(nr_nodes: int, nr_blocks: int = 16, frame_bytes: int = 4096, window_blocks: int = 1, file_pages: int = 16) -> Any:
    """For migration: pageblocks of 512 frames, four tasks with room for 1024 pages each."""
    return booted(
        Geometry(
            nr_cpus=1,
            nr_nodes=nr_nodes,
            frames_per_node=nr_blocks * 512 // nr_nodes,
            words_per_frame=frame_bytes // 8,
            nr_tasks=4,
            task_pages=1024,
            table_pages=256,
            file_pages=file_pages,
            window_blocks=window_blocks,
        )
    )
