"""Fragmentation: the state in which a scenario begins, and the kernel's two indices over time.

Source      mm/vmstat.c: fill_contig_page_info(), __fragmentation_index(), unusable_free_index(). The indices are in thousandths, as
            /sys/kernel/debug/extfrag prints them.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.base.layout import (
    ALLOCATOR_BITFIELD,
    BITFIELD_WORDS,
    HELD_CAPACITY,
    NR_MIGRATETYPES,
    NR_ORDERS,
    PIN_CAPACITY,
    RESERVE_DELTA,
    RESERVE_STRIDE,
    T_ANON,
    T_FILE,
    T_KSM,
    T_MOVABLE,
    TYPE_MASK,
    Geometry,
)
from stress.errors import UserError
from stress.machine.segment import set_param
from stress.machine.sizes import anon_pages_of
from stress.storm.scenario import Fragmentation

MOVED = (T_FILE, T_ANON, T_KSM, T_MOVABLE)  # counted as movable memory; balloons and page tables are not
SUITABLE = -1000  # the fragmentation index if there is a free block of that order
BRIM = 0.96  # the share of memory that is filled before holes are made
NR_SAMPLES_MAX = 512  # of a series; when there are more, every second one is dropped
_FRAMES_PER_HELD = 1.6  # the mean size of a kernel allocation: three in four are single frames


def check_fragmentation(wanted: Fragmentation, geometry: Geometry) -> None:
    """Raise UserError unless the machine can have these shares."""
    nr_frames = geometry.nr_frames
    virtual = geometry.nr_tasks * anon_pages_of(geometry.task_pages) + geometry.nr_files * geometry.file_pages
    if wanted.movable * nr_frames > virtual:
        raise UserError(
            f"fragmentation.movable = {wanted.movable:g}: tasks and files of this machine can hold at most {virtual / nr_frames:.2f} of "
            "memory: raise machine.fill"
        )
    held = geometry.nr_cpus * HELD_CAPACITY // 2 * _FRAMES_PER_HELD
    if (wanted.unmovable + wanted.reclaimable) * nr_frames > held:
        raise UserError(
            f"fragmentation.unmovable + reclaimable = {wanted.unmovable + wanted.reclaimable:g}: {geometry.nr_cpus} workers can hold "
            f"at most {held / nr_frames:.2f} of memory: use more --workers or less --memory"
        )
    if wanted.pinned * nr_frames > geometry.nr_cpus * PIN_CAPACITY:
        share = geometry.nr_cpus * PIN_CAPACITY / nr_frames
        raise UserError(
            f"fragmentation.pinned = {wanted.pinned:g}: {geometry.nr_cpus} workers can pin at most {share:.3f} of memory: "
            "use more --workers or less --memory"
        )


def prepare_machine(mem: Any, wanted: Fragmentation, prepare: Any) -> None:
    """Bring a booted machine to the shares, and have the roles hold as much from then on.

    Parameters  prepare: the entry of stress/roles/_prepare.py
    """
    shares = (wanted.movable, wanted.unmovable, wanted.reclaimable, wanted.pinned, BRIM if wanted.holes else 0.0)
    prepare(mem, 0, *(int(share * mem.nr_frames) for share in shares))
    held = int(mem.arrays["held_count"].sum())
    if held:
        set_param(mem, "kernel_target", max(1, round(held / mem.nr_cpus)))
    pins = int(mem.arrays["pin_count"].sum())
    if wanted.pinned:
        set_param(mem, "pin_target", min(PIN_CAPACITY, -(-pins // mem.nr_cpus)))


def extfrag_index(free_blocks: Sequence[int], order: int) -> int:
    """Why an allocation of an order would fail, in thousandths: near 0 for lack of memory, near 1000 because of fragmentation.

    Parameters  free_blocks: the free blocks of a zone by order
    Returns     SUITABLE if it would not fail; 0 if nothing is free
    """
    blocks_total = sum(free_blocks)
    if blocks_total == 0:
        return 0
    if sum(free_blocks[order:]):
        return SUITABLE
    free_pages = sum(blocks << each for each, blocks in enumerate(free_blocks))
    return 1000 - (1000 + free_pages * 1000 // (1 << order)) // blocks_total


def unusable_index(free_blocks: Sequence[int], order: int) -> int:
    """The share of free memory that an allocation of an order cannot use, in thousandths; 1000 if nothing is free."""
    free_pages = sum(blocks << each for each, blocks in enumerate(free_blocks))
    if free_pages == 0:
        return 1000
    suitable = sum(blocks << each for each, blocks in enumerate(free_blocks) if each >= order)
    return (free_pages - suitable) * 1000 // free_pages


def read_buddyinfo(mem: Any) -> list[list[int]]:
    """Free blocks by node and order, as /proc/buddyinfo counts them; of a bitfield, the blocks that a buddy would make of clear bits."""
    if mem.policy_allocator == ALLOCATOR_BITFIELD:
        return [blocks_of(node) for node in free_bits(mem)]
    blocks = mem.arrays["nr_free"].reshape(-1, NR_ORDERS, NR_MIGRATETYPES).sum(axis=2)
    return [[int(count) for count in node] for node in blocks]


def free_bits(mem: Any) -> npt.NDArray[np.bool_]:
    """Which frames a bitfield says are free, a row for each node."""
    words = np.ascontiguousarray(mem.arrays["bitfield"]).view(np.uint8).reshape(-1, BITFIELD_WORDS * 8)
    bits = np.unpackbits(words, axis=1, bitorder="little")[:, : 1 << mem.pageblock_order]
    free: npt.NDArray[np.bool_] = bits.reshape(-1)[: mem.nr_frames].reshape(mem.nr_nodes, -1) == 0
    return free


def blocks_of(free: npt.NDArray[np.bool_]) -> list[int]:
    """The largest aligned blocks of free frames, by order.

    Parameters  free: by frame; the first one is aligned to the largest order
    """
    counts = []
    for _ in range(NR_ORDERS - 1):
        free = np.append(free, np.zeros(len(free) % 2, np.bool_))
        pairs = free[::2] & free[1::2]
        counts.append(int(free.sum() - 2 * pairs.sum()))
        free = pairs
    return [*counts, int(free.sum())]


def free_frames(mem: Any) -> int:
    """Free frames outside of isolated pageblocks and of per-CPU lists, with those that CPUs have not added to zone_free yet."""
    return int(mem.arrays["zone_free"].sum() + mem.arrays["reserve_word"][RESERVE_DELTA::RESERVE_STRIDE].sum())


class Series:
    """Samples of each node: free and movable frames, and both indices of every order. One a second, fewer in a long run."""

    def __init__(self) -> None:
        self._samples: list[dict[str, Any]] = []
        self._every, self._turn = 1, 0

    def sample(self, seconds: float, mem: Any) -> None:
        """Take a sample, or skip it in a long run."""
        self._turn += 1
        if self._turn % self._every:
            return
        nodes = read_buddyinfo(mem)
        self._samples.append(
            {
                "seconds": round(seconds, 3),
                "movable_frames": [int(np.isin(node, MOVED).sum()) for node in mem.arrays["memdesc"].reshape(len(nodes), -1) & TYPE_MASK],
                "free_frames": [sum(blocks << order for order, blocks in enumerate(node)) for node in nodes],
                "extfrag_index": [[extfrag_index(node, order) for order in range(NR_ORDERS)] for node in nodes],
                "unusable_index": [[unusable_index(node, order) for order in range(NR_ORDERS)] for node in nodes],
            }
        )
        if len(self._samples) > NR_SAMPLES_MAX:
            self._samples = self._samples[::2]
            self._every *= 2

    def to_json(self) -> list[dict[str, Any]]:
        return self._samples
