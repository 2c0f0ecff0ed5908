"""Interpreted CPUs that run beside each other in simulated time, access by access.

Every CPU is a greenlet with a clock. The CPU whose clock is behind makes the next access: in the explored flavour a kernel requests each
access to shared memory (kernels/base/points.py). The caches (coherence.py) say when it has the line; the access happens then, its result
is what memory holds then, and the clock advances by its cost. So spinning, lost compare-exchanges and the hand-over of locks follow from
the kernels and these costs. The start of each CPU, and which of two that are level comes first, are drawn from a seed: the same seed gives
the same result.

A plain store does not wait for its line (store buffer); a read-modify-write or a fence waits until all stores of its CPU have arrived.
Loads of other words of a line that come within WINDOW_NS of a read-modify-write find the line there, as a processor makes them early.
A CPU that waits in a loop continues when a line that it has read in the loop is written.
"""

import contextlib
import ctypes
import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from kernels.base import points
from kernels.base.points import (
    BYTES_MASK,
    BYTES_SHIFT,
    CAS,
    EXCHANGE,
    FENCE,
    FETCH_ADD,
    FETCH_AND,
    FETCH_OR,
    KIND_MASK,
    LOAD,
    PEEK,
    STORE,
    WAIT,
)
from stress.errors import HostError
from stress.predict.coherence import LINE_SHIFT, Coherence, Traffic

START_SPREAD_NS = 100.0
WINDOW_NS = 10.0  # how far ahead of a read-modify-write a processor loads other words of its line, so that they come with it
WARM_SHARE = 0.33  # of the accesses; a run in which some CPU is not warm by then counts from there
_CTYPES = {1: ctypes.c_int8, 4: ctypes.c_int32, 8: ctypes.c_int64}
_MASK = {1: (1 << 8) - 1, 4: (1 << 32) - 1, 8: (1 << 64) - 1}


@dataclass(frozen=True)
class AccessCosts:
    """Nanoseconds of an access whose line is there: a plain one, an atomic read-modify-write or fence, a turn of a spin loop."""

    plain_ns: float
    atomic_ns: float
    pause_ns: float


@dataclass
class Tally:
    """Accesses of all CPUs."""

    plain: int = 0
    atomics: int = 0
    pauses: int = 0

    def minus(self, before: "Tally") -> "Tally":
        return Tally(self.plain - before.plain, self.atomics - before.atomics, self.pauses - before.pauses)


@dataclass(frozen=True)
class VirtualRun:
    """What all CPUs did together in simulated time, from when all were warm to the end."""

    ops: int
    ns: float
    traffic: Traffic
    tally: Tally

    @property
    def ops_per_us(self) -> float:
        """The throughput of all CPUs together."""
        return 1000 * self.ops / self.ns if self.ns > 0 else 0.0


