"""A crew of forked and pinned workers that measures cells in slices, in any order, released together.

The parent orders one slice of one cell by so many workers; the others sleep. In a slice every worker alternates a few times between a
part of the calibration and a part of the cell, both of about a millisecond, and takes its own CPU time: on a busy host the wall clock
includes other processes. Workers wait for each other before each part, so that none is timed alone.
"""

import mmap
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from stress.process import futex
from stress.process.child import fork_child

Timed = Callable[[Any, int, int], int]  # (mem, cpu, nr_ops) -> operations that succeeded
Chore = Callable[[Any, int], object]  # (mem, cpu), not timed

MAX_WORKERS = 512
PARTS = 4  # of a slice
PART_NS = 3_000_000  # of the cell in each part, about
TURN_S = 60.0  # within which a worker answers
_LOOK_S = 0.2  # between two looks whether workers are alive
_SPINS = 200  # before a waiting worker yields
_SIZINGS, _NEAR = 12, 1.6  # tries to find the size of a part, and how near is near enough

#: words of the control page: the number of the order, the cell it is about (-1: leave), workers, parts
_NUMBER, _CELL, _WORKERS, _PARTS, _HEAD_WORDS = 0, 1, 2, 3, 8
#: words of each worker: the number of its last answer, its place in the slice, whether it failed, ns and operations of its slice
_DONE, _AT, _FAILED, _CELL_NS, _CELL_OPS, _CAL_NS, _CAL_OPS, _SLOT_WORDS = 0, 1, 2, 3, 4, 5, 6, 8
#: words of each cell: calls of a part, operations of a call, operations of a part of its calibration
_CALLS, _OPS, _CAL_PART, _CELL_WORDS = 0, 1, 2, 4
_FIRST_OPS = 64
_LEFT = 1 << 40  # the place of a worker that has failed: the others do not wait for it


@dataclass(frozen=True)
class TimedCell:
    """One timed operation, by so many workers.

    Fields      name: within its group; operation: what is timed, `batch` operations a call (0: any number)
                calibration: (mem, cpu, nr_ops) on cal_mem
                then: timed too, when all workers have finished the operation; before, after: not timed, around each call
    """

    name: str
    workers: int
    operation: Timed
    mem: Any
    calibration: Timed
    cal_mem: Any
    batch: int = 0
    then: Timed | None = None
    before: Chore | None = None
    after: Chore | None = None


class CrewError(RuntimeError):
    """A worker died, did not answer, or an operation failed."""


class Slice(NamedTuple):
    """One slice, the mean of its workers: ns per operation of the cell and of its calibration, and the operations of all workers."""

    cell_ns: float
    calibration_ns: float
    nr_ops: int


