"""Entries timed in forked and pinned processes: python -m stress.measure.forked NAME WORKERS prints one JSON object.

For each figure the workers are forked, map all memory, warm up, wait for each other, and stop when the first is done, so that no worker
is timed alone. The figure is the worker's own CPU time: on a busy host the wall clock includes other processes. The calling process must
be single-threaded: asv and pytest start this module as a command.
"""

import argparse
import json
import mmap
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from kernels.base.layout import COUNTER, COUNTER_STRIDE
from stress.machine.segment import set_param
from stress.measure import entries, machines
from stress.process import build
from stress.process.child import fork_child

MODULES = ("kernels.policy.boot", "stress.measure.entries")
CHUNK_OPS = 100_000
MAX_WORKERS = 16
_STOP, _ARRIVED, _RESULTS = 0, 8, 8 + MAX_WORKERS  # words of the control page
HOT_DESC = 8

#: descriptors in the ring of each walk: those of the first level of cache, of the second, and 64 MiB, as in limits.c
RINGS = {"list_hot": 256, "list_mid": 4096, "list_cold": entries.NR_RANDOM}

Work = Callable[[Any, int, int, int], int]  # (mem, cpu, first, nr_ops) -> operations that succeeded


def _walk(mem: Any, cpu: int, _: int, nr_ops: int) -> int:
    return int(entries.walk_list(mem, cpu, 0, nr_ops))


#: name -> (work, operations of one figure)
WORKS: dict[str, tuple[Work, int]] = {
    "hot": (lambda mem, cpu, _, nr_ops: entries.pair_hot(mem, cpu, HOT_DESC + cpu * machines.HOT_STRIDE, nr_ops), 4_000_000),
    "random": (entries.pair_random, 1 << 22),
    "random_tested": (entries.pair_random_tested, 1 << 22),
    "contended": (lambda mem, cpu, _, nr_ops: entries.pair_hot(mem, cpu, HOT_DESC, nr_ops), 1_000_000),
    "list_hot": (_walk, 8_000_000),
    "list_mid": (_walk, 4_000_000),
    "list_cold": (_walk, 1 << 20),
    "alloc": (lambda mem, cpu, _, nr_ops: entries.alloc_free(mem, cpu, 0, nr_ops), 4_000_000),
}


class Forked:
    """One machine with shuffled references, and a processor for each of its CPUs."""

    def __init__(self, processors: list[int]) -> None:
        self._processors = processors[:MAX_WORKERS]
        self._mem = machines.reference_machine(nr_cpus=len(self._processors))
        self._control = np.frombuffer(mmap.mmap(-1, mmap.PAGESIZE), np.int64)

    def ns(self, name: str, workers: Sequence[int]) -> float:
        """The mean of the workers' ns per operation.

        Parameters  workers: the CPUs that work; CPU k is pinned to processor k of those given
        Raises      RuntimeError if an operation or a worker failed
        """
        self._control[:] = 0
        if name in RINGS:
            machines.link_ring(self._mem, RINGS[name])
        pids = []
        for cpu in workers:
            run = partial(self._run, cpu, len(workers), *WORKS[name])
            pids.append(fork_child(run, f"worker {cpu}", pin_to=self._processors[cpu]))
        statuses = [os.waitpid(pid, 0)[1] for pid in pids]
        if any(statuses):
            raise RuntimeError(f"{name}: a worker failed: {statuses}")
        return float(self._control.view(np.float64)[_RESULTS : _RESULTS + MAX_WORKERS].sum() / len(workers))

    def set_policy(self, name: str, value: int) -> None:
        """Choose a policy of layout.POLICIES, and set the count of every descriptor to one."""
        set_param(self._mem, f"policy_{name}", value)
        self._mem.arrays["refcount"][:] = 1

    def retries(self) -> int:
        """Compare-exchanges that failed since the machine was made, including the warm-up."""
        return int(self._mem.arrays["counters"][COUNTER["cmpxchg_failed"] :: COUNTER_STRIDE].sum())

    def _run(self, cpu: int, nr_workers: int, work: Work, nr_ops: int) -> None:
        work(self._mem, cpu, 0, nr_ops // 4)
        control = self._control
        control[_ARRIVED + cpu] = 1
        while control[_ARRIVED : _ARRIVED + MAX_WORKERS].sum() < nr_workers:
            pass
        done, start_ns = 0, time.thread_time_ns()
        while done < nr_ops:
            if work(self._mem, cpu, done, CHUNK_OPS) != CHUNK_OPS:
                raise RuntimeError("operations failed")
            done += CHUNK_OPS
            if control[_STOP]:
                break
        elapsed_ns = time.thread_time_ns() - start_ns
        control[_STOP] = 1
        control.view(np.float64)[_RESULTS + cpu] = elapsed_ns / done


def measure(name: str, nr_workers: int, nr_figures: int, processors: list[int]) -> dict[str, float]:
    """The median of some figures: {"ns_per_op", "retries_per_op"}."""
    build.build_entries(build.entries_of(MODULES))
    forked = Forked(processors[:nr_workers])
    figures = [forked.ns(name, range(nr_workers)) for _ in range(nr_figures)]
    nr_ops = nr_figures * nr_workers * WORKS[name][1] * 5 / 4  # at most: the worker that comes second is cut short
    return {"ns_per_op": statistics.median(figures), "retries_per_op": forked.retries() / nr_ops}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m stress.measure.forked")
    parser.add_argument("name", choices=WORKS)
    parser.add_argument("workers", type=int)
    parser.add_argument("--figures", type=int, default=9)
    options = parser.parse_args()
    processors = sorted(os.sched_getaffinity(0))
    if not 1 <= options.workers <= min(len(processors), MAX_WORKERS):
        print(f"forked: {options.workers} workers, {len(processors)} processors", file=sys.stderr)
        return 4
    print(json.dumps(measure(options.name, options.workers, options.figures, processors)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
