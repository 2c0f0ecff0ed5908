"""A group measured by the crew of one process: all of its cells in rotation, slice by slice."""

import random
import time
from typing import Any

from kernels.base.layout import COUNTER, COUNTER_STRIDE
from stress.machine.host import usable_cpus
from stress.measure.crew import PART_NS, Crew, CrewError, TimedCell
from stress.measure.effort import Effort
from stress.measure.grid import SEED, CellSpec
from stress.measure.groups import ENTRIES_OF, SHARED_ENTRIES, Groups
from stress.process.build import build_entries


def slices_of(group: str, specs: list[CellSpec], effort: Effort) -> dict[str, Any]:
    """What one process measures: by cell its slices, [ns per operation, ns per calibration], and counts, or an `error`.

    Raises      HostError; CrewError if a worker died
    """
    build_entries([entry.name for entry in (*SHARED_ENTRIES, *ENTRIES_OF[group])])
    processors = usable_cpus()
    groups = Groups(max(spec.workers for spec in specs))
    cells = [groups.cell(group, spec) for spec in specs]
    taken: list[list[tuple[float, float]]] = [[] for _ in cells]
    counts = [Counts() for _ in cells]
    errors: dict[int, str] = {}
    with Crew(cells, processors, effort.part_ns or PART_NS) as crew:
        for index in range(len(cells)):
            _size(crew, index, errors)
        start, order = time.monotonic(), random.Random(SEED)
        while True:
            rotation = [index for index in range(len(cells)) if index not in errors]
            order.shuffle(rotation)
            for index in rotation:
                _slice(crew, index, cells[index], taken, counts, errors)
            done = min((len(taken[index]) for index in rotation), default=effort.slices)
            if done >= effort.slices and time.monotonic() - start >= effort.seconds:
                break
    return {
        spec.name: {"error": errors[index]} if index in errors else {"slices": taken[index], "counts": counts[index].to_json()}
        for index, spec in enumerate(specs)
    }


def _size(crew: Crew, index: int, errors: dict[int, str]) -> None:
    try:
        crew.size(index)
    except CrewError as error:
        errors[index] = str(error)


def _slice(crew: Crew, index: int, cell: TimedCell, taken: Any, counts: "list[Counts]", errors: dict[int, str]) -> None:
    try:
        counts[index].begin(cell)
        slice_ = crew.slice(index)
        counts[index].end(cell, slice_.nr_ops)
        taken[index].append((slice_.cell_ns, slice_.calibration_ns))
    except CrewError as error:
        errors[index] = str(error)


class Counts:
    """Compare-exchange failures and lock waiting of one cell, by the machine's own counters."""

    def __init__(self) -> None:
        self.nr_ops = self.retries = self.acquired = self.contended = 0

    def _read(self, cell: TimedCell) -> tuple[int, int, int]:
        arrays = cell.mem.arrays
        failed = arrays["counters"][COUNTER["cmpxchg_failed"] :: COUNTER_STRIDE].sum()
        return int(failed), int(arrays["lock_acquired"].sum()), int(arrays["lock_contended"].sum())

    def begin(self, cell: TimedCell) -> None:
        """Before a slice."""
        self._before = self._read(cell)

    def end(self, cell: TimedCell, nr_ops: int) -> None:
        """After it."""
        failed, acquired, contended = (now - before for now, before in zip(self._read(cell), self._before, strict=True))
        self.nr_ops, self.retries = self.nr_ops + nr_ops, self.retries + failed
        self.acquired, self.contended = self.acquired + acquired, self.contended + contended

    def to_json(self) -> dict[str, float]:
        """Failures per operation, and the share of acquisitions that waited."""
        return {"retries": self.retries / max(1, self.nr_ops), "lock_waiting": self.contended / max(1, self.acquired)}
