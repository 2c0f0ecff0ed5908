"""How much a cell differs between two runs although nothing has changed: its own history of differences.

Differences are logarithms of ratios: between successive runs of one commit (A/A), and between successive commits unless a lasting step of
the history lies between them. A cell with few of them takes those of its group as well.

Two figures come of them. The *threshold* is the outer fence of their sizes, the third quartile and three interquartile ranges, as
rustc's performance site has it (rust-lang/rustc-perf, docs/comparison-analysis.md). The *scale* is that of the narrowest Student
distribution with three degrees of freedom that lies beyond all of them: a cell that is in a slow mode in one run of ten has a wide one,
and its p-values are honest.
"""

import functools
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import stats

from stress.history.asv_files import BenchmarkCell
from stress.history.series import CellSeries, MeasuredHistory, change
from stress.history.steps import lasting_borders

FREEDOM = 3  # of Student's distribution: its tails are heavy
FENCE = 3.0  # interquartile ranges
TAIL = 0.8  # of the differences are no tail
ENOUGH = 8  # differences, for a noise of a cell's own
LEAST_THRESHOLD = math.log(1.02)  # a change below 2 % is never called one
LEAST_SCALE = LEAST_THRESHOLD / 4
#: of a cell about whose kind nothing is known: ratios to a calibration differ by some per cent between runs
UNKNOWN_THRESHOLD, UNKNOWN_SCALE = math.log(1.15), 0.05

Pair = tuple[str, str]


@dataclass(frozen=True)
class CellNoise:
    """The noise of the differences of a cell, as logarithms of ratios.

    Fields      threshold: smaller changes are not significant; scale: of Student's distribution
                nr_differences: of its own; pooled: they were too few, and those of other cells count as well
    """

    threshold: float
    scale: float
    nr_differences: int
    pooled: bool

    def visible(self, nr_pairs: int, alpha: float) -> float:
        """The smallest change that so many pairs of runs can confirm at level alpha, as a logarithm."""
        majority = nr_pairs // 2 + 1
        one_run = stats.beta.ppf(alpha / 2, majority, nr_pairs - majority + 1)  # inverts binom.sf(majority - 1, nr_pairs, p)
        return max(self.threshold, self.scale * float(stats.t.isf(one_run, FREEDOM)))


@functools.cache
def _quantiles(nr_differences: int) -> npt.NDArray[np.float64]:
    """What the sizes of so many differences of scale 1 are expected to be, the smaller half left out: it says nothing about tails.

    The largest fifth is what it may be with 95 % confidence: few runs show a rare mode rarely.
    """
    rank = np.arange(1, nr_differences + 1)
    expected = (rank - 0.5) / nr_differences
    at_least = stats.beta.ppf(0.05, rank, nr_differences - rank + 1)
    share = np.where(rank > TAIL * nr_differences, at_least, expected)
    sizes: npt.NDArray[np.float64] = stats.t.ppf((1 + share) / 2, FREEDOM)[nr_differences // 2 :]
    return sizes


def threshold_and_scale(differences: Sequence[float]) -> tuple[float, float]:
    """The fence, and the scale of the Student distribution beyond all differences; at least one of them is needed."""
    sizes = np.sort(np.abs(differences))
    low, high = np.quantile(sizes, (0.25, 0.75))
    fence = float(high + FENCE * (high - low))
    scale = float((sizes[sizes.size // 2 :] / _quantiles(sizes.size)).max())
    return max(fence, LEAST_THRESHOLD), max(scale, LEAST_SCALE)


def differences(series: CellSeries, judged: Pair | None) -> list[float]:
    """The differences of one cell without a change of the program.

    Parameters  judged: two commits that are compared; what differs between them, or leads to the second, is left out
    """
    found = []
    for commit in series.commits:
        values = [value for _, value in series.runs[commit]]
        found += [change(one, other) for one, other in pairwise(values)]
    values = series.firsts()
    between = [change(one, other) for one, other in pairwise(values)]
    fence = threshold_and_scale([*found, *between])[0] if found or between else 0.0
    steps = lasting_borders(values, fence) if any(abs(each) > fence for each in between) else set()
    for at, each in enumerate(between):
        pair = (series.commits[at], series.commits[at + 1])
        leads = judged is not None and (pair[1] == judged[1] or pair == judged)
        if not leads and at + 1 not in steps:
            found.append(each)
    return found


def noises(history: MeasuredHistory, judged: Pair | None) -> dict[BenchmarkCell, CellNoise]:
    """The noise of every judged cell.

    Parameters  judged: as for differences()
    """
    own = {cell: differences(series, judged) for cell, series in history.judged().items()}
    groups: dict[str, list[list[float]]] = defaultdict(list)
    for cell, each in own.items():
        groups[cell.group].append(each)
    pooled = {group: _pooled(members) for group, members in groups.items()}
    whole = _pooled(list(own.values()))
    return {cell: _noise(each, pooled[cell.group] or whole) for cell, each in own.items()}


def _pooled(members: Sequence[list[float]]) -> tuple[float, float] | None:
    """Threshold and scale of the differences of many cells; None unless most of them have some: repeated are mostly the noisy ones."""
    together = [each for member in members for each in member]
    if len(together) < ENOUGH or 2 * sum(map(bool, members)) < len(members):
        return None
    return threshold_and_scale(together)


def _noise(own: list[float], pool: tuple[float, float] | None) -> CellNoise:
    if len(own) >= ENOUGH:
        return CellNoise(*threshold_and_scale(own), len(own), pooled=False)
    threshold, scale = pool or (UNKNOWN_THRESHOLD, UNKNOWN_SCALE)
    if own:
        mine = threshold_and_scale(own)
        threshold, scale = max(threshold, mine[0]), max(scale, mine[1])
    return CellNoise(threshold, scale, len(own), pooled=True)
