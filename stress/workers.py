"""One worker: a forked process that is one CPU of the modelled machine, running batches of its roles until it is told to stop.

A worker is forked by the supervisor, which is single-threaded and has loaded the entries, so that it shares their code and
starts in milliseconds. At a batch boundary it holds no lock, no section and no isolated frame; there, and only there, it parks
and stops.

Park protocol (words of the segment): the supervisor writes an odd generation to park_request; each worker answers with that
generation in cpu_parked[cpu] and sleeps until park_request is another one. Even generations mean run.
"""

import ctypes
import gc
import mmap
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from types import FrameType
from typing import Any, NoReturn

import numpy as np

BATCH_TARGET_NS = 2_000_000
NR_OPS_MIN, NR_OPS_MAX = 1, 100_000
_PARK_NAP_MIN_S, _PARK_NAP_MAX_S = 0.0005, 0.01
_PR_SET_PDEATHSIG = 1
EXIT_PYTHON_ERROR = 70  # an exception in a worker: a mistake of this project
EXIT_ORPHAN = 71

RunBatch = Callable[[Any, int, int, int], int]


@dataclass(frozen=True)
class Plan:
    """What one worker is to do: its CPU, its role weights by role index, the processor it is pinned to."""

    cpu: int
    weights: tuple[float, ...]
    pin_to: int
    seed: int


class StopWord:
    """The word that tells workers to leave at the next batch boundary; anonymous memory shared by fork.

    Apart from `control.halt`, which says that the machine is broken and makes kernels leave in the middle.
    """

    def __init__(self) -> None:
        self._word = np.frombuffer(mmap.mmap(-1, mmap.PAGESIZE), np.int64, count=1)

    def set(self) -> None:
        self._word[0] = 1

    def is_set(self) -> bool:
        return bool(self._word[0])


class RoleMixer:
    """Draws a role per batch by weight; the same sequence for the same seed and CPU."""

    def __init__(self, weights: Sequence[float], seed: int, cpu: int) -> None:
        self._roles = [index for index, weight in enumerate(weights) if weight > 0]
        self._cumulative = list(accumulate(weights[index] for index in self._roles))
        self._random = random.Random(f"{seed}:{cpu}")

    def draw(self) -> int:
        return self._random.choices(self._roles, cum_weights=self._cumulative)[0]


def next_nr_ops(nr_ops: int, elapsed_ns: int) -> int:
    """The batch size that would take about BATCH_TARGET_NS; grows at most twofold, since one fast batch proves little."""
    wanted = nr_ops * BATCH_TARGET_NS // max(elapsed_ns, 1)
    return max(NR_OPS_MIN, min(wanted, 2 * nr_ops, NR_OPS_MAX))


def fork_worker(mem: Any, plan: Plan, stop: StopWord, run_batch: RunBatch) -> int:
    """Fork one worker; returns its pid in the supervisor and never returns in the worker."""
    supervisor_pid = os.getpid()
    pid = os.fork()
    if pid == 0:
        _be_worker(mem, plan, stop, run_batch, supervisor_pid)
    return pid


def _be_worker(mem: Any, plan: Plan, stop: StopWord, run_batch: RunBatch, supervisor_pid: int) -> NoReturn:
    status = EXIT_PYTHON_ERROR
    try:
        die_with(supervisor_pid)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # a terminal signals the whole group; the supervisor answers for all
        gc.disable()  # a collection would write to every shared page
        os.sched_setaffinity(0, {plan.pin_to})
        _work(mem, plan, stop, run_batch)
        status = 0
    except SystemExit as left:  # interpreted kernels leave this way
        status = left.code if isinstance(left.code, int) else EXIT_PYTHON_ERROR
    except BaseException:  # noqa: BLE001  # the process ends here; nobody above could handle it
        sys.stderr.write(f"worker {plan.cpu} (pid {os.getpid()}):\n{traceback.format_exc()}")
        sys.stderr.flush()
    finally:
        os._exit(status)  # no clean-up of what belongs to the supervisor


def die_with(supervisor_pid: int) -> None:
    """Have the kernel kill this process when the supervisor goes, even by kill -9."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != supervisor_pid:  # it went before we asked
        os._exit(EXIT_ORPHAN)


@contextmanager
def hangup_interrupts() -> Iterator[None]:
    """A terminal that closes ends this as Ctrl-C does; under nohup it goes on."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGHUP)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def _work(mem: Any, plan: Plan, stop: StopWord, run_batch: RunBatch) -> None:
    cpu = plan.cpu
    park_request, batches, role_now = (mem.arrays[name] for name in ("park_request", "cpu_batches", "cpu_role"))
    mixer = RoleMixer(plan.weights, plan.seed, cpu)
    nr_ops = [NR_OPS_MIN] * len(plan.weights)
    while not stop.is_set():
        generation = int(park_request[0])
        if generation & 1:
            _park(mem, cpu, generation, stop)
            continue
        role = mixer.draw()
        role_now[cpu] = role
        start_ns = time.thread_time_ns()  # own time: on a busy host the wall clock measures others
        run_batch(mem, cpu, role, nr_ops[role])
        nr_ops[role] = next_nr_ops(nr_ops[role], time.thread_time_ns() - start_ns)
        batches[cpu] += 1


def _park(mem: Any, cpu: int, generation: int, stop: StopWord) -> None:
    park_request = mem.arrays["park_request"]
    mem.arrays["cpu_parked"][cpu] = generation
    nap_s = _PARK_NAP_MIN_S
    while int(park_request[0]) == generation and not stop.is_set():
        time.sleep(nap_s)
        nap_s = min(2 * nap_s, _PARK_NAP_MAX_S)
