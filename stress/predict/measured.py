"""Workloads timed on this host by one and by two pinned processes, in alternating slices of some milliseconds.

A shared host changes its speed in bursts of a tenth of a second to minutes, so one worker and two are timed within milliseconds of each
other, and what is predicted is the ratio of the two. A slice counts only if no other work took the processor of one of its workers.
"""

import contextlib
import mmap
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from stress.predict.workloads import HotPath, machine
from stress.process.child import fork_child

SLICE_NS = 3_000_000
LEAST_SHARE = 0.9  # of the slice that a worker has its processor
PRIORITY = -20  # where the host allows it: other work then interrupts fewer slices
_TURN, _STOP, _ARRIVED, _OPS, _WALL, _CPU = (16 * k for k in range(6))  # words of the control page, a line or more apart
_BOTH, _ENDED = 3, -1


@dataclass(frozen=True)
class WorkerRounds:
    """ns per operation in the rounds that nothing disturbed: by one worker (the mean of both processors), by two (None on one core)."""

    alone_ns: list[float]
    both_ns: list[float] | None


class _Pair:
    """Processes that work in turn as the parent says."""

    def __init__(self, workload: HotPath, policies: dict[str, str], processors: list[int]) -> None:
        self._workload = workload
        self._control = np.frombuffer(mmap.mmap(-1, mmap.PAGESIZE), np.int64)
        mem = machine(2, 1, policies)
        if workload.prepare is not None:
            for cpu in range(2):
                workload.prepare(mem, cpu, 0)
        self._nr_workers = min(2, len(processors))
        self._pids = [
            fork_child(partial(self._serve, mem, cpu), f"worker {cpu}", pin_to=processors[cpu]) for cpu in range(self._nr_workers)
        ]
        self._turn = 0

    def slice(self, mask: int) -> float | None:
        """One slice of those workers in `mask` that exist: the mean ns per operation, or None if it was disturbed."""
        control = self._control
        control[_STOP : _STOP + 16] = 0
        control[_ARRIVED : _ARRIVED + 16] = 0
        self._turn += 1
        workers = [cpu for cpu in range(self._nr_workers) if mask >> cpu & 1]
        control[_TURN + 1], control[_TURN] = sum(1 << cpu for cpu in workers), self._turn  # a worker waits for all that are named
        while any(control[_STOP + 1 + cpu] == 0 for cpu in workers):
            time.sleep(SLICE_NS / 4e9)
            for pid in self._pids:
                if os.waitpid(pid, os.WNOHANG)[0]:
                    raise RuntimeError(f"{self._workload.name}: a worker failed")
        ops, wall_ns, cpu_ns = (control[at : at + 2][workers] for at in (_OPS, _WALL, _CPU))
        if (ops == 0).any() or (cpu_ns < LEAST_SHARE * wall_ns).any():
            return None
        return float((wall_ns / ops).mean())

    def close(self) -> None:
        self._control[_TURN + 1], self._control[_TURN] = _ENDED, self._turn + 1
        for pid in self._pids:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)

    def _serve(self, mem: Any, cpu: int) -> None:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
        control, work, chunk, seen = self._control, self._workload.work, self._workload.slice_ops, 0
        while True:
            while control[_TURN] == seen:
                time.sleep(50e-6)
            seen, mask = int(control[_TURN]), int(control[_TURN + 1])
            if mask == _ENDED:
                return
            if mask >> cpu & 1:
                self._slice(mem, cpu, mask.bit_count(), work, chunk)

    def _slice(self, mem: Any, cpu: int, nr_workers: int, work: Any, chunk: int) -> None:
        control = self._control
        control[_ARRIVED + cpu] = 1
        while control[_ARRIVED] + control[_ARRIVED + 1] < nr_workers:
            pass
        done, start_ns, start_cpu_ns = 0, time.perf_counter_ns(), time.thread_time_ns()
        now_ns = start_ns
        while now_ns - start_ns < SLICE_NS and not control[_STOP]:
            done += work(mem, cpu, chunk)
            now_ns = time.perf_counter_ns()
        control[_STOP] = 1
        control[_OPS + cpu], control[_WALL + cpu], control[_CPU + cpu] = done, now_ns - start_ns, time.thread_time_ns() - start_cpu_ns
        control[_STOP + 1 + cpu] = 1


def rounds_of(workload: HotPath, policies: dict[str, str], processors: list[int], nr_rounds: int, most_s: float) -> WorkerRounds:
    """Time a workload until so many rounds were undisturbed, or for so long.

    Parameters  processors: of this host; two are used if there are two
    """
    pair = _Pair(workload, policies, processors)
    try:
        for _ in range(2):
            pair.slice(_BOTH)
        alone_ns, both_ns = [], []
        for alone, both in _undisturbed(pair, workload, len(processors) > 1, nr_rounds, most_s):
            alone_ns.append(alone)
            both_ns.append(both)
    finally:
        pair.close()
    return WorkerRounds(alone_ns, both_ns if len(processors) > 1 else None)


def _undisturbed(pair: _Pair, workload: HotPath, two: bool, nr_rounds: int, most_s: float) -> Iterator[tuple[float, float]]:
    found, start_s = 0, time.monotonic()
    while found < nr_rounds and time.monotonic() - start_s < most_s:
        slices = [] if workload.pair_only else [pair.slice(1), pair.slice(2) if two else 0.0]
        both = pair.slice(_BOTH) if two else 0.0
        if None in slices or both is None:
            continue
        found += 1
        yield float(np.mean([each for each in slices if each])) if slices else 0.0, both
