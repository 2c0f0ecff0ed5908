"""Exploring one model for a while: blocks of schedules, dealt out to forked workers, merged so that their number does not matter.

A schedule of a sampler follows from the seed and its number; a block is a range of numbers. The failure of the lowest number is the
one that is reported, and blocks below it are waited for: with a budget of schedules the result is the same for any number
of workers. An exhaustive strategy remembers, and is one block.
"""

import time
from dataclasses import dataclass, field

from stress.explore import state
from stress.explore.engine import Engine, Found
from stress.explore.failure import Failure, failure_of
from stress.explore.shrink import shrink

BLOCK_SCHEDULES = 4096
SLICE_SCHEDULES = 4096  # between two looks at the clock
AT_REST_MAX = 400  # final states of one model that the checkers at rest look at, per process


@dataclass
class Tally:
    """What some schedules of one model under one strategy found."""

    strategy: str
    nr_run: int = 0
    nr_steps: int = 0
    most_steps: int = 0
    seconds: float = 0.0
    complete: bool = False
    failure: Failure | None = None
    original: int = 0  # steps of the failing schedule before it was shrunk
    states: set[int] = field(default_factory=set)
    met: dict[str, int] = field(default_factory=dict)  # the model's meetings, and how often they happened

    def add(self, other: "Tally") -> None:
        """Merge what another process, or another block, found."""
        self.nr_run += other.nr_run
        self.nr_steps += other.nr_steps
        self.most_steps = max(self.most_steps, other.most_steps)
        self.seconds += other.seconds
        self.complete |= other.complete
        self.states |= other.states
        self.met = {name: self.met.get(name, 0) + times for name, times in other.met.items()}
        if other.failure is not None and (self.failure is None or other.failure.number < self.failure.number):
            self.failure, self.original = other.failure, other.original


class Session:
    """One engine and what this process has seen of its model."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._nr_at_rest = 0

    def run_block(self, strategy: str, seed: int, first: int, nr_schedules: int, deadline: float | None = None) -> Tally:
        """Explore schedules first..first+nr_schedules-1, until one fails, all is explored, or a moment of time.monotonic()."""
        engine, tally = self.engine, Tally(strategy)
        engine.begin(strategy, seed)
        met_before = self._met()
        start, number, end = time.monotonic(), first, first + nr_schedules
        while number < end and not tally.complete:
            number = engine.explore(number, min(SLICE_SCHEDULES, end - number), stop_at_new_states=self._wants_states())
            tally.complete = engine.stop == state.STOP_COMPLETE
            found = self._judge()
            if found is not None:
                self._fail(tally, found, strategy, seed, number - 1)
                break
            if deadline is not None and time.monotonic() >= deadline:
                break
        words = engine.words
        tally.nr_run = number - first
        tally.nr_steps, tally.most_steps = int(words[state.TOTAL_STEPS]), int(words[state.MOST_STEPS])
        tally.seconds = time.monotonic() - start
        tally.states = set(engine.final_states())
        tally.met = {name: times - met_before[name] for name, times in self._met().items()}
        return tally

    def _met(self) -> dict[str, int]:
        """How often each meeting of the model has happened."""
        counters = self.engine.counters()
        return {name: counters[name] for name in self.engine.model.meetings}

    def _wants_states(self) -> bool:
        return self.engine.model.at_rest and self._nr_at_rest < AT_REST_MAX

    def _judge(self) -> Found | None:
        """How the last schedule failed, by itself or in the eyes of the checkers at rest."""
        found = self.engine.found()
        if found is None and self.engine.stop in (state.STOP_STATE, state.STOP_COMPLETE) and self._wants_states():
            self._nr_at_rest += 1
            found = self.engine.at_rest()
        return found

    def _fail(self, tally: Tally, found: Found, strategy: str, seed: int, number: int) -> None:
        words = self.engine.words
        counted = int(words[state.TOTAL_STEPS]), int(words[state.MOST_STEPS])
        choices = self.engine.choices()
        tally.original = len(choices)
        choices = shrink(self.engine, choices, found)
        tally.failure = failure_of(self.engine, choices, found, strategy, seed, number)
        words[state.TOTAL_STEPS], words[state.MOST_STEPS] = counted
