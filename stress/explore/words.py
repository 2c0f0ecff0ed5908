"""What Python writes into the scheduler's words between schedules."""

from typing import Any

from kernels.base import flavour
from stress.explore import state
from stress.explore.strategies import NAMED, STRATEGIES


def zero(words: Any, first: int, count: int) -> None:
    """Make `count` words 0, from `first` on."""
    words[first : first + count] = [0] * count if flavour.INTERPRETED else 0


def begin_strategy(words: Any, name: str, seed: int) -> None:
    """Choose a strategy. What was counted and remembered of schedules before is forgotten."""
    number, parameter = NAMED[name]
    words[state.STRATEGY], words[state.PARAMETER], words[state.SEED] = number, parameter, seed
    words[state.RESTARTS] = int(STRATEGIES[number].exhaustive)
    for word in (state.NR_RUN, state.TOTAL_STEPS, state.MOST_STEPS, state.TOTAL_POINTS, state.MOST_POINTS, state.NR_PRUNED, state.COMPLETE):
        words[word] = 0
    words[state.LOGGING] = words[state.NOTING] = words[state.GREW] = words[state.CUT] = 0
    zero(words, state.STRATEGY_WORDS, state.RESTARTED_WORDS)
