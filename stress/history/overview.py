"""The lasting changes of a whole history: where the level of a cell changed, by how much, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from stress.history.asv_files import BenchmarkCell
from stress.history.judge import ALPHA, FEWEST_PAIRS, MOST_PAIRS, ChangeSize, adjusted, p_of_pairs, size_of
from stress.history.noise import CellNoise, noises
from stress.history.series import CellSeries, MeasuredHistory, change
from stress.history.steps import Level, levels


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


def _pairs(values: Sequence[float], old: Level, new: Level) -> list[float]:
    """Changes of up to MOST_PAIRS runs at each side of a border."""
    return [change(values[one], values[other]) for one, other in zip(reversed(old.at[-MOST_PAIRS:]), new.at[:MOST_PAIRS], strict=False)]


def _borders(series: CellSeries, noise: CellNoise) -> list[tuple[Level, Level, list[float]]]:
    """(level, next level, changes of runs on both sides) wherever the level changes by more than the threshold."""
    values = series.firsts()
    if len(values) < 2 * FEWEST_PAIRS or abs(change(min(values), max(values))) < noise.threshold:
        return []
    found = levels(values, noise.threshold)
    borders = [(old, new, _pairs(values, old, new)) for old, new in pairwise(found)]
    return [each for each in borders if len(each[2]) >= FEWEST_PAIRS]


def lasting_changes(history: MeasuredHistory) -> list[LastingChange]:
    """The confirmed changes of all judged cells, the largest first; the false discovery rate over all borders is ALPHA."""
    noise = noises(history, None)
    borders = [
        (cell, series, old, new, pairs) for cell, series in history.judged().items() for old, new, pairs in _borders(series, noise[cell])
    ]
    p_values = adjusted([p_of_pairs(pairs, noise[cell]) for cell, _, _, _, pairs in borders])
    found = []
    for (cell, series, _, new, pairs), p in zip(borders, p_values, strict=True):
        changed, at = median(pairs), new.at[0]
        if p <= ALPHA and abs(changed) >= noise[cell].threshold:
            size = size_of(changed, noise[cell].threshold)
            found.append(LastingChange(cell, series.commits[at - 1], series.commits[at], changed, size, p))
    return sorted(found, key=lambda each: -abs(each.change))
