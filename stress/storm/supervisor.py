"""The supervisor starts the workers, parks them for checks at rest, ends the storm, and leaves no process behind.

At the end the workers park, the machine is checked once more, and the workers are killed: a parked worker holds nothing, and to wake a
thousand of them only to exit takes longer. If a worker is lost or a kernel found a broken invariant, the supervisor halts the machine
instead: kernels exit by themselves, and workers still alive after a grace period are killed.
"""

import gc
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import numpy as np

from stress.checkers import Violation
from stress.errors import HostError
from stress.machine.hugepages import collapse_heap
from stress.storm.scene import read_bugs, with_scenes
from stress.storm.watch import Loss, Watch
from stress.storm.workers import BatchSizes, Plan, RunBatch, StopWord, ask_workers, batch_target_ns, fork_worker

_TICK_S = 0.02
_GRACE_S, _IMPATIENCE_S = 0.3, 1.0
_HALT_GRACE_S = 0.5
FIRST_CHECK_AFTER_S = 2.0
CHECK_INTERVAL_MIN_S = 3.0
CHECK_SHARE = 20  # checks at rest take at most one part in 20 of the time
MAX_VIOLATIONS = 100  # one broken frame may break thousands of others

CROWDED_WORKERS = 32  # with more, a heap in huge pages saves more time than moving it there takes

CheckAll = Callable[[Any, Callable[[], bool]], list[Violation]]


@dataclass
class Ending:
    """How a storm ended; meetings are not judged yet."""

    verdict: str = "clean"
    interrupted: bool = False
    seconds: float = 0.0
    parked_seconds: float = 0.0
    cpu_seconds: float = 0.0  # of all workers together
    nr_checks: int = 0
    violations: list[Violation] = field(default_factory=list)
    loss: Loss | None = None


class _LostError(Exception):
    def __init__(self, loss: Loss) -> None:
        super().__init__(loss.summary())
        self.loss = loss


