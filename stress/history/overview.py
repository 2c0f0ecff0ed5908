"""The lasting changes of a whole history: where the level of a cell changed, by how much, and how sure that is."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from stress.history.asv_files import BenchmarkCell
from stress.history.judge import ALPHA, FEWEST_PAIRS, MOST_PAIRS, ChangeSize, adjusted, p_of_pairs, size_of
from stress.history.noise import CellNoise, noises
from stress.history.series import CellSeries, MeasuredHistory, change
from stress.history.steps import levels


@dataclass(frozen=True)
class LastingChange:
    """A level that ended.

    Fields      commit: the first measured one of the new level; before: the last measured one before it. The change is in one of the
                commits after `before` up to `commit`
                change: a logarithm; p: adjusted for all borders of all cells
    """

    cell: BenchmarkCell
    before: str
    commit: str
    change: float
    size: ChangeSize
    p: float


@dataclass(frozen=True)
class _Border:
    """Where one level of a cell ends: the first commit of the next, and changes of runs at both sides, the nearest first."""

    cell: BenchmarkCell
    before: str
    commit: str
    pairs: list[float]


def _borders(cell: BenchmarkCell, series: CellSeries, noise: CellNoise) -> Iterator[_Border]:
    """Where the level of a cell changes by more than the threshold, with up to MOST_PAIRS runs at each side."""
    runs = series.every()
    values = [value for _, value in runs]
    if len(runs) < 2 * FEWEST_PAIRS or abs(change(min(values), max(values))) < noise.threshold:
        return
    for old, new in pairwise(levels(values, noise.threshold)):
        sides = zip(reversed(old.at[-MOST_PAIRS:]), new.at[:MOST_PAIRS], strict=False)
        pairs = [change(values[one], values[other]) for one, other in sides]
        number = series.commits.index(runs[new.at[0]][0])
        if len(pairs) >= FEWEST_PAIRS and number > 0:
            yield _Border(cell, series.commits[number - 1], series.commits[number], pairs)


def lasting_changes(history: MeasuredHistory) -> list[LastingChange]:
    """The confirmed changes of all judged cells, the largest first; the false discovery rate over all borders is ALPHA."""
    noise = noises(history, None)
    borders = [each for cell, series in history.judged().items() for each in _borders(cell, series, noise[cell])]
    p_values = adjusted([p_of_pairs(each.pairs, noise[each.cell]) for each in borders])
    found = []
    for each, p in zip(borders, p_values, strict=True):
        changed, threshold = median(each.pairs), noise[each.cell].threshold
        if p <= ALPHA and abs(changed) >= threshold:
            found.append(LastingChange(each.cell, each.before, each.commit, changed, size_of(changed, threshold), p))
    return sorted(found, key=lambda each: -abs(each.change))
