"""The kernels' half of `make limits`: pinned processes that run an entry for some milliseconds at each request, as limits.c does.

A slice is short, so that the same in C can be measured before the host changes its speed; so the workers are forked once and keep what
they have mapped. They warm up for a quarter of a slice, wait for each other, and stop when the first has used up its own CPU time.
"""

import contextlib
import mmap
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stress.measure import entries, machines
from stress.process.child import fork_child

MODULES = ("kernels.policy.boot", "stress.measure.entries")
HOT_DESC = 8
COPY_FRAMES = 1 << 16  # 256 MiB
#: descriptors in the ring of each walk: those of the first level of cache, of the second, and 64 MiB, as in limits.c
RINGS = {"list_hot": 256, "list_mid": 4096, "list_cold": entries.NR_RANDOM}
_SPARE_DESCS = 1 << 14  # so that the rings share no descriptor
#: set bits of each bitmap of 512, as in limits.c
DENSITIES = {"bits_512": 512, "bits_256": 256, "bits_51": 51, "bits_8": 8}
_SPREAD = 197  # the n-th bit to be set is n times this: the same bits as in limits.c
_STOP, _ARRIVED, _SLICE_NS, _NR_WORKERS, _WORK = 0, 8, 16, 17, 18  # words of the control page; its lines have eight
_RESULTS = 24


class Machines(NamedTuple):
    """What the works touch: references, lists, bitmaps and free frames in one, large frames in the other."""

    small: Any
    copies: Any


Work = Callable[[Machines, int, int], int]  # (machines, cpu, operations so far) -> operations done, in half a millisecond or so


def _walk(ring: int, machine: Machines, cpu: int, _done: int) -> int:
    return int(entries.walk_list(machine.small, cpu, ring, 50_000 if ring < 2 else 4_000))


def _scan(row: int, machine: Machines, cpu: int, _done: int) -> int:
    return int(entries.scan_bits(machine.small, cpu, row, 150_000))


WORKS: dict[str, Work] = {
    "hot": lambda m, cpu, _: entries.pair_hot(m.small, cpu, HOT_DESC + cpu * machines.HOT_STRIDE, 100_000),
    "random": lambda m, cpu, done: entries.pair_random(m.small, cpu, done, 20_000),
    "random_tested": lambda m, cpu, done: entries.pair_random_tested(m.small, cpu, done, 20_000),
    "contended": lambda m, cpu, _: entries.pair_hot(m.small, cpu, HOT_DESC, 20_000),
    "alloc": lambda m, cpu, _: entries.alloc_free(m.small, cpu, 0, 50_000),
    "bulk": lambda m, cpu, _: entries.bulk_pairs(m.small, cpu, 32_768),
    "copy": lambda m, cpu, done: entries.copy_frames(m.copies, cpu, done, 1_000),
    **{name: partial(_scan, row) for row, name in enumerate(DENSITIES)},
    **{name: partial(_walk, ring) for ring, name in enumerate(RINGS)},
}
NAMES = tuple(WORKS)


def make_machines(nr_cpus: int) -> Machines:
    """The machines of WORKS, about 700 MiB."""
    small = machines.reference_machine(nr_cpus, _SPARE_DESCS)
    first = entries.NR_RANDOM
    for ring, (name, length) in enumerate(RINGS.items()):
        begin = 0 if name == "list_cold" else first
        machines.link_ring(small, length, ring, begin)
        first += 0 if name == "list_cold" else length
    fill_bitmaps(small.arrays["bitmap"])
    return Machines(small, machines.copy_machine(COPY_FRAMES))


def fill_bitmaps(words: npt.NDArray[np.int64]) -> None:
    """Set so many bits of each of the first bitmaps of 512, spread evenly."""
    for row, nr_set in enumerate(DENSITIES.values()):
        bits = np.zeros(512, np.uint8)
        bits[np.arange(nr_set) * _SPREAD % 512] = 1
        words[8 * row : 8 * row + 8] = np.packbits(bits, bitorder="little").view(np.int64)


class SlicedKernels:
    """Workers on two machines, one pinned to each of the processors given. A context manager: at its end the workers are gone."""

    def __init__(self, processors: Sequence[int], machine: Machines | None = None) -> None:
        self._machine = machine or make_machines(len(processors))
        self._control = np.frombuffer(mmap.mmap(-1, mmap.PAGESIZE), np.int64)
        self._pids: list[int] = []
        self._pipes: list[tuple[int, int]] = []
        for cpu, processor in enumerate(processors):
            ours_in, theirs_out = os.pipe()
            theirs_in, ours_out = os.pipe()
            self._pids.append(fork_child(partial(self._serve, cpu, theirs_in, theirs_out), f"worker {cpu}", pin_to=processor))
            os.close(theirs_in)
            os.close(theirs_out)
            self._pipes.append((ours_in, ours_out))

    def ns(self, name: str, workers: Sequence[int], slice_us: int) -> float:
        """The mean of the workers' ns per operation; parameters as CProgram.ns.

        Raises      RuntimeError if a worker failed
        """
        control = self._control
        control[:] = 0
        control[_SLICE_NS], control[_NR_WORKERS], control[_WORK] = 1000 * slice_us, len(workers), NAMES.index(name)
        for worker in workers:
            os.write(self._pipes[worker][1], b"r")
        if b"" in [os.read(self._pipes[worker][0], 1) for worker in workers]:
            raise RuntimeError(f"{name}: a worker failed")
        return float(control.view(np.float64)[[_RESULTS + worker for worker in workers]].mean())

    def _serve(self, cpu: int, requests: int, answers: int) -> None:
        control = self._control
        while os.read(requests, 1) == b"r":
            work = WORKS[NAMES[control[_WORK]]]
            self._timed(work, cpu, control[_SLICE_NS] // 4)
            control[_ARRIVED + cpu] = 1
            while control[_ARRIVED : _ARRIVED + 8].sum() < control[_NR_WORKERS]:
                pass
            control.view(np.float64)[_RESULTS + cpu] = self._timed(work, cpu, control[_SLICE_NS])
            control[_STOP] = 1
            os.write(answers, b"a")

    def _timed(self, work: Work, cpu: int, slice_ns: int) -> float:
        """Run for some ns of own CPU time, or until another worker is done; ns per operation."""
        done = 0
        start_ns = time.thread_time_ns()
        while True:
            here = int(work(self._machine, cpu, done))
            if here <= 0:
                raise RuntimeError("operations failed")
            done += here
            used_ns = time.thread_time_ns() - start_ns
            if used_ns >= slice_ns or self._control[_STOP]:
                return used_ns / done

    def __enter__(self) -> "SlicedKernels":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for read_end, write_end in self._pipes:
            with contextlib.suppress(BrokenPipeError):  # it has ended
                os.write(write_end, b"q")
            os.close(read_end)
            os.close(write_end)
        for pid in self._pids:
            os.waitpid(pid, 0)
