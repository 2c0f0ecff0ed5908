"""The values of each cell by commit and repetition, in the order of the commits."""

import math
from collections import defaultdict
from collections.abc import Sequence

from stress.history.asv_files import BenchmarkCell, MachineResults

#: the largest change that is told from a larger one: tenfold. A figure that was zero and is not has changed by this much
LARGEST = math.log(10)


def change(before: float, after: float) -> float:
    """The logarithm of after / before, at most LARGEST in size. Costs are not negative."""
    if before == after:
        return 0.0
    if before <= 0 or after <= 0:
        return LARGEST if after > before else -LARGEST
    return max(-LARGEST, min(LARGEST, math.log(after) - math.log(before)))


class CellSeries:
    """One cell: what each commit's runs gave, by time. Commits that have no value are left out."""

    def __init__(self, runs: dict[str, list[tuple[int, float]]], order: Sequence[str]) -> None:
        """Parameters: runs: by commit, (repetition, value) by time; order: of all commits."""
        self.runs = runs
        self.commits = [commit for commit in order if commit in runs]

    def first(self, commit: str) -> float:
        """The value that asv run stored; of a commit that has repetitions only, the first."""
        return min(self.runs[commit], key=lambda run: run[0] > 0)[1]

    def repetitions(self, commit: str) -> list[tuple[int, float]]:
        """(repetition, value) of the runs other than first(), by time."""
        runs = list(self.runs[commit])
        runs.remove(min(runs, key=lambda run: run[0] > 0))
        return runs

    def firsts(self) -> list[float]:
        """The value of each commit, in order."""
        return [self.first(commit) for commit in self.commits]

    def every(self) -> list[tuple[str, float]]:
        """(commit, value) of all runs by commit, first() before its repetitions."""
        return [
            (commit, value) for commit in self.commits for value in (self.first(commit), *(value for _, value in self.repetitions(commit)))
        ]


class MeasuredHistory:
    """All cells that are judged, and the informative ones beside them."""

    def __init__(self, results: MachineResults, order: Sequence[str]) -> None:
        self.machine, self.benchmarks = results.machine, results.benchmarks
        self.runs = [run for run in results.runs if run.commit in set(order)]
        measured = {run.commit for run in self.runs}
        self.order = [commit for commit in order if commit in measured]
        found: dict[BenchmarkCell, dict[str, list[tuple[int, float]]]] = defaultdict(lambda: defaultdict(list))
        for run in self.runs:
            for cell, value in run.values.items():
                found[cell][run.commit].append((run.repetition, value))
        self.cells = {cell: CellSeries(dict(runs), self.order) for cell, runs in sorted(found.items())}

    def judged(self) -> dict[BenchmarkCell, CellSeries]:
        return {cell: series for cell, series in self.cells.items() if cell.is_judged}

    def unit(self, cell: BenchmarkCell) -> str:
        known = self.benchmarks.get(cell.benchmark)
        return known.unit if known else ""

    def beside(self, cell: BenchmarkCell, name: str, commit: str) -> float | None:
        """The value of another benchmark of the same class at a commit: its share of slow time, for example."""
        other = BenchmarkCell(f"{cell.benchmark.rpartition('.')[0]}.{name}", cell.params, cell.version, cell.env)
        series = self.cells.get(other)
        return series.first(commit) if series is not None and commit in series.runs else None

    @property
    def nr_repetitions(self) -> int:
        """Runs that repeat a commit that has one already."""
        return sum(run.repetition > 0 for run in self.runs)
