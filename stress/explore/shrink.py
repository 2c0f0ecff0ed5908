"""From a failing schedule to the few switches that matter, by delta debugging.

A schedule is read as deviations from the dullest one, which lets whoever went on last go on, else the lowest, and every load return the
newest value: (step, who), and (task, which of its accesses, which older value). What remains after no single deviation can be left out is
1-minimal (A. Zeller, R. Hildebrandt, "Simplifying and isolating failure-inducing input", TSE 2002). That leaves switches that are only
early: what is left is then read as runs of steps of one CPU, and each of them is left out, or put together with the next or the last
one of that CPU, as long as it makes fewer preemptions (N. Jalbert, K. Sen, "A trace simplification technique for effective debugging of
concurrent programs", FSE 2010). Only schedules that fail in the same way count.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from stress.explore.engine import AT_REST, EarlyLoad, Engine, Found, early_loads
from stress.explore.state import WHO_MASK

Switch = tuple[int, int]
Deviation = Switch | EarlyLoad  # told apart by their length


def deviations_of(engine: Engine, choices: list[int], found: Found) -> list[Deviation]:
    """What a schedule does otherwise than the default would have done, found by leaving out what changes nothing."""
    early = early_loads(choices)
    switches: list[Switch] = []
    last = -1
    for at, choice in enumerate(choices):
        if choice & WHO_MASK != last:
            switches.append((at, choice & WHO_MASK))
        last = choice & WHO_MASK
    again = _replayed(engine, [*switches, *early], found)
    if again is None or not again.same_failure(found):  # a default that differs where nothing was switched: keep every step
        switches = [(at, choice & WHO_MASK) for at, choice in enumerate(choices)]
    return [*switches, *early]


def _replayed(engine: Engine, deviations: Sequence[Deviation], found: Found) -> Found | None:
    """How the schedule with these deviations fails, if it does."""
    switches = [each for each in deviations if len(each) == 2]
    early = [each for each in deviations if len(each) == 3]
    given = [-1] * (switches[-1][0] + 1 if switches else 0)
    for at, chosen in switches:
        given[at] = chosen
    return engine.replay(given, early, judge=found.verdict == AT_REST)


def minimal(items: list[Deviation], fails: Callable[[list[Deviation]], bool]) -> list[Deviation]:
    """A 1-minimal sublist that still fails (ddmin, by complements)."""
    parts = 2
    while len(items) >= 1:
        size = -(-len(items) // parts)
        for start in range(0, len(items), size):
            rest = items[:start] + items[start + size :]
            if fails(rest):
                items, parts = rest, max(parts - 1, 2)
                break
        else:
            if size <= 1:
                break
            parts = min(len(items), parts * 2)
    return items


def shrink(engine: Engine, choices: list[int], found: Found) -> list[int]:
    """A schedule that fails in the same way with as few switches as can be found; its choices, step by step."""

    def fails(deviations: list[Deviation]) -> bool:
        again = _replayed(engine, deviations, found)
        return again is not None and again.same_failure(found)

    deviations = minimal(deviations_of(engine, choices, found), fails)
    if not fails(deviations):
        raise AssertionError(f"{engine.model.name}: shrinking lost the failure")
    return _merged(engine, engine.choices(), found)


def _merged(engine: Engine, choices: list[int], found: Found) -> list[int]:
    """A schedule that fails in the same way and costs no more, none of whose runs can be left out or moved to another for less."""
    improved, cost = True, _cost(engine)
    while improved:
        improved, early = False, early_loads(choices)
        for runs in _neighbours(engine, choices):
            again = engine.replay([who for run in runs for who in run], early, judge=found.verdict == AT_REST)
            if again is not None and again.same_failure(found) and _cost(engine) < cost:
                choices, cost, improved = engine.choices(), _cost(engine), True
                break
    return choices


def _runs(engine: Engine, choices: list[int]) -> list[list[int]]:
    """A schedule as steps of one CPU in a row, with what leaves its store buffer."""
    return [list(run) for _, run in groupby((choice & WHO_MASK for choice in choices), engine.task_of)]


def _neighbours(engine: Engine, choices: list[int]) -> Iterator[list[list[int]]]:
    """The schedules with one run less: left out, put before the next one or behind the last one of its CPU."""
    runs = _runs(engine, choices)
    for at in reversed(range(len(runs))):
        rest = runs[:at] + runs[at + 1 :]
        of_same = [k for k, run in enumerate(rest) if engine.task_of(run[0]) == engine.task_of(runs[at][0])]
        yield rest
        for to in (next((k for k in of_same if k >= at), None), next((k for k in reversed(of_same) if k < at), None)):
            if to is not None:
                yield [*rest[:to], runs[at] + rest[to] if to >= at else rest[to] + runs[at], *rest[to + 1 :]]


def _cost(engine: Engine) -> tuple[int, int, int]:
    """What a person has to follow of the last schedule: preemptions, runs, steps."""
    choices = engine.choices()
    return engine.nr_preemptions(), len(_runs(engine, choices)), len(choices)
