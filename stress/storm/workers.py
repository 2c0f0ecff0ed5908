"""One worker: a forked process that is one CPU of the modelled machine and runs batches of its roles until it is stopped.

The supervisor, which is single-threaded and has loaded the entries, forks the workers, so that they share its code and start in
milliseconds. At a batch boundary a worker holds no lock, no section and no isolated frame. It parks and stops only there.

Park protocol (words of the segment): the supervisor writes an odd generation to park_request. Each worker answers with that
generation in cpu_parked[cpu] and sleeps (futex) until park_request changes. Even generations mean run.
"""

import gc
import mmap
import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from stress.process.child import fork_child
from stress.process.futex import wait_while, wake_all

#: between two batches a worker's Python, whose data the batch has driven from the caches, takes 15 to 25 us: under 1 % of 4 ms
BATCH_TARGET_NS, BATCH_TARGET_MIN_NS = 4_000_000, 200_000
UNCROWDED_WORKERS = 4  # for each processor: the most that have batches of BATCH_TARGET_NS, and the supervisor's priority
NR_OPS_MIN, NR_OPS_MAX = 1, 100_000
_PARK_LOOK_S = 5.0  # a parked worker looks at its words this often even if no process wakes it

RunBatch = Callable[[Any, int, int, int], int]


@dataclass(frozen=True)
class Plan:
    """What one worker does: its CPU, its weights by role index, the processor that it is pinned to, the seed of its draws, its niceness."""

    cpu: int
    weights: tuple[float, ...]
    pin_to: int
    seed: int
    niceness: int = 0  # above 0 where many workers share a processor, so that the supervisor need not queue behind all of them


class StopWord:
    """The word that makes workers exit at the next batch boundary; anonymous memory shared by fork.

    `control.halt` is another word: it says that the machine is broken, and kernels exit in the middle of a batch.
    """

    def __init__(self) -> None:
        self._word = np.frombuffer(mmap.mmap(-1, mmap.PAGESIZE), np.int64, count=1)

    def set(self) -> None:
        self._word[0] = 1

    def is_set(self) -> bool:
        return bool(self._word[0])


class BatchSizes:
    """The operations of a batch of each role, as the workers have learned them; anonymous memory shared by fork.

    A worker starts a role with what the others have found. By itself it would need a dozen batches for each role, which on a machine of
    many more workers than processors is all the CPU time that a short run gives it.
    """

    def __init__(self, nr_roles: int, target_ns: int = BATCH_TARGET_NS) -> None:
        self._target_ns = target_ns
        self._shared = np.frombuffer(mmap.mmap(-1, mmap.PAGESIZE), np.int64, count=nr_roles)
        self._own = [0] * nr_roles

    def next(self, role: int) -> int:
        """The operations of this worker's next batch of a role."""
        return self._own[role] or max(NR_OPS_MIN, int(self._shared[role]))

    def learn(self, role: int, nr_ops: int, elapsed_ns: int) -> None:
        """Take in how long a batch took."""
        self._own[role] = next_nr_ops(nr_ops, elapsed_ns, self._target_ns)
        self._shared[role] = self._own[role]


class RoleMixer:
    """Draws a role for each batch by weight. The same seed and CPU give the same sequence."""

    def __init__(self, weights: Sequence[float], seed: int, cpu: int) -> None:
        self._roles = [index for index, weight in enumerate(weights) if weight > 0]
        self._cumulative = list(accumulate(weights[index] for index in self._roles))
        self._random = random.Random(f"{seed}:{cpu}")
        self._drawn: list[int] = []

    def draw(self) -> int:
        if not self._drawn:  # many at once: a single draw takes as long as the rest of the work between two batches
            self._drawn = self._random.choices(self._roles, cum_weights=self._cumulative, k=64)[::-1]
        return self._drawn.pop()


def batch_target_ns(nr_workers: int, nr_processors: int) -> int:
    """How long a batch is to take. It is shorter for workers that queue for processors, since parking waits for the last of them."""
    share = min(1.0, UNCROWDED_WORKERS * nr_processors / max(1, nr_workers))
    return max(BATCH_TARGET_MIN_NS, int(BATCH_TARGET_NS * share))


def next_nr_ops(nr_ops: int, elapsed_ns: int, target_ns: int = BATCH_TARGET_NS) -> int:
    """The batch size that takes about `target_ns`. It at most doubles, since one fast batch proves little."""
    wanted = nr_ops * target_ns // max(elapsed_ns, 1)
    return max(NR_OPS_MIN, min(wanted, 2 * nr_ops, NR_OPS_MAX))


def fork_worker(mem: Any, plan: Plan, stop: StopWord, sizes: BatchSizes, run_batch: RunBatch) -> int:
    """Fork one worker.

    Returns     its pid, in the supervisor
    """
    return fork_child(lambda: _work(mem, plan, stop, sizes, run_batch), f"worker {plan.cpu}", pin_to=plan.pin_to)


def _work(mem: Any, plan: Plan, stop: StopWord, sizes: BatchSizes, run_batch: RunBatch) -> None:
    gc.disable()  # a collection would write to every shared page
    os.nice(plan.niceness)
    cpu = plan.cpu
    park_request, batches, role_now = (mem.arrays[name] for name in ("park_request", "cpu_batches", "cpu_role"))
    mixer = RoleMixer(plan.weights, plan.seed, cpu)
    before_ns = time.thread_time_ns()  # on a busy host the wall clock measures other processes, too
    while not stop.is_set():
        generation = int(park_request[0])
        if generation & 1:
            _park(mem, cpu, generation, stop)
            continue
        role = mixer.draw()
        role_now[cpu] = role
        run_batch(mem, cpu, role, nr_ops := sizes.next(role))
        after_ns = time.thread_time_ns()
        sizes.learn(role, nr_ops, after_ns - before_ns)
        before_ns = after_ns
        batches[cpu] += 1


def _park(mem: Any, cpu: int, generation: int, stop: StopWord) -> None:
    park_request = mem.arrays["park_request"]
    mem.arrays["cpu_parked"][cpu] = generation
    while int(park_request[0]) == generation and not stop.is_set():
        wait_while(park_request, generation, _PARK_LOOK_S)


def ask_workers(mem: Any, generation: int) -> None:
    """Write a generation to park_request, and wake the workers that are parked."""
    mem.arrays["park_request"][0] = generation
    wake_all(mem.arrays["park_request"])
