"""Where a cell's level changes for good. asv finds the pieces; a piece of a single run is a spike, and no change. Repetitions are runs.

Source      asv.step_detect: piecewise constant, least absolute deviations, the number of pieces by an information criterion
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from asv.step_detect import detect_steps

from stress.history.series import CellSeries, change

FEWEST_RUNS = 2  # of a level


@dataclass
class Level:
    """Successive runs that lie at one level: indices of the series, spikes left out."""

    at: list[int]
    value: float


def levels(values: Sequence[float], threshold: float) -> list[Level]:
    """The levels of a series. Neighbours that differ by less than a threshold are one level.

    Parameters  threshold: a logarithm of a ratio
    """
    found: list[Level] = []
    for left, right, value, _, _ in detect_steps(list(values)):
        _append(found, Level(list(range(left, right)), value), values, threshold)
    lasting: list[Level] = []
    for level in found:
        if len(level.at) >= FEWEST_RUNS:
            _append(lasting, level, values, threshold)
    return lasting


def _append(found: list[Level], level: Level, values: Sequence[float], threshold: float) -> None:
    if found and abs(change(found[-1].value, level.value)) < threshold:
        found[-1].at += level.at
        found[-1].value = median(values[at] for at in found[-1].at)
    else:
        found.append(level)


def new_levels(series: CellSeries, threshold: float) -> set[str]:
    """The commits whose level is another one than that of the commits before, or may be: the newest, if a single run differs."""
    runs = series.every()
    values = [value for _, value in runs]
    found = levels(values, threshold)
    begins = {runs[new.at[0]][0] for new in found[1:]}
    if found and len(series.runs[series.commits[-1]]) == 1 and abs(change(found[-1].value, values[-1])) >= threshold:
        begins.add(series.commits[-1])
    return begins
