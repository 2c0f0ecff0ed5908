"""An allocator by pattern: python -m stress.measure.allocators PATTERN ORDER WORKERS BLOCKS [--allocator NAME] [--json PATH].

    pair     get and put a block in turn, BLOCKS times
    bulk     get BLOCKS blocks, then put them in the same order
    random   get BLOCKS blocks, then put them in random order
    remote   get BLOCKS blocks, then put those that another worker got, in the order in which it got them

ORDER is the order of each block, BLOCKS the number for each worker. The workers are forked, pinned to a processor each, and released
together into each half of a round; the first round is not counted. It prints ns per operation: the median of the rounds of the mean of
the workers, each by its own CPU time, since on a busy host the wall clock includes other processes. A `pair` is not taken apart.

Exit codes  0, 2 wrong usage, 4 the host cannot do it
"""

import argparse
import mmap
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # processes are forked below
os.environ.setdefault("PFNSTORM_FLAVOUR", "fast")  # the flavour of --check none

from kernels.base.layout import NR_ORDERS, POLICIES
from stress.errors import EXIT_HOST, EXIT_USAGE, HostError, UserError
from stress.io.json_report import check_json_path, write_report
from stress.machine.host import describe_host, usable_cpus
from stress.measure import entries, machines
from stress.measure.ratio import interval
from stress.process import build
from stress.process.child import fork_child

SCHEMA = "pfnstorm-allocators/1"
MODULES = ("kernels.policy.boot", "stress.measure.entries")
PATTERNS = ("pair", "bulk", "random", "remote")
ALLOCATORS = POLICIES.get("allocator", ("buddy",))
ROUNDS = 9
GET, PUT, PAIR = range(3)  # columns of the figures


class Workload(NamedTuple):
    """What each worker does: a pattern, with blocks of 2^order frames."""

    pattern: str
    order: int
    nr_workers: int
    nr_blocks: int


class Meeting:
    """A page that forked workers share, where they wait for each other."""

    def __init__(self, nr_workers: int) -> None:
        self._arrived = np.frombuffer(mmap.mmap(-1, mmap.PAGESIZE), np.int64)[:nr_workers]

    def wait(self, worker: int) -> None:
        """Return when each worker has called this as often as this one."""
        self._arrived[worker] += 1
        while self._arrived.min() < self._arrived[worker]:
            pass


def cpu_ns(run: Callable[[], int], expected: int) -> float:
    """Own CPU time of a call, in ns per operation.

    Raises      RuntimeError if fewer operations succeeded than expected
    """
    start_ns = time.thread_time_ns()
    done = run()
    elapsed_ns = time.thread_time_ns() - start_ns
    if done != expected:
        raise RuntimeError(f"{done} of {expected} operations succeeded")
    return elapsed_ns / expected


def work(mem: Any, load: Workload, worker: int, meeting: Meeting, figures: npt.NDArray[np.float64]) -> None:
    """One worker's rounds; figures[round, worker] gets its ns per get, put and pair. Round 0 warms up."""
    random = np.random.default_rng(worker)
    nr_blocks, mine = load.nr_blocks, worker * load.nr_blocks
    theirs = (worker + 1) % load.nr_workers * nr_blocks if load.pattern == "remote" else mine
    for row in figures:
        meeting.wait(worker)
        if load.pattern == "pair":
            row[worker, PAIR] = cpu_ns(lambda: entries.alloc_free(mem, worker, load.order, nr_blocks), nr_blocks)
            continue
        row[worker, GET] = cpu_ns(lambda: entries.alloc_blocks(mem, worker, load.order, mine, nr_blocks), nr_blocks)
        if load.pattern == "random":
            random.shuffle(mem.arrays["ev_pfn"][mine : mine + nr_blocks])
        meeting.wait(worker)
        row[worker, PUT] = cpu_ns(lambda: entries.free_blocks(mem, worker, load.order, theirs, nr_blocks), nr_blocks)
        row[worker, PAIR] = row[worker, GET] + row[worker, PUT]


