"""What random walks show of a model before it is explored, the same for every seed: which words are private (privacy.py), and for the
strategies that ask for it how many points a schedule has, how many steps each task makes, and which words several tasks touch."""

from collections import Counter, defaultdict
from typing import Any

from kernels.base import points
from stress.explore import scheduler, state
from stress.explore.steps import Step, logged_steps, task_of
from stress.explore.words import begin_strategy, zero

LEARNING_SCHEDULES = 100  # first: they show which words are private
PROFILED_SCHEDULES = 32  # then: points, steps and touches are counted
PROFILE_SEED = 1
NOTE_NO_STATES = -1


def learn(words: Any, base: int, *, privacy: bool) -> Any:
    """Run random walks, and write down what they show (state.PROFILE_STEPS and what follows).

    Parameters  base: the address of the machine
                privacy: whether private accesses are made without a choice
    Returns     the words of state.TOUCHED_BY as the walks leave them
    """
    zero(words, state.TOUCHED_BY, state.KNOWN_CAPACITY)
    words[state.PRIVACY] = int(privacy)
    begin_strategy(words, "random", PROFILE_SEED)
    for number in range(LEARNING_SCHEDULES):
        words[state.NOTING] = NOTE_NO_STATES
        scheduler.explore_batch(words, number, 1)
    walked = _Walked()
    for number in range(PROFILED_SCHEDULES):
        words[state.LOGGING], words[state.NOTING] = 1, NOTE_NO_STATES
        scheduler.explore_batch(words, number, 1)
        for step in logged_steps(words):
            walked.add(step, buffers=bool(words[state.NR_LANES]))
    words[state.POINTS_EXPECTED] = words[state.MOST_POINTS]
    _write_counts(words, state.PROFILE_STEPS, walked.steps)
    shared = walked.shared_words(words)[: state.PROFILED_MAX]
    words[state.NR_PROFILED] = len(shared)
    for k, offset in enumerate(shared):
        words[state.PROFILE_ADDRESSES + k] = base + offset
        _write_counts(words, state.PROFILE_COUNTS + k * state.NR_SCHEDULABLE, walked.touches[offset])
    return words[state.TOUCHED_BY : state.TOUCHED_BY + state.KNOWN_CAPACITY] * 1


class _Walked:
    """The steps that were chosen in some schedules, counted by what was chosen, and for each word."""

    def __init__(self) -> None:
        self.steps: Counter[int] = Counter()
        self.touches: dict[int, Counter[int]] = defaultdict(Counter)
        self._written: set[int] = set()
        self._awaited: set[int] = set()

    def add(self, step: Step, *, buffers: bool) -> None:
        """Count a step, unless it was not chosen."""
        if not step.enabled:
            return
        self.steps[step.chosen] += 1
        kind = step.op & points.KIND_MASK
        if step.offset and not (kind == points.STORE and buffers):
            self.touches[step.offset][step.chosen] += 1
            if kind != points.LOAD:
                self._written.add(step.offset)
            if kind == points.AWAIT:  # creation and join: their order is no choice
                self._awaited.add(step.offset)

    def shared_words(self, words: Any) -> list[int]:
        """The words that several tasks touch and one writes, those that are touched most first."""
        shared = [
            offset
            for offset, by in self.touches.items()
            if offset in self._written - self._awaited and len({task_of(words, chosen) for chosen in by}) > 1
        ]
        return sorted(sorted(shared), key=lambda offset: -self.touches[offset].total())


def _write_counts(words: Any, at: int, counts: Counter[int]) -> None:
    """Write for each schedulable its mean count in a schedule, and at least 1 if it was counted at all."""
    zero(words, at, state.NR_SCHEDULABLE)
    for chosen, count in counts.items():
        words[at + chosen] = max(1, round(count / PROFILED_SCHEDULES))
