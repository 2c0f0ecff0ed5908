"""Recorded kmem traces (mm_page_alloc, mm_page_free) are read, checked and packed for replay. Each traced CPU is a worker.

A file is an .npz with arrays of equal length in the order of time: t_ns, cpu, alloc (True: allocation), pfn, order, migratetype
(-1 on a free). A free has the pfn that it frees. Here it gets the slot of its allocation: the replaying CPU publishes the model's pfn
in that slot, and a free on another CPU waits for it. Two kinds of frees are left out: of memory that was allocated before the
recording, and of another order than the allocation (a large block that was split first). Memory that the recording never frees is
freed by the CPU that allocated it, after its last event, so that a replay can start over.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.base.layout import NR_ORDERS, NR_PCPTYPES, TRACE_NONE
from stress.errors import UserError
from stress.io.arrays import read_arrays, require_integers
from stress.io.reading import is_file
from stress.machine.host import memory_headroom
from stress.machine.sizes import MAX_WORKERS

KIND_FREE, KIND_ALLOC = 0, 1
#: frames of the machine for each frame of the recording's peak: CPUs drift apart at full speed, and watermarks keep some frames free
ROOM = 1.5
_BYTES_PER_BYTE = 16  # what packing a trace needs beside each byte that was read: lists of Python's integers, and the packed columns
_COLUMNS = ("t_ns", "cpu", "alloc", "pfn", "order", "migratetype")
#: the allowed values of each column
_RANGES = {
    "t_ns": (0, (1 << 63) - 1),
    "cpu": (0, 65535),
    "alloc": (0, 1),
    "pfn": (0, (1 << 52) - 1),
    "order": (0, NR_ORDERS - 1),
    "migratetype": (-1, NR_PCPTYPES - 1),
}
Column = npt.NDArray[Any]


@dataclass(frozen=True)
class Trace:
    """Events grouped by CPU: events first[c] .. first[c + 1] - 1 are those of CPU c, in recorded order."""

    kind: Column
    order: Column
    migratetype: Column
    slot: Column
    wait: Column  # the CPU whose allocation a free waits for; TRACE_NONE: its own, or no free
    first: Column
    nr_slots: int
    peak_frames: int
    nr_left_out: int

    @property
    def nr_cpus(self) -> int:
        return len(self.first) - 1

    @property
    def nr_events(self) -> int:
        return len(self.kind)

    @property
    def machine_frames(self) -> int:
        """How many frames a machine needs so that allocations rarely fail."""
        return int(self.peak_frames * ROOM)

    def write_to(self, mem: Any) -> None:
        """Put the events into the segment of a machine that was sized for them."""
        fields = {
            "ev_kind": self.kind,
            "ev_order": self.order,
            "ev_migratetype": self.migratetype,
            "ev_slot": self.slot,
            "ev_wait": self.wait,
            "ev_first": self.first,
        }
        for name, values in fields.items():
            mem.arrays[name][:] = values
        mem.arrays["ev_pfn"][:] = TRACE_NONE


def read_trace(path: Path) -> Trace:
    """Read a recording.

    Raises      UserError, one line, if the file is missing, empty, truncated or of another shape
    """
    return _pack(_read_columns(path))


def _read_columns(path: Path) -> dict[str, Column]:
    if not is_file(path):
        raise UserError(f"{path}: no such trace file")
    what = f"a trace (.npz with {', '.join(_COLUMNS)})"
    columns = read_arrays(path, _COLUMNS, what, memory_headroom().available_bytes // _BYTES_PER_BYTE)
    for name in _COLUMNS:
        if name not in columns:
            raise UserError(f"{path}: not a trace: array {name!r} is missing; needed: {', '.join(_COLUMNS)}")
    _check_columns(path, columns)
    return columns


def _check_columns(path: Path, columns: dict[str, Column]) -> None:
    for name, values in columns.items():
        require_integers(path, name, values)
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) != 1:
        raise UserError(f"{path}: arrays differ in length: {', '.join(f'{name} {length}' for name, length in lengths.items())}")
    if not len(columns["cpu"]) or not columns["alloc"].any():
        raise UserError(f"{path}: the trace has no allocations")
    for name, (least, most) in _RANGES.items():
        low, high = int(columns[name].min()), int(columns[name].max())
        if low < least or high > most:
            raise UserError(f"{path}: array {name!r} has values {low}..{high}, allowed are {least}..{most}")
    if (columns["t_ns"][1:] < columns["t_ns"][:-1]).any():
        late = int(np.argmax(columns["t_ns"][1:] < columns["t_ns"][:-1])) + 1
        raise UserError(f"{path}: the events are not in the order of time: event {late} has an earlier t_ns than the one before it")
    if (columns["migratetype"][columns["alloc"].astype(bool)] < 0).any():
        raise UserError(f"{path}: an allocation has migratetype -1")
    if (nr_cpus := len(np.unique(columns["cpu"]))) > MAX_WORKERS:
        raise UserError(f"{path}: the trace has {nr_cpus:,} CPUs, and each is a worker: record at most {MAX_WORKERS:,}")


def _pack(columns: dict[str, Column]) -> Trace:
    alloc, order, cpu = columns["alloc"].astype(bool), columns["order"], columns["cpu"]
    slot, made_by, left, peak_frames = _pair(alloc, columns["pfn"], order)
    paired = np.flatnonzero(slot != TRACE_NONE)
    # never-freed allocations are freed at the end; the stable sort keeps these frees last on each CPU
    events = np.concatenate([paired, left])
    is_alloc = np.concatenate([alloc[paired], np.zeros(len(left), bool)])
    _, cpu_numbers = np.unique(cpu[events], return_inverse=True)
    by_cpu = np.argsort(cpu_numbers, kind="stable")
    events, is_alloc, cpu_numbers = events[by_cpu], is_alloc[by_cpu], cpu_numbers[by_cpu]
    number_of = dict(zip(cpu[events].tolist(), cpu_numbers.tolist(), strict=True))
    maker = np.array([number_of[each] for each in cpu[made_by[events]].tolist()], np.int64)
    return Trace(
        kind=np.where(is_alloc, KIND_ALLOC, KIND_FREE),
        order=order[events],
        migratetype=np.where(is_alloc, columns["migratetype"][events], -1),
        slot=slot[events],
        wait=np.where(is_alloc | (maker == cpu_numbers), TRACE_NONE, maker),
        first=np.searchsorted(cpu_numbers, np.arange(len(number_of) + 1)),
        nr_slots=int(np.count_nonzero(alloc)),
        peak_frames=peak_frames,
        nr_left_out=len(alloc) - len(paired),
    )


def _pair(alloc: Column, pfn: Column, order: Column) -> tuple[Column, Column, Column, int]:
    """Find the allocation of every free.

    Returns     for each event its slot or TRACE_NONE, and the event of its allocation; the allocations that are never freed, in
                recorded order; the largest number of frames that were allocated together
    """
    slot, made_by = np.full(len(alloc), TRACE_NONE, np.int64), np.arange(len(alloc))
    live: dict[int, int] = {}  # traced pfn -> event of its allocation
    never_freed: list[int] = []
    nr_slots = frames = peak_frames = 0
    for event, (is_alloc, frame, size) in enumerate(zip(alloc.tolist(), pfn.tolist(), order.tolist(), strict=True)):
        if is_alloc:
            slot[event] = nr_slots
            nr_slots += 1
            if frame in live:  # its free was lost, or came in pieces
                never_freed.append(live[frame])
            live[frame] = event
            frames += 1 << size
            peak_frames = max(peak_frames, frames)
        elif frame in live and order[live[frame]] == size:
            made_by[event] = live.pop(frame)
            slot[event] = slot[made_by[event]]
            frames -= 1 << size
    never_freed.extend(live.values())
    return slot, made_by, np.array(sorted(never_freed), np.int64), peak_frames
