"""Three steps from two commits to a verdict, as rustc's performance site has them: significance, size, relevance of the whole.

1. A cell is *suspected* if the change between its first runs is beyond the threshold of its own noise. One run may be a spike, so
   a suspicion is *confirmed* only by other pairs of runs, of the older and of the newer side: repetitions that were made in
   alternation, or the neighbours of both commits in the history. Most of the pairs have to show the change. The p-value is the
   probability that most of so many pairs differ by as much although nothing has changed; the false discovery rate over all
   suspected cells is held (Benjamini-Hochberg). The first runs do not count again: they are why the cell was chosen.
2. Size: of the change itself, and in multiples of the threshold.
3. Relevance: one large change, some medium ones or many small ones. A loss that is not relevant does not fail a comparison.

Source      rust-lang/rustc-perf, docs/comparison-analysis.md and site/src/comparison.rs (Magnitude); Benjamini and Hochberg (1995)
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from statistics import median

from scipy import stats

from stress.history.asv_files import SLOW_SHARE, BenchmarkCell
from stress.history.noise import CellNoise, Pair, noises
from stress.history.series import CellSeries, MeasuredHistory, change

ALPHA = 0.001  # false discovery rate of a comparison
PAIRS, MOST_PAIRS = 3, 9  # of repetitions; the latter where the former leave a doubt
FEWEST_PAIRS = 2
HIDDEN = math.log(1.2)  # a cell that cannot show so large a change is listed as hidden
MANY_SMALL, SOME_SMALL, SOME_MEDIUM = 20, 5, 3


class Shown(StrEnum):
    """What the runs show of a cell."""

    UNCHANGED = "unchanged"
    SUSPECTED = "suspected"  # too few runs to tell a change from a spike
    SPIKE = "not repeated"
    CONFIRMED = "confirmed"


class ChangeSize(IntEnum):
    """Both what a change is, and how far beyond the noise."""

    VERY_SMALL, SMALL, MEDIUM, LARGE, VERY_LARGE = range(1, 6)

    @property
    def text(self) -> str:
        return self.name.lower().replace("_", " ")


class Relevance(IntEnum):
    """Of all changes of one direction together."""

    NONE, LOW, MEDIUM, HIGH = range(4)


#: largest change, and largest multiple of the threshold, of each size but the last
_CHANGES = tuple(math.log(each) for each in (1.02, 1.04, 1.08, 1.15))
_MULTIPLES = (1.5, 3.0, 6.0, 12.0)


@dataclass
class CellVerdict:
    """One cell of two commits.

    Fields      before, after: the first runs' values; change: a logarithm: of the first runs, or the median of the pairs, if there are
                pairs: changes of other pairs of runs; nr_repeated: those that are repetitions
                p: adjusted for all suspected cells; None without pairs
                slow_shares: the host's share of slow time in both first runs
    """

    cell: BenchmarkCell
    before: float
    after: float
    noise: CellNoise
    change: float
    shown: Shown = Shown.UNCHANGED
    pairs: tuple[float, ...] = ()
    nr_repeated: int = 0
    p: float | None = None
    slow_shares: tuple[float | None, float | None] = (None, None)

    @property
    def size(self) -> ChangeSize:
        return size_of(self.change, self.noise.threshold)

    @property
    def visible(self) -> float:
        """The smallest change that MOST_PAIRS repetitions can confirm, a logarithm."""
        return self.noise.visible(MOST_PAIRS, ALPHA)


@dataclass
class Comparison:
    """Two commits.

    Fields      missing: cells that only one of them has; another_version: those of them whose benchmark has changed its version
    """

    pair: Pair
    verdicts: list[CellVerdict]
    missing: list[BenchmarkCell] = field(default_factory=list)
    another_version: list[str] = field(default_factory=list)

    def shown(self, shown: Shown, *, slower: bool | None = None) -> list[CellVerdict]:
        """The cells of which the runs show something, the largest change first; slower: of one direction only."""
        found = [each for each in self.verdicts if each.shown is shown and slower in (None, each.change > 0)]
        return sorted(found, key=lambda each: -abs(each.change))

    def hidden(self) -> list[CellVerdict]:
        """Cells that cannot show HIDDEN, the noisiest first."""
        return sorted((each for each in self.verdicts if each.visible > HIDDEN), key=lambda each: -each.visible)

    def relevance(self, *, slower: bool) -> Relevance:
        return relevance_of(each.size for each in self.shown(Shown.CONFIRMED, slower=slower))

    @property
    def is_loss(self) -> bool:
        """Whether losses are confirmed, and relevant together."""
        return self.relevance(slower=True) >= Relevance.MEDIUM


def size_of(changed: float, threshold: float) -> ChangeSize:
    """The size of a change: the mean of its own and of that in thresholds, rounded down, as rustc-perf has it."""
    own = 1 + sum(abs(changed) >= limit for limit in _CHANGES)
    beyond = 1 + sum(abs(changed) >= threshold * limit for limit in _MULTIPLES)
    return ChangeSize((own + beyond) // 2)


def relevance_of(sizes: Iterable[ChangeSize]) -> Relevance:
    """The relevance of changes together."""
    count = Counter(sizes)
    large = count[ChangeSize.LARGE] + count[ChangeSize.VERY_LARGE]
    small = count[ChangeSize.SMALL] + count[ChangeSize.VERY_SMALL]
    if large or count[ChangeSize.MEDIUM] >= SOME_MEDIUM or small >= MANY_SMALL:
        return Relevance.HIGH
    if count[ChangeSize.MEDIUM] or small >= SOME_SMALL:
        return Relevance.MEDIUM
    return Relevance.LOW if small else Relevance.NONE


def p_of_pairs(pairs: Sequence[float], noise: CellNoise) -> float:
    """Two-sided: the probability that most of the pairs differ, in one direction, by as much as most of these do."""
    sign, majority = math.copysign(1, median(pairs)), len(pairs) // 2 + 1
    reached = sorted((sign * each for each in pairs), reverse=True)[majority - 1]
    return min(1.0, 2 * float(stats.binom.sf(majority - 1, len(pairs), noise.chance(reached))))


def adjusted(p_values: Sequence[float]) -> list[float]:
    """p-values such that those below ALPHA have a false discovery rate of ALPHA."""
    return [float(each) for each in stats.false_discovery_control(p_values)] if p_values else []


def other_pairs(series: CellSeries, pair: Pair) -> tuple[list[float], int]:
    """(changes, how many of them are of repetitions) of pairs of runs that are not the first runs of the two commits.

    Repetitions of the same number were made in alternation, and are paired. Up to PAIRS are made up of the rest: other repetitions, then,
    for the older commit its predecessors, for the newer one the commits between both, nearest first.
    """
    older, newer = pair
    before, after = dict(series.repetitions(older)), dict(series.repetitions(newer))
    together = [number for number in before if number in after]
    pairs = [change(before[number], after[number]) for number in together]
    nr_before, nr_after = len(before), len(after)
    at, until = series.commits.index(older), series.commits.index(newer)
    rest_before = [value for number, value in before.items() if number not in together]
    rest_after = [value for number, value in after.items() if number not in together]
    rest_before += [series.first(commit) for commit in reversed(series.commits[:at])]
    rest_after += [series.first(commit) for commit in reversed(series.commits[at + 1 : until])]
    room = max(0, PAIRS - len(pairs))
    pairs += [change(one, other) for one, other in list(zip(rest_before, rest_after, strict=False))[:room]]
    return pairs, min(nr_before, nr_after, len(pairs))


def _level_before(series: CellSeries, commit: str) -> float:
    """The level that a commit continues: the median of its own runs and of up to PAIRS predecessors."""
    at = series.commits.index(commit)
    near = [series.first(each) for each in series.commits[max(0, at - PAIRS) : at]]
    return median([*near, *(value for _, value in series.runs[commit])])


def compare(history: MeasuredHistory, pair: Pair) -> Comparison:
    """The judgement of all cells that both commits have."""
    older, newer = pair
    noise, found, missing = noises(history, pair), [], []
    for cell, series in history.judged().items():
        if older not in series.runs or newer not in series.runs:
            if older in series.runs or newer in series.runs:
                missing.append(cell)
            continue
        found.append(_first_look(history, cell, pair, noise[cell]))
    doubtful = [each for each in found if each.shown is Shown.SUSPECTED and len(each.pairs) >= FEWEST_PAIRS]
    for each, p in zip(doubtful, adjusted([p_of_pairs(each.pairs, each.noise) for each in doubtful]), strict=True):
        _decide(each, p)
    return Comparison(pair, found, missing, _versions_that_differ(missing))


def _first_look(history: MeasuredHistory, cell: BenchmarkCell, pair: Pair, noise: CellNoise) -> CellVerdict:
    """A cell by its first runs alone, and the pairs of others."""
    series, (older, newer) = history.cells[cell], pair
    before, after = series.first(older), series.first(newer)
    changed = change(before, after)
    pairs, nr_repeated = other_pairs(series, pair)
    verdict = CellVerdict(cell, before, after, noise, changed, pairs=tuple(pairs), nr_repeated=nr_repeated)
    verdict.slow_shares = (history.beside(cell, SLOW_SHARE, older), history.beside(cell, SLOW_SHARE, newer))
    # against the level before as well: a spike of the older run must not hide a loss
    from_level = change(_level_before(series, older), after)
    if max(abs(changed), abs(from_level)) >= noise.threshold:
        verdict.shown = Shown.SUSPECTED
        if abs(from_level) > abs(changed):
            verdict.change = from_level
    return verdict


def _decide(verdict: CellVerdict, p: float) -> None:
    """Confirm a suspicion, call it a spike, or leave it, by the pairs."""
    level = median(verdict.pairs)
    beyond = abs(level) >= verdict.noise.threshold and level * verdict.change > 0
    verdict.p = p
    if p <= ALPHA and beyond:
        verdict.shown, verdict.change = Shown.CONFIRMED, level
    elif verdict.nr_repeated >= FEWEST_PAIRS and not beyond:
        # neighbours that lie at the old level do not refute a change of the newest commit; its own repetitions do
        verdict.shown = Shown.SPIKE


def _versions_that_differ(missing: Sequence[BenchmarkCell]) -> list[str]:
    versions: dict[str, set[str]] = {}
    for cell in missing:
        versions.setdefault(cell.benchmark, set()).add(cell.version)
    return sorted(name for name, found in versions.items() if len(found) > 1)
