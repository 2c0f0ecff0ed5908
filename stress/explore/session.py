"""Exploring one model for a while: blocks of schedules, dealt out to forked workers, merged so that their number does not matter.

A schedule of a sampler follows from the seed and its number; a block is a range of numbers. The failure of the lowest number is the
one that is reported, and blocks below it are waited for: with a budget of schedules the result is the same for any number
of workers. An exhaustive strategy remembers, and is one block.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from stress.explore import state
from stress.explore.engine import Engine, Found
from stress.explore.failure import Failure, failure_of
from stress.explore.shrink import shrink
from stress.explore.strategies import NAMED, STRATEGIES

BLOCK_SCHEDULES = 4096
SLICE_SCHEDULES = 4096  # between two looks at the clock
TELL_S = 0.4
# which of the final states that are new in a block the checkers at rest look at: the first ones, and of the others one in so many by
# their hash, for schedules below a number
AT_REST_FIRST, AT_REST_FIRST_LATER = 400, 16
AT_REST_EVERY = ((BLOCK_SCHEDULES, 8), (16 * BLOCK_SCHEDULES, 16), (256 * BLOCK_SCHEDULES, 128), (1 << 62, 1024))


@dataclass
class Tally:
    """What some schedules of one model under one strategy found."""

    strategy: str
    nr_run: int = 0
    nr_steps: int = 0
    nr_points: int = 0  # of the steps those at which somebody was chosen
    most_steps: int = 0
    seconds: float = 0.0
    complete: bool = False
    failure: Failure | None = None
    original: tuple[int, int] = (0, 0)  # preemptions and steps of the failing schedule before it was shrunk,
    shrunk: tuple[int, int] = (0, 0)  # and after that
    states: set[int] = field(default_factory=set)
    met: dict[str, int] = field(default_factory=dict)  # the model's meetings, and how often they happened

    def add(self, other: "Tally") -> None:
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
class Progress:
    """How far a block is: schedules that it has run, and what its strategy says of what is left."""

    nr_run: int
    said: str


class Session:
    """One engine and what this process has seen of its model."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._good: set[int] = set()  # final states that the checkers at rest have seen

    def run_block(
        self,
        strategy: str,
        seed: int,
        first: int,
        nr_schedules: int,
        deadline: float | None = None,
        tell: Callable[[Progress], None] | None = None,
    ) -> Tally:
        """Explore schedules first..first+nr_schedules-1, until one fails, all is explored, or a moment of time.monotonic().

        Parameters  tell: is called now and then
        """
        engine, tally = self.engine, Tally(strategy)
        engine.begin(strategy, seed)
        engine.forget_states()  # which of them are judged must not depend on what else this process has run
        engine.words[state.NOTE_FIRST] = AT_REST_FIRST if first == 0 else AT_REST_FIRST_LATER
        met_before = self._met()
        start, number, end = time.monotonic(), first, first + nr_schedules
        told, ended = start, False
        while number < end and not ended:
            if engine.model.oracle is not None and engine.nr_states_free < SLICE_SCHEDULES:  # none may go unseen
                tally.states.update(engine.final_states())
                engine.forget_states()
            number = engine.explore(number, min(SLICE_SCHEDULES, end - number), note_every=self._note_every(number))
            ended = engine.stop == state.STOP_COMPLETE
            tally.complete = bool(engine.words[state.COMPLETE])
            found = self._judge()
            if found is not None:
                self._fail(tally, found, strategy, seed, number - 1)
                break
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                break
            if tell is not None and now - told > TELL_S:
                told = now
                tell(Progress(number - first, STRATEGIES[NAMED[strategy][0]].progress(engine.words)))
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

    def _note_every(self, number: int) -> int:
        """Of how many new final states one is judged, beside the first ones; 0: none. An oracle judges every history."""
        if self.engine.model.oracle is not None:
            return 1
        if not self.engine.model.at_rest:
            return 0
        return next(every for below, every in AT_REST_EVERY if number < below)

    def _judge(self) -> Found | None:
        """How the last schedule failed, by itself or in the eyes of the checkers at rest."""
        found = self.engine.found()
        if found is None and self.engine.model.is_judged and self.engine.verdict == "clean" and self.engine.stop != state.STOP_BUDGET:
            reached = self.engine.final_state()
            if reached not in self._good:
                found = self.engine.at_rest()
                if found is None:
                    self._good.add(reached)
        return found

    def _fail(self, tally: Tally, found: Found, strategy: str, seed: int, number: int) -> None:
        words = self.engine.words
        counted = [int(words[word]) for word in (state.TOTAL_STEPS, state.MOST_STEPS, state.TOTAL_POINTS)]
        choices = self.engine.choices()
        tally.original = self.engine.nr_preemptions(), len(choices)
        choices = shrink(self.engine, choices, found)
        tally.failure = failure_of(self.engine, choices, found, strategy, seed, number)
        tally.shrunk = self.engine.nr_preemptions(), len(choices)
        words[state.TOTAL_STEPS], words[state.MOST_STEPS], words[state.TOTAL_POINTS] = counted
