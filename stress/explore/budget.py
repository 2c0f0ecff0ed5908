"""The time that `pfnstorm explore` may take: --seconds, and what compiling adds, which is forecast and announced.

The command ends when the announced time is over. If compiling takes much longer than that, the time is announced again.
"""

import time
from collections.abc import Callable
from typing import TextIO

from stress.explore.compiling import CompileWork

#: seconds for a unit of CompileWork, a guess until something is compiled; measured on an idle AMD EPYC
GUESSED_UNIT_S = 0.006
_TOLERATED = 0.15  # of the announced time
_TOLERATED_S = 2.0
_TOLERATED_OF_EXPLORING = 0.5  # of --seconds: the rest is still for exploring
_LEAST_S = 0.01  # of a search that begins at all
_KEPT_BACK = 0.03  # of --seconds, so that the last searches are reached


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
        self.clock = clock
        self._jobs, self._out = jobs, out
        self._started_at = clock()
        self._scheduler_work = work.scheduler
        self._measured = self._measured_s = 0.0  # what was compiled: its work, and the seconds that it took
        self._began: dict[str, float] = {}  # when compiling a model began
        self._overrun_s, self._nr_ended = 0.0, 0  # by how much all searches that have ended took longer than their shares
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
            self.revise()

    def compiling(self, name: str) -> None:
        """A worker begins to compile a model, or to load it."""
        self._began[name] = self.clock()

    def compiled(self, name: str, seconds: float) -> None:
        """A worker has compiled a model, or has loaded it."""
        if name in self.uncompiled:
            self._measure(self.uncompiled.pop(name), seconds, seconds / self._jobs)
            self.revise()

    def search_ended(self, share_s: float, used_s: float) -> None:
        """A search has ended, which used more worker-seconds than its share, or less."""
        self._overrun_s += max(used_s - share_s, 0.0)
        self._nr_ended += 1

    def revise(self) -> None:
        """Announce the time again if compiling takes much longer. If it takes less, what remains is for exploring."""
        whole_s = (self.seconds or 0.0) + self._announced_s
        tolerated_s = max(_TOLERATED * whole_s, _TOLERATED_S)
        if self.seconds is not None:
            tolerated_s = min(tolerated_s, _TOLERATED_OF_EXPLORING * self.seconds)
        if self._forecast_s - self._announced_s > tolerated_s:
            self._say("compiling takes longer than announced: about")

    @property
    def passed_s(self) -> float:
        """How long the command has run."""
        return self.clock() - self._started_at

    @property
    def left_s(self) -> float | None:
        """How much longer it runs; None if there is no limit."""
        return None if self.seconds is None else self.seconds + self._announced_s - self.passed_s

    @property
    def is_over(self) -> bool:
        return self.left_s is not None and self.left_s <= 0

    def share_s(self, reserved_s: float, nr_searches: int) -> float | None:
        """The worker-seconds of each of `nr_searches` that have not begun; None if there is no limit.

        Parameters  reserved_s: the worker-seconds that are left to searches that have begun
        """
        if self.seconds is None or self.left_s is None:
            return None
        expected_s = sum(self._expected_s(name) - self._compiling_s(name) for name in self.uncompiled)
        workers_s = (self.left_s - _KEPT_BACK * self.seconds) * self._jobs
        each_s = (workers_s - expected_s - reserved_s) / nr_searches
        return max(each_s - self._overrun_s / max(self._nr_ended, 1), _LEAST_S)

    @property
    def _unit_s(self) -> float:
        return self._measured_s / self._measured if self._measured else GUESSED_UNIT_S

    def _compiling_s(self, name: str) -> float:
        """How long a model has been compiled until now."""
        return self.clock() - self._began[name] if name in self._began else 0.0

    def _expected_s(self, name: str) -> float:
        """How long compiling a model takes in all, as far as is known now."""
        return max(self.uncompiled[name] * self._unit_s, self._compiling_s(name))

    @property
    def _forecast_s(self) -> float:
        """How long compiling takes in all, as a part of the command's time."""
        return self._past_s + self._scheduler_work * self._unit_s + sum(map(self._expected_s, self.uncompiled)) / self._jobs

    def _measure(self, work: float, seconds: float, of_command_s: float) -> None:
        self._measured += work
        self._measured_s += seconds
        self._past_s += of_command_s

    def _say(self, what: str) -> None:
        self._announced_s = self._forecast_s
        end = "" if self.seconds is None else f", {self.seconds + self._announced_s:.0f} s in all"
        print(f"{what} {self._announced_s:.0f} s more with {self._jobs} job{'s'[: self._jobs != 1]}{end}", file=self._out, flush=True)
