"""The time that `pfnstorm explore` may take: --seconds, and what compiling adds, which is forecast and announced.

The command ends when the announced time is over, however long compiling takes in fact. A forecast that turns out wrong is announced again.
"""

import time
from collections.abc import Callable
from typing import TextIO

from stress.explore.compiling import CompileWork

#: seconds for a unit of CompileWork until something is compiled; measured on a server's core at 2.7 GHz
GUESSED_UNIT_S = 0.0085
_TOLERATED = 0.15  # of the announced time
_TOLERATED_S = 2.0


class Budget:
    """The clock of one command.

    seconds     for exploring; None: as long as it takes (--schedules)
    uncompiled  models that are not in the cache, and the work of compiling each
    """

    def __init__(
        self, seconds: float | None, jobs: int, work: CompileWork, out: TextIO, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.seconds = seconds
        self.uncompiled = dict(work.models)
        self._jobs, self._out, self._clock = jobs, out, clock
        self._started_at = clock()
        self._scheduler_work = work.scheduler
        self._measured = self._measured_s = 0.0  # what was compiled: its work, and the seconds that it took
        self._past_s = 0.0  # what compiling has taken until now, as a part of the command's time
        self._announced_s = 0.0  # what it takes in all, as announced

    def announce(self) -> None:
        """Say how much longer the command takes because of what is not in the cache."""
        missing = ["the scheduler"] if self._scheduler_work else []
        missing += [f"{len(self.uncompiled)} model{'s'[: len(self.uncompiled) != 1]}"] if self.uncompiled else []
        if missing:
            self._say(f"{' and '.join(missing)} to compile, once: about")

    def scheduler_built(self, seconds: float) -> None:
        """The scheduler is compiled: nothing else ran beside that."""
        if self._scheduler_work:
            self._measure(self._scheduler_work, seconds, seconds)
            self._scheduler_work = 0.0

    def model_compiled(self, name: str, seconds: float) -> None:
        """A worker has compiled a model, or has loaded it."""
        if name in self.uncompiled:
            self._measure(self.uncompiled.pop(name), seconds, seconds / self._jobs)

    @property
    def passed_s(self) -> float:
        """How long the command has run."""
        return self._clock() - self._started_at

    @property
    def left_s(self) -> float | None:
        """How much longer it runs; None if there is no limit."""
        return None if self.seconds is None else self.seconds + self._announced_s - self.passed_s

    def share_s(self, reserved_s: float, nr_searches: int) -> float | None:
        """The worker-seconds of each of `nr_searches` that have not begun; None if there is no limit.

        Parameters  reserved_s: the worker-seconds that are left to searches that have begun
        """
        if self.left_s is None:
            return None
        compiling_s = sum(self.uncompiled.values()) * self._unit_s
        return (self.left_s * self._jobs - compiling_s - reserved_s) / nr_searches

    @property
    def _unit_s(self) -> float:
        return self._measured_s / self._measured if self._measured else GUESSED_UNIT_S

    @property
    def _forecast_s(self) -> float:
        """How long compiling takes in all, as far as is known now."""
        return self._past_s + (self._scheduler_work + sum(self.uncompiled.values()) / self._jobs) * self._unit_s

    def _measure(self, work: float, seconds: float, of_command_s: float) -> None:
        self._measured += work
        self._measured_s += seconds
        self._past_s += of_command_s
        whole_s = (self.seconds or 0.0) + self._announced_s
        if abs(self._forecast_s - self._announced_s) > max(_TOLERATED * whole_s, _TOLERATED_S):
            self._say("compiling takes longer than announced:" if self._forecast_s > self._announced_s else "compiling takes less time:")

    def _say(self, what: str) -> None:
        self._announced_s = self._forecast_s
        end = "" if self.seconds is None else f", {self.seconds + self._announced_s:.0f} s in all"
        print(f"{what} {self._announced_s:.0f} s more with {self._jobs} job{'s'[: self._jobs != 1]}{end}", file=self._out, flush=True)
