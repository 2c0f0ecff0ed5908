"""Strategies: what makes the next step at each point. One file each, found by scanning; compiled into one chain of comparisons.

The contract: `choose(s, mask)` is called at every point with the set of what can be chosen (state.py: bit t a task, bit FLUSH + t the flush
of its oldest buffered store) and returns one of them, or -1 to abandon the schedule; `begin(s)` and `end(s)` are called around every
schedule. `end` says whether everything is explored. What a strategy remembers from one schedule to the next is in the words from
STRATEGY_WORDS on, and only exhaustive strategies remember: a sampler's schedule follows from the seed and its number alone, so that the
result does not depend on how many processes share the work.
"""

import sys
from typing import Any

from kernels.base import jit
from stress import registry
from stress.explore.strategy import Strategy

SCANNED_PACKAGE = True  # compiled code that imports this package depends on all of it (kernels/base/cache.py)
STRATEGIES: tuple[Strategy, ...] = tuple(registry.scan(sys.modules[__name__], Strategy).values())
#: every name that --strategy takes, and the hidden ones: (number, parameter)
NAMED = {
    name: (number, parameter)
    for number, strategy in enumerate(STRATEGIES)
    for name, parameter in (strategy.variants or {strategy.name: 0}).items()
}
CHOOSABLE = tuple(name for name, (number, _) in NAMED.items() if not STRATEGIES[number].hidden)


def _chain(part: str, index: int) -> Any:
    """The kernel (s, number) that calls `begin` or `end` of strategy `number` if that is `index`, else calls the next one in the chain."""
    here = getattr(STRATEGIES[index], part)
    if index + 1 == len(STRATEGIES):

        @jit.kernel
        def last(s, number):
            return here(s)

        return last
    others = _chain(part, index + 1)

    @jit.kernel
    def dispatch(s, number):
        if number == index:
            return here(s)
        return others(s, number)

    return dispatch


def _choose_chain(index: int) -> Any:
    """The kernel (s, mask, number) that lets strategy `number` choose."""
    here = STRATEGIES[index].choose
    if index + 1 == len(STRATEGIES):

        @jit.kernel
        def last(s, mask, number):
            return here(s, mask)

        return last
    others = _choose_chain(index + 1)

    @jit.kernel
    def dispatch(s, mask, number):
        if number == index:
            return here(s, mask)
        return others(s, mask, number)

    return dispatch


begin_schedule, end_schedule, choose = _chain("begin", 0), _chain("end", 0), _choose_chain(0)
