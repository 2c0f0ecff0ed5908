"""Where a cell's level changes for good. asv finds the pieces; a piece of a single run is a spike, and no change. Repetitions are runs.

Source      asv.step_detect: piecewise constant, least absolute deviations, the number of pieces by an information criterion
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from asv.step_detect import detect_steps

from stress.history.series import CellSeries, change

FEWEST_RUNS = 3  # of a level: of two runs in a row both may have met a slow mode
LONGEST_EXCURSION = 4  # runs after which a series may come back to its level without having left it


@dataclass
class Level:
    """Successive runs that lie at one level: indices of the series, spikes left out."""

    at: list[int]
    value: float


def levels(values: Sequence[float], threshold: float) -> list[Level]:
    """The levels of a series. Neighbours that differ by less than a threshold are one level; so are those around a short excursion.

    Parameters  threshold: a logarithm of a ratio
    """
    found: list[Level] = []
    for left, right, value, _, _ in detect_steps(list(values)):
        _append(found, Level(list(range(left, right)), value), values, threshold)
    lasting: list[Level] = []
    for level in found:
        if len(level.at) >= FEWEST_RUNS:
            _append(lasting, level, values, threshold)
    staying: list[Level] = []
    for number, level in enumerate(lasting):
        around = staying[-1:] + lasting[number + 1 : number + 2]
        comes_back = len(around) == 2 and abs(change(around[0].value, around[1].value)) < threshold
        if not (comes_back and len(level.at) <= LONGEST_EXCURSION):
            _append(staying, level, values, threshold)
    return staying


def _append(found: list[Level], level: Level, values: Sequence[float], threshold: float) -> None:
    if found and abs(change(found[-1].value, level.value)) < threshold:
        found[-1].at += level.at
        found[-1].value = median(values[at] for at in found[-1].at)
    else:
        found.append(level)


def new_levels(series: CellSeries, threshold: float) -> set[str]:
    """The commits whose level is another one than that of the commits before, or may be: where the newest runs, too few, differ."""
    runs = series.every()
    values = [value for _, value in runs]
    found = levels(values, threshold)
    begins = {runs[new.at[0]][0] for new in found[1:]}
    if found and len(values) - 1 - found[-1].at[-1] < FEWEST_RUNS:
        newest = range(found[-1].at[-1] + 1, len(values))
        begins |= {runs[at][0] for at in newest if all(abs(change(found[-1].value, values[each])) >= threshold for each in newest)}
    return begins
