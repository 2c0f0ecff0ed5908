"""Shrinking a failing schedule to the few switches that matter, by delta debugging.

A schedule is a list of deviations from the default one, in which the CPU of the last step continues, else the lowest, and every load
returns the newest value: (step, choice), and (task, number of its access, which older value). First deviations are left out until the list
is 1-minimal (A. Zeller, R. Hildebrandt, "Simplifying and isolating failure-inducing input", TSE 2002). Switches that only come too early
remain. So the schedule is then taken as runs of steps of one CPU, and a run is left out, or joined to the next or the previous one of that
CPU, as long as that makes fewer preemptions (N. Jalbert, K. Sen, "A trace simplification technique for effective debugging of concurrent
programs", FSE 2010). Only schedules that fail in the same way count.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from stress.explore.diagnosis import Found
from stress.explore.engine import Engine
from stress.explore.state import CHOSEN_MASK
from stress.explore.steps import EarlyLoad, early_loads

Switch = tuple[int, int]
Deviation = Switch | EarlyLoad  # distinguished by their length


def deviations_of(engine: Engine, choices: list[int], found: Found) -> list[Deviation]:
    """The deviations of a schedule from the default one: where it switches, and its early loads."""
    early = early_loads(choices)
    switches: list[Switch] = []
    last = -1
    for at, choice in enumerate(choices):
        if choice & CHOSEN_MASK != last:
            switches.append((at, choice & CHOSEN_MASK))
        last = choice & CHOSEN_MASK
    again = _replayed(engine, [*switches, *early], found)
    if again is None or not again.same_failure(found):  # the default differs where the schedule does not switch: give every step
        switches = [(at, choice & CHOSEN_MASK) for at, choice in enumerate(choices)]
    return [*switches, *early]


def _replayed(engine: Engine, deviations: Sequence[Deviation], found: Found) -> Found | None:
    """How the schedule with these deviations fails, or None."""
    switches = [each for each in deviations if len(each) == 2]
    early = [each for each in deviations if len(each) == 3]
    given = [-1] * (switches[-1][0] + 1 if switches else 0)
    for at, chosen in switches:
        given[at] = chosen
    return engine.replay(given, early, judge=found.is_at_rest)


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
    """The choices of a schedule that fails in the same way, with as few switches as can be found."""

    def fails(deviations: list[Deviation]) -> bool:
        again = _replayed(engine, deviations, found)
        return again is not None and again.same_failure(found)

    deviations = minimal(deviations_of(engine, choices, found), fails)
    if not fails(deviations):
        raise AssertionError(f"{engine.model.name}: shrinking lost the failure")
    return _merged(engine, engine.choices(), found)


def _merged(engine: Engine, choices: list[int], found: Found) -> list[int]:
    """A schedule that fails in the same way, and costs less with no run left out or joined to another."""
    improved, cost = True, _cost(engine)
    while improved:
        improved, early = False, early_loads(choices)
        for runs in _neighbours(engine, choices):
            again = engine.replay([chosen for run in runs for chosen in run], early, judge=found.is_at_rest)
            if again is not None and again.same_failure(found) and _cost(engine) < cost:
                choices, cost, improved = engine.choices(), _cost(engine), True
                break
    return choices


def _runs(engine: Engine, choices: list[int]) -> list[list[int]]:
    """A schedule as runs of steps of one CPU; the flushes of its store buffer count as its steps."""
    return [list(run) for _, run in groupby((choice & CHOSEN_MASK for choice in choices), engine.task_of)]


def _neighbours(engine: Engine, choices: list[int]) -> Iterator[list[list[int]]]:
    """The schedules with one run less: left out, or joined to the next or the previous one of its CPU."""
    runs = _runs(engine, choices)
    for at in reversed(range(len(runs))):
        rest = runs[:at] + runs[at + 1 :]
        of_same = [k for k, run in enumerate(rest) if engine.task_of(run[0]) == engine.task_of(runs[at][0])]
        yield rest
        for to in (next((k for k in of_same if k >= at), None), next((k for k in reversed(of_same) if k < at), None)):
            if to is not None:
                yield [*rest[:to], runs[at] + rest[to] if to >= at else rest[to] + runs[at], *rest[to + 1 :]]


def _cost(engine: Engine) -> tuple[int, int, int]:
    """How hard the last schedule is to follow: preemptions, runs, steps."""
    choices = engine.choices()
    return engine.nr_preemptions(), len(_runs(engine, choices)), len(choices)
