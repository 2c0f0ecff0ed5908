"""How much a cell differs between two runs although nothing has changed: its own history of differences.

Differences are logarithms of ratios: between successive runs of one commit (A/A), and between successive commits unless a lasting step of
the history lies between them. A cell with few of them takes those of its group as well.

The *threshold* is the outer fence of their sizes, the third quartile and three interquartile ranges, as rustc's performance site has it
(rust-lang/rustc-perf, docs/comparison-analysis.md). How probable a difference is comes from two sources, and the larger one counts: the
tail of the narrowest Student distribution with three degrees of freedom that lies beyond the smaller four fifths of them, and the share
of differences that were half as large or more: a cell that is in a slow mode in one run of ten is expected to be so again.
"""

import functools
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import stats

from stress.history.asv_files import BenchmarkCell
from stress.history.series import LARGEST, CellSeries, MeasuredHistory, change
from stress.history.steps import new_levels

FREEDOM = 3  # of Student's distribution: its tails are heavy
FENCE = 3.0  # interquartile ranges
CORE = 0.8  # of the differences are no tail
LIKE = 0.5  # of a change: a difference of this size is like it
BEYOND = 1.0001  # a change just larger than a difference
ENOUGH = 8  # differences, for a noise of a cell's own
LEAST_THRESHOLD = math.log(1.02)  # a change below 2 % is never called one
LEAST_SCALE = LEAST_THRESHOLD / 4

Pair = tuple[str, str]


@dataclass(frozen=True)
class CellNoise:
    """The noise of the differences of a cell, as logarithms of ratios.

    Fields      threshold: smaller changes are not significant; scale: of Student's distribution
                sizes: of the differences, sorted
                nr_differences: of its own; pooled: they were too few, and those of other cells count as well
    """

    threshold: float
    scale: float
    sizes: npt.NDArray[np.float64]
    nr_differences: int
    pooled: bool

    def chance(self, changed: float) -> float:
        """The probability that two runs without a change differ by as much in one given direction."""
        if changed <= 0:
            return 1.0
        nr_larger = self.sizes.size - int(np.searchsorted(self.sizes, LIKE * changed))
        # the share of such differences that half of all equal histories have exceeded
        share = stats.beta.ppf(0.5, nr_larger + 1, self.sizes.size - nr_larger) if 0 < nr_larger < self.sizes.size else float(nr_larger > 0)
        return max(float(stats.t.sf(changed / self.scale, FREEDOM)), float(share) / 2)

    def visible(self, nr_pairs: int, alpha: float) -> float:
        """The smallest change that so many pairs of runs can confirm at level alpha, as a logarithm."""
        majority = nr_pairs // 2 + 1
        one_run = stats.beta.ppf(alpha / 2, majority, nr_pairs - majority + 1)  # inverts binom.sf(majority - 1, nr_pairs, p)
        found = max(self.threshold, self.scale * float(stats.t.isf(one_run, FREEDOM)))
        larger = self.sizes[np.searchsorted(self.sizes, LIKE * found) :] / LIKE
        return next((float(each) for each in (found, *larger * BEYOND) if self.chance(float(each)) <= one_run), LARGEST)


#: of a cell about whose kind nothing is known: ratios to a calibration differ by some per cent between runs
UNKNOWN = CellNoise(math.log(1.15), 0.05, np.empty(0), 0, pooled=True)


@functools.cache
def _quantiles(nr_differences: int) -> tuple[slice, npt.NDArray[np.float64]]:
    """Which of so many differences tell the scale, by size, and what their sizes are expected to be at scale 1.

    The smaller half says nothing about tails, and the largest fifth may be of another mode.
    """
    core = slice(nr_differences // 2, max(nr_differences // 2 + 1, round(CORE * nr_differences)))
    share = (np.arange(nr_differences)[core] + 0.5) / nr_differences
    sizes: npt.NDArray[np.float64] = stats.t.ppf((1 + share) / 2, FREEDOM)
    return core, sizes


def noise_of(found: Sequence[float], *, nr_own: int, pooled: bool) -> CellNoise:
    """The noise that differences show; at least one is needed."""
    sizes = np.sort(np.abs(found))
    low, high = np.quantile(sizes, (0.25, 0.75))
    core, expected = _quantiles(sizes.size)
    scale = float((sizes[core] / expected).max())
    return CellNoise(max(float(high + FENCE * (high - low)), LEAST_THRESHOLD), max(scale, LEAST_SCALE), sizes, nr_own, pooled)


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
    fence = noise_of([*found, *between], nr_own=0, pooled=False).threshold if found or between else 0.0
    steps = new_levels(series, fence) if any(abs(each) > fence for each in between) else set()
    for older, newer, each in zip(series.commits, series.commits[1:], between, strict=False):
        leads = judged is not None and (newer == judged[1] or (older, newer) == judged)
        if not leads and newer not in steps:
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


def _pooled(members: Sequence[list[float]]) -> list[float]:
    """The differences of many cells; none unless most of them have some: what is repeated is mostly what is noisy."""
    together = [each for member in members for each in member]
    return together if len(together) >= ENOUGH and 2 * sum(map(bool, members)) >= len(members) else []


def _noise(own: list[float], pool: list[float]) -> CellNoise:
    """The noise of a cell's own differences; if they are few it is at least that of its pool, or what is usual."""
    if len(own) >= ENOUGH:
        return noise_of(own, nr_own=len(own), pooled=False)
    noise = noise_of([*pool, *own], nr_own=len(own), pooled=True) if pool else UNKNOWN
    if not own:
        return noise
    mine = noise_of(own, nr_own=len(own), pooled=True)
    return replace(noise, threshold=max(noise.threshold, mine.threshold), scale=max(noise.scale, mine.scale), nr_differences=len(own))
