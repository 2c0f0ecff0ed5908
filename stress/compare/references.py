"""The two schemes of the reference count: get + put by pinned processes, on separate lines, at random, and on one line."""

from collections.abc import Callable

from kernels.base.layout import POLICIES
from stress.compare.turns import in_turn, names_of
from stress.measure.forked import MAX_WORKERS, Forked
from stress.measure.ratio import Figure, in_order

AXIS = "refcount"


def figures(nr_rounds: int, processors: list[int], tick: Callable[[str], None], twin: str | None = None) -> list[Figure]:
    """ns per get + put under each scheme: by one worker, and by several on separate lines and on one line.

    Parameters  processors: at most one worker each; tick: called with what is measured, before each round; twin: the one scheme that is
                compared with itself, or None for all
    """
    forked = Forked(processors)
    nr_most = min(len(processors), MAX_WORKERS)
    cases = [("own line", "hot", 1), ("at random over 64 MiB", "random_tested", 1)]
    several = sorted({nr for nr in (2, 4, 8, nr_most) if 1 < nr <= nr_most})
    cases += [case for nr in several for case in (("own lines", "hot", nr), ("one line", "contended", nr))]
    values = POLICIES[AXIS]
    measured = names_of(values, twin)
    taken: dict[str, dict[str, list[float]]] = {}
    for number in range(nr_rounds):
        tick(f"references, round {number + 1} of {nr_rounds}")
        for label, work, nr_workers in cases:
            row = f"get + put, {label}, {nr_workers} worker{'s' if nr_workers > 1 else ''}"
            for name in in_turn(tuple(measured)):
                forked.set_policy(AXIS, values.index(measured[name]))
                taken.setdefault(row, {}).setdefault(name, []).append(forked.ns(work, range(nr_workers)))
    return [Figure(row, "ns/pair", in_order(rounds, tuple(measured))) for row, rounds in taken.items()]