def children_cpu_seconds() -> float:
    """The CPU time of all children of this process that have been reaped."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Interrupts:
    """Turns SIGINT, SIGTERM and SIGHUP into a flag. Another one more than a second after the first raises KeyboardInterrupt.

    What is interrupted may do for a moment what makes its report better.
    """

    def __init__(self) -> None:
        self.requested = False
        self._first_s = 0.0

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        if not self.requested:
            self.requested, self._first_s = True, time.monotonic()
        elif time.monotonic() - self._first_s > _IMPATIENCE_S:  # earlier ones: a terminal, make and timeout may each send one
            raise KeyboardInterrupt

    def grace_over(self) -> bool:
        return self.requested and time.monotonic() - self._first_s > _GRACE_S

    @contextmanager
    def caught(self) -> Iterator["Interrupts"]:
        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup ignores it: a long run outlives its terminal
            numbers.append(signal.SIGHUP)
        before = [signal.signal(number, self._note) for number in numbers]
        try:
            yield self
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)


class Supervisor:
    """Runs one storm on one machine.

    Parameters  on_second: called about once a second, and at the end, with (elapsed seconds, parked seconds)
                check_all: the checkers at rest, given the machine and what tells them to give up; None: nothing is checked
                on_start: called often while workers start, with the numbers of those started and parked
    """

    def __init__(
        self,
        mem: Any,
        plans: list[Plan],
        run_batch: RunBatch,
        role_names: list[str],
        check_all: CheckAll | None,
        on_second: Callable[[float, float], None],
        on_start: Callable[[int, int], None] = lambda _started, _parked: None,
    ) -> None:
        self._mem, self._plans, self._run_batch, self._role_names = mem, plans, run_batch, role_names
        self._check_all, self._on_second, self._on_start = check_all, on_second, on_start
        self._stop = StopWord()
        target_ns = batch_target_ns(len(plans), len({plan.pin_to for plan in plans}))
        self._sizes = BatchSizes(max((len(plan.weights) for plan in plans), default=0), target_ns)
        self._ending = Ending()
        self._watch = Watch(mem, [], role_names)
        self._generation = 1
        self._checked_generation = 0
        self._parked = False
        self._interrupts = Interrupts()
        self._started = 0.0

    def run(self, seconds: float, interrupts: Interrupts, on_ready: Callable[[], None]) -> Ending:
        """Storm for `seconds`. Every worker is gone when this returns or raises.

        Parameters  on_ready: called while all workers are parked for the first time
        """
        cpu_before = children_cpu_seconds()
        self._interrupts = interrupts
        try:
            self._start()
            if self._await_parked(lambda: interrupts.requested):
                on_ready()
                self._release()
                self._started = time.monotonic()
                self._storm(seconds)
                self._finish()
            else:
                self._ending.interrupted, self._ending.verdict = True, "interrupted"
        except _LostError as lost:
            self._lose(lost.loss)
        finally:
            self._kill_all()
        self._ending.cpu_seconds = children_cpu_seconds() - cpu_before
        return self._ending

    # -- phases

    def _start(self) -> None:
        self._mem.arrays["park_request"][0] = self._generation
        gc.collect()
        gc.freeze()  # a collection would write to pages that the workers share
        if len(self._plans) > CROWDED_WORKERS:
            collapse_heap()
        pids: list[int] = []
        try:
            for plan in self._plans:
                if self._interrupts.requested:
                    return
                pids.append(fork_worker(self._mem, plan, self._stop, self._sizes, self._run_batch))  # a list for `finally`: a fork may fail
                self._on_start(len(pids), int(np.count_nonzero(self._mem.arrays["cpu_parked"])))
        except OSError as error:
            raise HostError(f"cannot start worker {len(pids)}: {error.strerror}: use fewer --workers") from error
        finally:
            self._watch = Watch(self._mem, pids, self._role_names)

    def _storm(self, seconds: float) -> None:
        next_check, next_second = FIRST_CHECK_AFTER_S, 1.0
        while True:
            self._look()
            elapsed = time.monotonic() - self._started
            if self._interrupts.requested:
                self._ending.interrupted = True
                return
            if elapsed >= seconds or self._ending.violations:
                return
            if elapsed >= next_second:
                self._on_second(elapsed, self._ending.parked_seconds)
                next_second = elapsed + 1.0
            if self._check_all is not None and elapsed >= next_check and seconds - elapsed > CHECK_INTERVAL_MIN_S / 2:
                rest_s = self._rest()
                next_check = elapsed + rest_s + max(CHECK_INTERVAL_MIN_S, CHECK_SHARE * rest_s)
            time.sleep(min(_TICK_S, max(0.0, seconds - elapsed)))

    def _finish(self) -> None:
        """Park and check once more; for an interrupt, only as much of that as its grace allows."""
        self._ending.seconds = time.monotonic() - self._started
        if self._parked or self._park():
            self._kill()  # a thousand exits take longer than a check, which needs no worker
            if not self._ending.violations:
                self._check()
        self._on_second(self._ending.seconds, self._ending.parked_seconds)
        self._kill_all()
        if self._ending.violations:
            self._ending.verdict = "violated"
        elif self._ending.interrupted:
            self._ending.verdict = "interrupted"

    def _lose(self, loss: Loss) -> None:
        if self._started:
            self._ending.seconds = time.monotonic() - self._started
        self._halt()
        bugs = read_bugs(self._mem, self._role_names)
        if bugs:
            self._ending.violations = (bugs + self._ending.violations)[:MAX_VIOLATIONS]
            self._ending.verdict = "violated"
        else:
            self._ending.verdict = "died" if loss.verdict == "violated" else loss.verdict
        self._ending.loss = loss
        self._on_second(self._ending.seconds, self._ending.parked_seconds)

    # -- checks at rest

    def _rest(self) -> float:
        """Park, check and release the workers; after an interrupt they remain parked.

        Returns     the seconds that it took
        """
        start = time.monotonic()
        if self._park():
            self._check()
        if not self._interrupts.requested:
            self._release()
        rest_s = time.monotonic() - start
        self._ending.parked_seconds += rest_s
        return rest_s

    def _park(self) -> bool:
        """Park the workers; False if the grace of an interrupt ends first."""
        self._generation += 1
        ask_workers(self._mem, self._generation)
        return self._await_parked(self._interrupts.grace_over)

    def _await_parked(self, give_up: Callable[[], bool]) -> bool:
        """Wait until all workers are parked; False if `give_up` says so first."""
        parked = self._mem.arrays["cpu_parked"]
        while (nr_parked := int(np.count_nonzero(parked == self._generation))) < len(self._plans):
            if give_up():
                return False
            self._look()
            if not self._started:
                self._on_start(len(self._plans), nr_parked)
            time.sleep(_TICK_S / 20)
        self._watch.forget_progress()
        self._parked = True
        return True

    def _release(self) -> None:
        self._parked = False
        self._generation += 1
        ask_workers(self._mem, self._generation)

    def _check(self) -> None:
        if self._check_all is None or self._checked_generation == self._generation:
            return
        found = self._check_all(self._mem, self._interrupts.grace_over)[: MAX_VIOLATIONS - len(self._ending.violations)]
        self._ending.violations += with_scenes(self._mem, found)
        self._checked_generation = self._generation
        self._ending.nr_checks += not self._interrupts.grace_over()

    # -- losses

    def _look(self) -> None:
        if (loss := self._watch.look()) is not None:
            raise _LostError(loss)

    def _halt(self) -> None:
        """Halt the machine. A worker that waits in a kernel sees that and exits within the grace period."""
        self._mem.arrays["halt"][0] = 1
        self._stop.set()
        ask_workers(self._mem, self._generation + 1)
        deadline = time.monotonic() + _HALT_GRACE_S
        while self._watch.alive and time.monotonic() < deadline:
            self._watch.look(expect_exit=True)
            time.sleep(_TICK_S / 10)

    def _kill(self) -> None:
        """Kill every worker that is left, including stopped ones: SIGKILL needs no SIGCONT."""
        for pid in self._watch.alive:
            os.kill(pid, signal.SIGKILL)

    def _kill_all(self) -> None:
        """Kill and reap every worker that is left."""
        self._kill()
        for pid in list(self._watch.alive):
            os.waitpid(pid, 0)
            del self._watch.alive[pid]