def measure(load: Workload, allocator: str, processors: list[int]) -> npt.NDArray[np.float64]:
    """ns per get, put and pair of each counted round, by worker: shape (ROUNDS, workers, 3). Those that a pattern lacks are 0.

    Raises      HostError if the host cannot hold the machine; RuntimeError if a worker failed
    """
    build.build_entries(build.entries_of(MODULES))
    params = {"policy_allocator": ALLOCATORS.index(allocator)} if "allocator" in POLICIES else {}
    nr_held = load.nr_workers * (1 if load.pattern == "pair" else load.nr_blocks)
    mem = machines.block_machine(load.order, nr_held, load.nr_workers, **params)
    shape = (1 + ROUNDS, load.nr_workers, 3)
    figures: npt.NDArray[np.float64] = np.frombuffer(mmap.mmap(-1, 8 * int(np.prod(shape))), np.float64).reshape(shape)
    meeting = Meeting(load.nr_workers)
    pids = []
    for worker in range(load.nr_workers):
        run = partial(work, mem, load, worker, meeting, figures)
        pids.append(fork_child(run, f"worker {worker}", pin_to=processors[worker]))
    statuses = [os.waitpid(pid, 0)[1] for pid in pids]
    if any(statuses):
        raise RuntimeError(f"a worker failed: {statuses}")
    return figures[1:]


def result_of(load: Workload, allocator: str, figures: npt.NDArray[np.float64]) -> dict[str, Any]:
    """The medians with their intervals, as the JSON object that --json writes."""
    named = {"pair_ns": PAIR} if load.pattern == "pair" else {"get_ns": GET, "put_ns": PUT, "pair_ns": PAIR}
    found: dict[str, Any] = {"schema": SCHEMA, "allocator": allocator, **load._asdict(), "host": describe_host()}
    for name, column in named.items():
        rounds = figures[:, :, column].mean(axis=1)
        each = interval(rounds)
        found[name] = {"median": each.median, "low": each.low, "high": each.high, "coverage": each.coverage, "rounds": rounds.tolist()}
    return found


def line(result: dict[str, Any]) -> str:
    """One line for people: the operations and their ns."""
    what = f"{result['allocator']}, {result['pattern']}, order {result['order']}, {result['nr_workers']} worker(s)"
    parts = [
        f"{name} {result[key]['median']:.1f}"
        for name, key in (("get", "get_ns"), ("put", "put_ns"), ("get + put", "pair_ns"))
        if key in result
    ]
    return f"{what}, {result['nr_blocks']:,} blocks each: {', '.join(parts)} ns"


def check(load: Workload, processors: list[int]) -> None:
    """Raise UserError on a workload that no host could measure, HostError on one that this host cannot."""
    if not 0 <= load.order < NR_ORDERS:
        raise UserError(f"order {load.order}: must be between 0 and {NR_ORDERS - 1}")
    if load.nr_workers < 1 or load.nr_blocks < 1:
        raise UserError("workers and blocks must be at least 1")
    if load.nr_workers > min(len(processors), mmap.PAGESIZE // 8):
        raise HostError(f"{load.nr_workers} workers, {len(processors)} processors")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m stress.measure.allocators", description="An allocator by pattern, ns per operation.")
    parser.add_argument("pattern", choices=PATTERNS)
    parser.add_argument("order", type=int)
    parser.add_argument("workers", type=int)
    parser.add_argument("blocks", type=int, help="for each worker")
    parser.add_argument("--allocator", choices=ALLOCATORS, default=ALLOCATORS[0])
    parser.add_argument("--json", type=Path, help="write figures and intervals as one JSON object")
    options = parser.parse_args()
    load = Workload(options.pattern, options.order, options.workers, options.blocks)
    processors = usable_cpus()
    try:
        check(load, processors)
        if options.json is not None:
            check_json_path(options.json)
        result = result_of(load, options.allocator, measure(load, options.allocator, processors))
    except (UserError, HostError) as error:
        print(f"allocators: {error}", file=sys.stderr)
        return EXIT_USAGE if isinstance(error, UserError) else EXIT_HOST
    print(line(result))
    return write_report(options.json, result)


if __name__ == "__main__":
    sys.exit(main())
