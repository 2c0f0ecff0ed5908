"""Where a cell's level changes for good. asv finds the pieces; a piece of a single run is a spike, and no change.

Source      asv.step_detect: piecewise constant, least absolute deviations, the number of pieces by an information criterion
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from asv.step_detect import detect_steps

from stress.history.series import change

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


def lasting_borders(values: Sequence[float], threshold: float) -> set[int]:
    """The indices at which a new level begins."""
    return {level.at[0] for level in levels(values, threshold)[1:]}