class VirtualCpus(points.Interpreter):
    """Some CPUs that interpret kernels; run() once."""

    def __init__(self, caches: Coherence, nr_cpus: int, costs: AccessCosts, seed: int, max_accesses: int) -> None:
        try:
            import greenlet
        except ModuleNotFoundError as error:
            raise HostError("interpreting many CPUs needs the package greenlet: pip install greenlet") from error
        self._greenlet, self._caches, self._costs = greenlet, caches, costs
        self._scheduler = greenlet.getcurrent()
        rng = random.Random(seed)
        self._clock = [rng.random() * START_SPREAD_NS for _ in range(nr_cpus)]
        self._rank = rng.sample(range(nr_cpus), nr_cpus)  # of CPUs whose clocks are level
        self._stores_ns = [0.0] * nr_cpus  # when a CPU's last store arrives
        self._seen: list[dict[int, int]] = [{} for _ in range(nr_cpus)]  # line -> version, of loads since the CPU's last turn of a loop
        self._modified = [(-1, -1, 0.0)] * nr_cpus  # line and word of a CPU's last read-modify-write, and until when its window lasts
        self._waits: list[bool] = [False] * nr_cpus
        self._ready: list[tuple[float, int, int]] = []
        self._cpu, self._left, self._stopping, self._now_ns = 0, max_accesses, False, 0.0
        self._tick: Callable[[float], None] = _no_tick
        self.tally = Tally()

    # -------------------------------------------------------------------------------------------------------- the interpreter's hooks

    def start(self, task: int) -> None:
        raise AssertionError(f"CPU {task}: run() starts and resumes CPUs, no scheduler does")

    resume = start

    def serve(self) -> bool:
        """Answer the request of the running CPU; it may switch to others first."""
        words = points.STATE
        assert words is not None
        at = points.REQUESTS
        operation, address, first, second = words[at : at + 4]
        result = self._access(operation, address, first, second)
        words[points.RESULT] = result  # after all switches: other CPUs have used the word
        return True

    def suspend(self) -> None:
        raise AssertionError("every request is served")

    # ------------------------------------------------------------------------------------------------------------------------ accesses

    def _access(self, operation: int, address: int, first: int, second: int) -> int:
        kind, width, cpu = operation & KIND_MASK, operation >> BYTES_SHIFT & BYTES_MASK, self._cpu
        self._left -= 1
        if kind == PEEK:
            return int(_CTYPES[width].from_address(address).value)
        if kind == WAIT:
            self._wait(cpu)
            return 0
        self._advance(cpu, self._clock[cpu])
        if kind == FENCE:
            self.tally.atomics += 1
            self._clock[cpu] = max(self._clock[cpu], self._stores_ns[cpu]) + self._costs.atomic_ns
            return 0
        number, caches, costs = address >> LINE_SHIFT, self._caches, self._costs
        if kind == LOAD:
            self.tally.plain += 1
            last, word, until_ns = self._modified[cpu]
            if last != number or word == address or self._clock[cpu] > until_ns:
                self._advance(cpu, caches.read(cpu, number, self._clock[cpu]))
            self._seen[cpu][number] = caches.line(number).version
            self._clock[cpu] += costs.plain_ns
            return int(_CTYPES[width].from_address(address).value)
        if kind == STORE:
            self.tally.plain += 1
            self._stores_ns[cpu] = max(self._stores_ns[cpu], caches.write(cpu, number, self._clock[cpu], posted=True))
            self._clock[cpu] += costs.plain_ns
        else:
            self.tally.atomics += 1
            self._advance(cpu, max(self._clock[cpu], self._stores_ns[cpu]))
            self._advance(cpu, caches.write(cpu, number, self._clock[cpu]))
            self._clock[cpu] += costs.atomic_ns
            self._modified[cpu] = (number, address, self._clock[cpu] + WINDOW_NS)
        return self._modify(kind, _CTYPES[width].from_address(address), _MASK[width], first, second, number)

    def _modify(self, kind: int, word: Any, mask: int, first: int, second: int, number: int) -> int:
        old = int(word.value)
        if kind == CAS:
            if (old ^ first) & mask:
                return old
            new = second
        elif kind == FETCH_ADD:
            new = old + first
        elif kind == FETCH_OR:
            new = old | first
        elif kind == FETCH_AND:
            new = old & first
        elif kind in (STORE, EXCHANGE):
            new = first
        else:
            raise AssertionError(f"request {kind} is none that kernels make here")
        word.value = new
        self._wake(number)
        return old

    # -------------------------------------------------------------------------------------------------------------------------- time

    def _advance(self, cpu: int, until_ns: float) -> None:
        """Let every CPU that is behind this time run first."""
        self._clock[cpu] = until_ns
        if self._ready and self._ready[0] < (until_ns, self._rank[cpu], cpu):
            heapq.heappush(self._ready, (until_ns, self._rank[cpu], cpu))
            self._scheduler.switch()
        if self._stopping or self._left <= 0:
            self._stopping = True
            raise _StoppedError

    def _wait(self, cpu: int) -> None:
        """A turn of a loop that waits: until a line that was read in it is written, if none was since."""
        self.tally.pauses += 1
        self._clock[cpu] += self._costs.pause_ns
        seen, self._seen[cpu] = self._seen[cpu], {}
        lines = [self._caches.line(number) for number in seen]
        if not lines or any(line.version != version for line, version in zip(lines, seen.values(), strict=True)):
            self._advance(cpu, self._clock[cpu])
            return
        for line in lines:
            line.waiters.append(cpu)
        self._waits[cpu] = True
        self._scheduler.switch()
        if self._stopping:
            raise _StoppedError

    def _wake(self, number: int) -> None:
        """A line is written: CPUs that wait for it continue at the time of the write."""
        line = self._caches.line(number)
        line.version += 1
        if line.waiters:
            now_ns = self._clock[self._cpu]
            for cpu in line.waiters:
                if self._waits[cpu]:
                    self._waits[cpu] = False
                    late_ns = self._costs.pause_ns / 2 if self._clock[cpu] < now_ns else 0.0  # a write comes in the middle of a pause
                    self._clock[cpu] = max(self._clock[cpu], now_ns + late_ns)
                    heapq.heappush(self._ready, (self._clock[cpu], self._rank[cpu], cpu))
            line.waiters.clear()

    # --------------------------------------------------------------------------------------------------------------------------- a run

    def run(self, work: Callable[[int], int], warm_calls: int, calls: int, progress: Callable[[], int] | None = None) -> VirtualRun:
        """Every CPU calls `work` again and again, until each has made `calls` calls after `warm_calls` others, or accesses are used up.

        Parameters  work: the CPU -> operations that succeeded; progress: operations of all CPUs so far, where that is known within a
                    call; without it they count when their call ends
        """
        warm_left, made, returned = self._left * (1 - WARM_SHARE), [0] * len(self._clock), 0
        snapshots: list[tuple[int, float, Traffic, Tally]] = []

        def snapshot(now_ns: float) -> None:
            snapshots.append((progress() if progress else returned, now_ns, replace(self._caches.traffic), replace(self.tally)))

        def body(cpu: int) -> None:
            nonlocal returned
            while not self._stopping:
                ops = work(cpu)  # other CPUs run meanwhile
                returned += ops
                made[cpu] += 1
                if not snapshots and min(made) >= warm_calls:
                    snapshot(self._clock[cpu])
                elif min(made) >= warm_calls + calls:
                    self._stopping = True

        def tick(now_ns: float) -> None:
            if not snapshots and self._left < warm_left:
                snapshot(now_ns)

        self._tick = tick
        self._run_all(body)
        snapshot(self._now_ns)
        first, last = snapshots[0], snapshots[-1]
        return VirtualRun(last[0] - first[0], last[1] - first[1], last[2].minus(first[2]), last[3].minus(first[3]))

    def _run_all(self, body: Callable[[int], None]) -> None:
        def guarded(cpu: int) -> None:
            with contextlib.suppress(_StoppedError):
                body(cpu)

        tasks = [self._greenlet.greenlet(guarded, self._scheduler) for _ in self._clock]
        started = [False] * len(tasks)
        self._ready = [(clock, rank, cpu) for cpu, (clock, rank) in enumerate(zip(self._clock, self._rank, strict=True))]
        heapq.heapify(self._ready)
        points.STATE, points.interpreter = [0] * points.SCHEDULER_WORDS, self  # type: ignore[assignment]  # as provide_state() does
        try:
            while self._ready and not self._stopping:
                now_ns, _, self._cpu = heapq.heappop(self._ready)
                self._tick(now_ns)
                if started[self._cpu]:
                    tasks[self._cpu].switch()
                else:
                    started[self._cpu] = True
                    tasks[self._cpu].switch(self._cpu)
        finally:
            points.STATE, points.interpreter = None, None
        if not self._stopping:
            raise RuntimeError("every virtual CPU waits, and none can continue")
        self._now_ns = self._clock[self._cpu]
        for task in tasks:
            if task and not task.dead:
                task.throw(self._greenlet.GreenletExit)


def _no_tick(_now_ns: float) -> None:
    pass


class _StoppedError(BaseException):
    """Ends a CPU in the middle of a kernel; kernels do not catch it."""
