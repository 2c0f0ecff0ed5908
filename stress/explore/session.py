"""Exploring one model in one process: blocks of schedules, each judged as it ends (judge.py).

A schedule of a sampler follows from the seed and its number; a block is a range of numbers. An exhaustive strategy remembers what it has
explored, and is one block.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from stress.explore import state
from stress.explore.diagnosis import Found
from stress.explore.engine import Engine
from stress.explore.failure import Failure, failure_of
from stress.explore.judge import begin_judging, judge_schedule, note_every
from stress.explore.shrink import shrink
from stress.explore.strategies import NAMED, STRATEGIES

SLICE_SCHEDULES = 4096  # between two reports of progress
_TIMED_SLICE = 256  # between two looks at the clock, if there is a deadline
_LEAST_SCHEDULES = 64  # whatever the deadline, so that a model does what it is for
TELL_S = 0.4


@dataclass
class StrategyTally:
    """What some schedules of one model under one strategy found."""

    strategy: str
    nr_run: int = 0
    nr_steps: int = 0
    nr_points: int = 0  # steps at which the strategy chose
    most_steps: int = 0
    seconds: float = 0.0
    complete: bool = False
    failure: Failure | None = None
    original: tuple[int, int] = (0, 0)  # preemptions and steps of the failing schedule before it was shrunk,
    shrunk: tuple[int, int] = (0, 0)  # and after that
    states: set[int] = field(default_factory=set)
    met: dict[str, int] = field(default_factory=dict)  # the model's meetings, and how often they happened

    def add(self, other: "StrategyTally") -> None:
        """Merge what another process, or another block, found."""
        self.nr_run += other.nr_run
        self.nr_steps += other.nr_steps
        self.nr_points += other.nr_points
        self.most_steps = max(self.most_steps, other.most_steps)
        self.seconds += other.seconds
        self.complete |= other.complete
        self.states |= other.states
        self.met = {name: self.met.get(name, 0) + times for name, times in other.met.items()}
        if other.failure is not None and (self.failure is None or other.failure.number < self.failure.number):
            self.failure, self.original, self.shrunk = other.failure, other.original, other.shrunk


@dataclass(frozen=True)
class BlockProgress:
    """How far a block is: the schedules that it has run, and what its strategy knows of the rest."""

    nr_run: int
    text: str


class Session:
    """One engine, and the final states of its model that this process has judged."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._good: set[int] = set()

    def run_block(
        self,
        strategy: str,
        seed: int,
        first: int,
        nr_schedules: int,
        deadline: float | None = None,
        report: Callable[[BlockProgress], None] | None = None,
    ) -> StrategyTally:
        """Explore schedules first..first+nr_schedules-1, until one fails, everything is explored, or the deadline (time.monotonic()).

        At least _LEAST_SCHEDULES are run.

        Parameters  report: is called every TELL_S
        """
        engine, tally = self.engine, StrategyTally(strategy)
        engine.begin(strategy, seed)
        begin_judging(engine, first)
        met_before = self._met()
        start, number, end = time.monotonic(), first, first + nr_schedules
        most = SLICE_SCHEDULES if deadline is None else _TIMED_SLICE
        reported, ended = start, False
        while number < end and not ended:
            if engine.model.oracle is not None and engine.nr_states_free < SLICE_SCHEDULES:  # each history must be seen as new
                tally.states.update(engine.final_states())
                engine.forget_states()
            number = engine.explore(number, min(most, end - number), note_every=note_every(engine.model, number))
            ended = engine.stop == state.STOP_COMPLETE
            tally.complete = bool(engine.words[state.COMPLETE])
            found = judge_schedule(engine, self._good)
            if found is not None:
                self._fail(tally, found, seed, number - 1)
                break
            now = time.monotonic()
            if deadline is not None and now >= deadline and number - first >= _LEAST_SCHEDULES:
                break
            if report is not None and now - reported > TELL_S:
                reported = now
                report(BlockProgress(number - first, STRATEGIES[NAMED[strategy][0]].progress(engine.words)))
        words = engine.words
        tally.nr_run = number - first
        tally.nr_steps, tally.most_steps = int(words[state.TOTAL_STEPS]), int(words[state.MOST_STEPS])
        tally.nr_points = int(words[state.TOTAL_POINTS])
        tally.seconds = time.monotonic() - start
        tally.states.update(engine.final_states())
        tally.met = {name: times - met_before[name] for name, times in self._met().items()}
        return tally

    def _met(self) -> dict[str, int]:
        """How often each meeting of the model has happened."""
        counters = self.engine.counters()
        return {name: counters[name] for name in self.engine.model.meetings}

    def _fail(self, tally: StrategyTally, found: Found, seed: int, number: int) -> None:
        """Shrink the last schedule, which failed, and write it down; the replays that this takes are not counted."""
        words = self.engine.words
        counted = [int(words[word]) for word in (state.TOTAL_STEPS, state.MOST_STEPS, state.TOTAL_POINTS)]
        choices = self.engine.choices()
        tally.original = self.engine.nr_preemptions(), len(choices)
        choices = shrink(self.engine, choices, found)
        tally.failure = failure_of(self.engine, choices, found, tally.strategy, seed, number)
        tally.shrunk = self.engine.nr_preemptions(), len(choices)
        words[state.TOTAL_STEPS], words[state.MOST_STEPS], words[state.TOTAL_POINTS] = counted
