"""What the classes of the asv suite share: the contract of a timed cell, and how a group is measured for a commit.

A timed cell has three benchmarks with the same parameter: `track_ratio` (calibrations per operation; it is what is judged), `track_cost`
(seconds per operation in the host's fast mode; n/a where only the slow mode was met) and `track_slow_share` (of the slices, those in the
slow mode). Any other figure has one. asv takes lower for better, so every figure is a cost.

asv imports the benchmarks of the checkout against the package of each commit. So the measuring code is the checkout's, too: a group is
measured by a copy of the commit's package in which `stress/measure` is replaced. What an older commit does not have is n/a.
"""

import importlib.util
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

GROUP_TIMEOUT_S = 1800  # the first process of a commit compiles
_CHECKOUT = Path(__file__).resolve().parents[2]
#: what the commit's package gets from the checkout
_OVERLAID = ("stress/measure", "stress/snapshot/recordings")

Results = dict[str, dict[str, Any]]


def _installed() -> Path:
    """The folder that holds the package of the commit: where `kernels` is found, before the checkout is put on the path."""
    found = importlib.util.find_spec("kernels")
    if found is None or not found.submodule_search_locations:
        raise RuntimeError("the package of the commit is not installed")
    return Path(next(iter(found.submodule_search_locations))).parent


_PACKAGE = _installed()


def cell_names(group: str) -> list[str]:
    """The names of a group's cells, by the checkout."""
    if str(_CHECKOUT) not in sys.path:
        sys.path.insert(0, str(_CHECKOUT))
    from stress.measure import grid

    return [spec.name for spec in grid.cells(group)]


def measured(group: str) -> Results:
    """Measure a group on the commit's package; {} for an older one on which the measuring code does not run.

    Raises      RuntimeError if it does not run on a package that has it
    """
    with tempfile.TemporaryDirectory(prefix="pfnstorm-") as folder:
        root = Path(folder)
        for name in ("kernels", "stress"):
            shutil.copytree(_PACKAGE / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(_PACKAGE / "pfnstorm.py", root)  # the command refuses packages that are not beside it
        is_older = not (root / "stress" / "measure" / "cells.py").exists()
        for name in _OVERLAID:
            shutil.rmtree(root / name, ignore_errors=True)
            shutil.copytree(_CHECKOUT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        environment = {**os.environ, "PYTHONPATH": folder}
        words = [sys.executable, "-P", "-m", "stress.measure.cells", group, "--json"]
        done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=GROUP_TIMEOUT_S)
    if not done.stdout:
        if is_older:
            print(f"{group}: not on this commit: {(done.stderr.strip().splitlines() or ['no message'])[-1]}", file=sys.stderr)
            return {"cells": {}, "figures": {}}
        raise RuntimeError(done.stderr)
    results: Results = json.loads(done.stdout)
    return results


def cost(unit: str, version: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a benchmark asv's attributes. When a change alters what it measures, it needs a new version."""

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        function.__dict__.update(unit=unit, version=version)
        return function

    return mark


def _of_cell(results: Results, name: str, key: str) -> float:
    row = results["cells"].get(name, {})
    if "error" in row:
        raise RuntimeError(row["error"])
    value = row.get(key)
    return math.nan if value is None else float(value)


class _Timed:
    """The three benchmarks of the timed cells of a group; asv does not take a class with an underscore for a benchmark."""

    param_names = ("cell",)
    timeout = 120

    @cost("calibrations", version="1")
    def track_ratio(self, results: Results, cell: str) -> float:
        return _of_cell(results, cell, "ratio")

    @cost("seconds", version="1")
    def track_cost(self, results: Results, cell: str) -> float:
        return _of_cell(results, cell, "cost_ns") / 1e9

    @cost("share", version="1")
    def track_slow_share(self, results: Results, cell: str) -> float:
        return _of_cell(results, cell, "slow_share")


class _Contended:
    """Counts of the cells of a group that several workers run."""

    param_names = ("cell",)
    timeout = 120

    @cost("retries/op", version="1")
    def track_retries(self, results: Results, cell: str) -> float:
        return _of_cell(results, cell, "retries")

    @cost("share", version="1")
    def track_lock_waiting(self, results: Results, cell: str) -> float:
        return _of_cell(results, cell, "lock_waiting")


def contended_names(group: str) -> list[str]:
    """The cells of a group that more than one worker runs."""
    return [name for name in cell_names(group) if "1 worker" not in name]


def figure(results: Results, name: str) -> float:
    """A figure that is no timing; NaN, which asv shows as n/a, where it does not occur."""
    return float(results["figures"].get(name, math.nan))
