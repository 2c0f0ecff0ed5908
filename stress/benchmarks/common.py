"""Timing for the asv suite. The operations are in stress/measure.

Every figure is a cost: asv takes lower for better, and would report a halved throughput as an improvement.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("PFNSTORM_FLAVOUR", "fast")

REPEATS = 15
BUILD_TIMEOUT_S = 600  # the first process of a commit compiles


def cost(unit: str = "seconds", version: str = "1") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a benchmark asv's attributes. When a change alters what it measures, it needs a new version."""

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        function.__dict__.update(unit=unit, version=version)
        return function

    return mark


def seconds_per_op(run: Callable[[int], int], nr_ops: int) -> float:
    """The median over REPEATS calls of run(nr_ops), in CPU time: on a busy host the wall clock includes other processes.

    Parameters  run: returns how many operations succeeded
    Raises      RuntimeError unless all did
    """
    run(nr_ops)
    figures = []
    for _ in range(REPEATS):
        start_ns = time.thread_time_ns()
        done = run(nr_ops)
        figures.append((time.thread_time_ns() - start_ns) / nr_ops / 1e9)
        if done != nr_ops:
            raise RuntimeError(f"{done} of {nr_ops} operations succeeded")
    return statistics.median(figures)


def forked(name: str, nr_workers: int) -> dict[str, float]:
    """{"ns_per_op", "retries_per_op"} of forked and pinned workers, in a new process, which is safe to fork; asv's own is not."""
    if nr_workers > len(os.sched_getaffinity(0)):
        raise NotImplementedError("more workers than processors")  # asv: not applicable
    command = [sys.executable, "-m", "stress.measure.forked", name, str(nr_workers)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=BUILD_TIMEOUT_S)
    if done.returncode:
        raise RuntimeError(done.stderr)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures
