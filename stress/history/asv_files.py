"""The files that asv stores: one for each commit and environment, and benchmarks.json. Checked by a schema.

Files       <results>/benchmarks.json, <results>/<machine>/<commit>-<environment>.json
            <results>-repeats/<number>/: the same again, once for each repetition. asv reads every folder below <results> that has a
            machine.json, so repetitions cannot lie there
Source      asv 0.6.6, asv/results.py (Results.save) and asv/benchmarks.py (Benchmarks.save)
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints, TypeAdapter

from stress.errors import UserError
from stress.io.reading import checked, is_file, is_folder, read_json

RESULTS_WHAT, BENCHMARKS_WHAT = "a result of asv", "asv's list of benchmarks"
REMEDY = "remove it, or measure the commit again with asv run"
_NOT_RESULTS = ("machine.json", "benchmarks.json")
#: beside track_ratio of the same class, which is judged: the time itself, and the host's share of slow time
SLOW_SHARE = "track_slow_share"
INFORMATIVE = ("track_cost", SLOW_SHARE)


class AsvRow(BaseModel):
    """One benchmark of a commit: a value for each combination of parameters, or none at all if it failed."""

    result: list[FiniteFloat | None] | None = None
    params: list[list[str]] = Field(default_factory=list)
    version: str | None = None
    started_at: int | None = None


class AsvFile(BaseModel):
    """One commit in one environment, as asv stores it."""

    version: Literal[2]
    commit_hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{7,64}$")]
    env_name: str
    result_columns: list[str]
    results: dict[str, list[Any]]


class AsvBenchmark(BaseModel):
    """What asv knows of a benchmark."""

    model_config = ConfigDict(extra="ignore")

    unit: str = ""
    param_names: list[str] = Field(default_factory=list)


_FILE, _ROW = TypeAdapter(AsvFile), TypeAdapter(AsvRow)
_BENCHMARKS: TypeAdapter[dict[str, AsvBenchmark | int]] = TypeAdapter(dict[str, AsvBenchmark | int])


@dataclass(frozen=True, order=True)
class BenchmarkCell:
    """What is compared from commit to commit: a benchmark of one version with one choice of its parameters, in one environment."""

    benchmark: str
    params: tuple[str, ...]
    version: str
    env: str

    @property
    def group(self) -> str:
        """The file of the suite: the first part of asv's name."""
        return self.benchmark.partition(".")[0]

    @property
    def is_judged(self) -> bool:
        return self.benchmark.rpartition(".")[2] not in INFORMATIVE

    @property
    def title(self) -> str:
        """The benchmark without its group, and its parameters: "Bulk.track_ratio(9, 'buddy')"."""
        name = self.benchmark.partition(".")[2] or self.benchmark
        return f"{name}({', '.join(self.params)})" if self.params else name


@dataclass(frozen=True)
class CommitRun:
    """One measurement of a commit.

    Fields      repetition: the number of its folder; 0: the one that asv run made
                started_at: ms since 1970
                values: of each cell that has one; unversioned benchmarks have the version ""
    """

    commit: str
    repetition: int
    started_at: int
    values: dict[BenchmarkCell, float]


@dataclass(frozen=True)
class MachineResults:
    """Everything that was measured on one machine."""

    machine: str
    runs: tuple[CommitRun, ...]
    benchmarks: dict[str, AsvBenchmark] = field(default_factory=dict)


def repeats_folder(results: Path) -> Path:
    """The folder beside asv's that has the repetitions.

    Raises      UserError for the root folder, which has none beside it
    """
    whole = results.absolute()  # "." has no name of its own
    if not whole.name:
        raise UserError(f"{results}: no folder lies beside it, where repetitions belong: name asv's results folder")
    return whole.with_name(f"{whole.name}-repeats")


def read_run(path: Path, repetition: int = 0) -> CommitRun:
    """One of asv's result files.

    Raises      UserError, one line
    """
    file = checked(_FILE, read_json(path, RESULTS_WHAT, missing_numbers=True), path, RESULTS_WHAT, REMEDY)
    values: dict[BenchmarkCell, float] = {}
    started = []
    for name, columns in file.results.items():
        row = checked(_ROW, dict(zip(file.result_columns, columns, strict=False)), path, RESULTS_WHAT, REMEDY)
        started.append(row.started_at or 0)
        values.update(_cells(path, name, row, file.env_name))
    return CommitRun(file.commit_hash, repetition, min(started, default=0), values)


def _cells(path: Path, name: str, row: AsvRow, env: str) -> Iterator[tuple[BenchmarkCell, float]]:
    if row.result is None:
        return
    if math.prod(map(len, row.params)) != len(row.result):
        raise UserError(f"{path}: not {RESULTS_WHAT}: {name[:100]!r} has {len(row.result)} values; {REMEDY}")
    for params, value in zip(product(*row.params), row.result, strict=True):
        if value is not None:
            yield BenchmarkCell(name, params, row.version or "", env), value


def read_benchmarks(path: Path) -> dict[str, AsvBenchmark]:
    """asv's benchmarks.json by name; nothing if there is none: units are missing then.

    Raises      UserError, one line
    """
    if not is_file(path):
        return {}
    found = checked(_BENCHMARKS, read_json(path, BENCHMARKS_WHAT, missing_numbers=True), path, BENCHMARKS_WHAT, "asv run writes it anew")
    return {name: each for name, each in found.items() if isinstance(each, AsvBenchmark)}


def machines(results: Path) -> list[str]:
    """The machines that have results, by name."""
    if not is_folder(results):
        raise UserError(f"{results}: no such folder; `make bench` measures this commit")
    return sorted(path.name for path in results.iterdir() if path.is_dir() and any(_files(path)))


def _files(folder: Path) -> list[Path]:
    if not is_folder(folder):
        return []
    return sorted(path for path in folder.glob("*.json") if path.name not in _NOT_RESULTS)


def read_results(results: Path, machine: str) -> MachineResults:
    """All runs of a machine, repetitions included, by the time at which they began.

    Raises      UserError, one line, for the first file that is damaged
    """
    runs = [read_run(path) for path in _files(results / machine)]
    for number, folder in repetitions(results):
        runs += [read_run(path, number) for path in _files(folder / machine)]
    runs.sort(key=lambda run: (run.started_at, run.repetition, run.commit))
    return MachineResults(machine, tuple(runs), read_benchmarks(results / "benchmarks.json"))


def repetitions(results: Path) -> list[tuple[int, Path]]:
    """(number, folder) of each repetition, by number."""
    folder = repeats_folder(results)
    found = [path for path in folder.iterdir() if path.name.isdecimal() and int(path.name) > 0] if is_folder(folder) else []
    return sorted((int(path.name), path) for path in found)
