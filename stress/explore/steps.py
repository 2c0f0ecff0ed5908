"""The last schedule, read from the scheduler's words: its choices, its logged steps, its preemptions."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from kernels.base import points
from stress.explore import state

#: a load that returns an older value: task, number of its access from 0, which one (state.VERSION_SHIFT)
EarlyLoad = tuple[int, int, int]


@dataclass(frozen=True)
class Step:
    """One logged step of a schedule: the choice, the CPU that made it, and what it did."""

    choice: int
    cpu: int
    op: int
    offset: int
    first: int
    second: int
    result: int
    before: int
    enabled: int  # the set from which it was chosen; 0: a private access, which was not chosen

    @property
    def chosen(self) -> int:
        """The task, or the flush, that was chosen."""
        return self.choice & state.CHOSEN_MASK

    @property
    def is_early(self) -> bool:
        """Whether it is a load that returned an older value than memory had."""
        return self.choice != self.chosen


def early_loads(choices: Sequence[int]) -> list[EarlyLoad]:
    """The loads that return older values, in a schedule that gives every step."""
    found: list[EarlyLoad] = []
    made: Counter[int] = Counter()
    for choice in choices:
        chosen, version = choice & state.CHOSEN_MASK, choice >> state.VERSION_SHIFT
        if version > 0:
            found.append((chosen, made[chosen], version))
        made[chosen] += 1
    return found


def choices_made(words: Any) -> list[int]:
    """The choice at each step, with the value that a load returned (state.VERSION_SHIFT)."""
    return [int(words[state.CHOICES + k]) for k in range(int(words[state.NR_STEPS]))]


def task_of(words: Any, chosen: int) -> int:
    """The task whose step, or whose store's flush, a choice is."""
    return chosen if chosen < state.FLUSH else (chosen - state.FLUSH) % int(words[state.NR_TASKS])


def logged_steps(words: Any) -> list[Step]:
    """The log of the last schedule, if it was logged."""
    found = []
    for k in range(int(words[state.NR_STEPS])):
        at = state.LOG + k * state.LOG_WORDS
        choice, *logged = (int(words[at + j]) for j in range(state.LOG_WORDS))
        found.append(Step(choice, task_of(words, choice & state.CHOSEN_MASK), *logged))
    return found


def count_preemptions(words: Any) -> int:
    """How often the schedule switched from a CPU that had not ended, and did not wait for the rest of the schedule.

    A flush is the memory system's step, not a CPU's.
    """
    cpus = [cpu for choice in choices_made(words) if (cpu := choice & state.CHOSEN_MASK) < state.FLUSH]
    last_step = {cpu: at for at, cpu in enumerate(cpus)}
    broken_off = words[points.PHASE] == state.STEPS
    running = {cpu for cpu in last_step if broken_off and words[state.STATUS + cpu] == state.RUNNING}
    return sum(a != b and (last_step[a] > at or a in running) for at, (a, b) in enumerate(pairwise(cpus)))
