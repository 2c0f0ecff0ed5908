"""Recorded kmem traces (mm_page_alloc, mm_page_free) read, checked, and packed for replay: every traced CPU a worker.

A file is an .npz with arrays of equal length: cpu, alloc (True: allocation), pfn, order, migratetype (-1 on a free). A free
names the frame that it frees; here it gets the slot of its allocation, in which the replaying CPU publishes the model's pfn and
for which a free on another CPU waits. Frees of what was allocated before the recording, or of another order than the
allocation, are left out.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kernels.base.layout import NR_ORDERS, NR_PCPTYPES, TRACE_NONE
from stress.errors import UserError

KIND_FREE, KIND_ALLOC = 0, 1
_COLUMNS = ("cpu", "alloc", "pfn", "order", "migratetype")

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
    if not path.is_file():
        raise UserError(f"{path}: no such trace file")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            missing = [name for name in _COLUMNS if name not in stored]
            columns = {name: np.atleast_1d(stored[name]) for name in _COLUMNS if name not in missing}
    except (OSError, ValueError, TypeError, EOFError, KeyError, zipfile.BadZipFile, zipfile.zlib.error) as error:  # type: ignore[attr-defined]
        # numpy's message goes on about pickles; its first sentence is for us
        reason = str(error).partition(". ")[0]
        raise UserError(f"{path}: not a trace (.npz with {', '.join(_COLUMNS)}): {reason}") from error
    if missing:
        raise UserError(f"{path}: not a trace: array {missing[0]!r} is missing; needed: {', '.join(_COLUMNS)}")
    _check_columns(path, columns)
    return columns


def _check_columns(path: Path, columns: dict[str, Column]) -> None:
    for name, values in columns.items():
        if values.ndim != 1 or values.dtype.kind not in "iub":
            raise UserError(f"{path}: array {name!r} must be one-dimensional integers, is {values.ndim}-dimensional {values.dtype}")
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) != 1:
        raise UserError(f"{path}: arrays differ in length: {', '.join(f'{name} {length}' for name, length in lengths.items())}")
    if not len(columns["cpu"]) or not columns["alloc"].any():
        raise UserError(f"{path}: the trace has no allocations")
    for name, least, most in (("order", 0, NR_ORDERS - 1), ("migratetype", -1, NR_PCPTYPES - 1)):
        values = columns[name]
        if values.min() < least or values.max() > most:
            raise UserError(f"{path}: array {name!r} has values {values.min()}..{values.max()}, allowed are {least}..{most}")
    if (columns["migratetype"][columns["alloc"].astype(bool)] < 0).any():
        raise UserError(f"{path}: an allocation has migratetype -1")


def _pack(columns: dict[str, Column]) -> Trace:
    cpus, cpu_numbers = np.unique(columns["cpu"], return_inverse=True)
    alloc, order = columns["alloc"].astype(bool), columns["order"]
    slot, wait = np.full(len(alloc), TRACE_NONE, np.int64), np.full(len(alloc), TRACE_NONE, np.int64)
    live: dict[int, tuple[int, int]] = {}  # traced pfn -> (slot, event of its allocation)
    nr_slots = frames = peak_frames = 0
    for event, (is_alloc, pfn, size) in enumerate(zip(alloc.tolist(), columns["pfn"].tolist(), order.tolist(), strict=True)):
        if is_alloc:
            slot[event] = nr_slots
            live[pfn] = (nr_slots, event)
            nr_slots += 1
            frames += 1 << size
            peak_frames = max(peak_frames, frames)
        elif pfn in live and order[live[pfn][1]] == size:
            slot[event], made_by = live.pop(pfn)
            frames -= 1 << size
            if cpu_numbers[made_by] != cpu_numbers[event]:
                wait[event] = cpu_numbers[made_by]
    kept = np.flatnonzero(slot != TRACE_NONE)
    kept = kept[np.argsort(cpu_numbers[kept], kind="stable")]
    first = np.searchsorted(cpu_numbers[kept], np.arange(len(cpus) + 1))
    return Trace(
        kind=np.where(alloc[kept], KIND_ALLOC, KIND_FREE),
        order=order[kept],
        migratetype=columns["migratetype"][kept],
        slot=slot[kept],
        wait=wait[kept],
        first=first,
        nr_slots=nr_slots,
        peak_frames=peak_frames,
        nr_left_out=len(alloc) - len(kept),
    )