class Crew:
    """Forked workers, each pinned to its processor. Kernels must be built and machines made before."""

    def __init__(self, cells: Sequence[TimedCell], processors: Sequence[int], part_ns: int = PART_NS) -> None:
        self._cells, self._part_ns = list(cells), part_ns
        nr_workers = max(cell.workers for cell in cells)
        self._processors = list(processors)[:nr_workers]
        nr_words = _HEAD_WORDS + _SLOT_WORDS * nr_workers + _CELL_WORDS * len(self._cells)
        self._words = np.frombuffer(mmap.mmap(-1, 8 * nr_words), np.int64, count=nr_words)
        self._slots = self._words[_HEAD_WORDS : _HEAD_WORDS + _SLOT_WORDS * nr_workers].reshape(-1, _SLOT_WORDS)
        self._sizes = self._words[_HEAD_WORDS + _SLOT_WORDS * nr_workers :].reshape(-1, _CELL_WORDS)
        for sizes, cell in zip(self._sizes, self._cells, strict=True):
            sizes[_CALLS], sizes[_OPS], sizes[_CAL_PART] = 1, cell.batch or _FIRST_OPS, _FIRST_OPS
        self._pids: dict[int, int] = {}  # worker -> pid
        self._place = 0  # of a worker in its slice: how often it has met the others

    def __enter__(self) -> "Crew":
        for worker, processor in enumerate(self._processors):
            self._pids[worker] = fork_child(partial(self._serve, worker), f"worker {worker}", pin_to=processor)
        return self

    def __exit__(self, *_: object) -> None:
        self._order(-1, 0, 0)
        deadline = time.monotonic() + 2
        for pid in self._pids.values():
            while os.waitpid(pid, os.WNOHANG)[0] == 0:
                if time.monotonic() > deadline:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                    break
                time.sleep(0.001)

    # -- the parent

    def size(self, index: int) -> None:
        """Warm a cell up, and find how many operations make a part of it and of its calibration.

        Raises      CrewError
        """
        cell, sizes = self._cells[index], self._sizes[index]
        self._run(index, 1)  # maps memory and loads code; what it took says nothing
        for _ in range(_SIZINGS):
            self._run(index, 1)
            slots = self._slots[: cell.workers]
            settled = True
            for word, spent_ns, target_ns in (
                (_CALLS if cell.batch else _OPS, int(slots[:, _CELL_NS].max()), self._part_ns),
                (_CAL_PART, int(slots[:, _CAL_NS].max()), self._part_ns // 2),
            ):
                growth = min(16.0, target_ns / max(spent_ns, 1))
                settled = settled and (1 / _NEAR < growth < _NEAR or (growth <= 1 and sizes[word] == 1))
                sizes[word] = max(1, int(sizes[word] * growth))
            if settled:
                break

    def slice(self, index: int) -> Slice:
        """Measure one slice of a cell.

        Raises      CrewError
        """
        self._run(index, PARTS)
        slots = self._slots[: self._cells[index].workers].astype(np.float64)
        cell_ns, calibration_ns = slots[:, _CELL_NS] / slots[:, _CELL_OPS], slots[:, _CAL_NS] / slots[:, _CAL_OPS]
        return Slice(float(cell_ns.mean()), float(calibration_ns.mean()), int(slots[:, _CELL_OPS].sum()))

    def _order(self, index: int, workers: int, parts: int) -> int:
        self._slots[:, _AT] = 0
        self._words[_CELL], self._words[_WORKERS], self._words[_PARTS] = index, workers, parts
        number = int(self._words[_NUMBER]) + 1
        self._words[_NUMBER] = number
        futex.wake_all(self._words[_NUMBER : _NUMBER + 1])
        return number

    def _run(self, index: int, parts: int) -> None:
        cell = self._cells[index]
        number = self._order(index, cell.workers, parts)
        deadline = time.monotonic() + TURN_S
        for worker in range(cell.workers):
            done = self._slots[worker, _DONE : _DONE + 1]
            while done[0] != number:
                futex.wait_while(done, int(done[0]) if done[0] != number else number - 1, _LOOK_S)
                self._check_alive(cell)
                if time.monotonic() > deadline:
                    raise CrewError(f"{cell.name}: worker {worker} did not answer within {TURN_S:.0f} s")
        if self._slots[: cell.workers, _FAILED].any():
            raise CrewError(f"{cell.name}: operations failed")

    def _check_alive(self, cell: TimedCell) -> None:
        for worker, pid in list(self._pids.items()):
            if os.waitpid(pid, os.WNOHANG)[0]:
                del self._pids[worker]
                raise CrewError(f"{cell.name}: worker {worker} died")

    # -- a worker

    def _serve(self, worker: int) -> None:
        number, slot = 0, self._slots[worker]
        while True:
            futex.wait_while(self._words[_NUMBER : _NUMBER + 1], number, 1.0)
            if self._words[_NUMBER] == number:
                continue
            number = int(self._words[_NUMBER])
            index = int(self._words[_CELL])
            if index < 0:
                return
            if worker >= self._words[_WORKERS]:
                continue
            slot[_FAILED] = int(not self._measure(worker, index))
            slot[_AT] = _LEFT
            slot[_DONE] = number
            futex.wake_all(slot[_DONE : _DONE + 1])

    def _measure(self, worker: int, index: int) -> bool:
        """Take the parts of a slice; False if an operation failed."""
        cell, sizes, slot = self._cells[index], self._sizes[index], self._slots[worker]
        slot[_CELL_NS : _CAL_OPS + 1] = 0
        self._place = 0
        for _ in range(int(self._words[_PARTS])):
            self._meet(worker)
            start_ns = time.thread_time_ns()
            done = cell.calibration(cell.cal_mem, worker, int(sizes[_CAL_PART]))
            slot[_CAL_NS] += time.thread_time_ns() - start_ns
            if done != sizes[_CAL_PART]:
                return False
            slot[_CAL_OPS] += sizes[_CAL_PART]
            self._meet(worker)
            for _ in range(int(sizes[_CALLS])):
                spent_ns = self._call(worker, cell, int(sizes[_OPS]))
                if spent_ns < 0:
                    return False
                slot[_CELL_NS] += spent_ns
                slot[_CELL_OPS] += sizes[_OPS]
        return True

    def _call(self, worker: int, cell: TimedCell, nr_ops: int) -> int:
        """One call of a cell: its ns, or -1 if operations failed."""
        if cell.before is not None:
            cell.before(cell.mem, worker)
        start_ns = time.thread_time_ns()
        done = cell.operation(cell.mem, worker, nr_ops)
        spent_ns = time.thread_time_ns() - start_ns
        if cell.then is not None and done == nr_ops:
            self._meet(worker)
            start_ns = time.thread_time_ns()
            done = cell.then(cell.mem, worker, nr_ops)
            spent_ns += time.thread_time_ns() - start_ns
            self._meet(worker)
        if cell.after is not None:
            cell.after(cell.mem, worker)
        return spent_ns if done == nr_ops else -1

    def _meet(self, worker: int) -> None:
        """Wait until all workers of the slice have come to this place, or have left."""
        self._place += 1
        self._slots[worker, _AT] = self._place
        others = self._slots[: int(self._words[_WORKERS]), _AT]
        spins = 0
        while (others < self._place).any():
            spins += 1
            if spins > _SPINS:
                os.sched_yield()
