"""A small repository with results of asv, written as asv 0.6.6 writes them."""

import json
import math
import os
import random
import subprocess

from stress.history.asv_files import BenchmarkCell, CommitRun, MachineResults
from stress.history.series import MeasuredHistory

ENV = "virtualenv-py3.11"
COLUMNS = ["result", "params", "version", "started_at", "duration"]
MACHINE = {"machine": "desk", "os": "Linux", "arch": "x86_64", "cpu": "a processor", "num_cpu": "2", "ram": "8", "version": 1}


def git(folder, *words):
    where = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    who = {f"GIT_{kind}_{what}": "a@b.c" for kind in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True, env={**os.environ, **where, **who})
    return done.stdout.strip()


def make_repository(folder, nr_commits):
    """A repository with empty commits on main. Returns their hashes, oldest first."""
    git(folder, "init", "-q", "-b", "main")
    for number in range(nr_commits):
        git(folder, "commit", "-q", "--allow-empty", "-m", f"commit {number}")
    return git(folder, "rev-list", "--reverse", "HEAD").split()


def write_file(folder, commit, values, *, started_at=0, version="1"):
    """One of asv's result files. Parameters: values: benchmark -> a number, or {a parameter: number}; NaN stays NaN, as with asv."""
    rows = {}
    for name, value in values.items():
        numbers, params = (list(value.values()), [list(value)]) if isinstance(value, dict) else ([value], [])
        rows[name] = [numbers, params, version, started_at, 1.5]
    whole = {
        "commit_hash": commit,
        "env_name": ENV,
        "date": started_at,
        "params": {"machine": "desk", "python": "3.11"},
        "python": "3.11",
        "requirements": {},
        "env_vars": {},
        "result_columns": COLUMNS,
        "results": rows,
        "durations": {},
        "version": 2,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "machine.json").write_text(json.dumps(MACHINE))
    path = folder / f"{commit[:8]}-{ENV}.json"
    path.write_text(json.dumps(whole))
    return path


def write_benchmarks(results, names, *, params=(), unit="calibrations", version="1"):
    """asv's benchmarks.json."""
    listed = {
        name: {
            "code": "",
            "name": name,
            "param_names": ["order"] if params else [],
            "params": [list(params)] if params else [],
            "type": "track",
            "unit": unit,
            "version": version,
            "timeout": 60.0,
        }
        for name in names
    }
    results.mkdir(parents=True, exist_ok=True)
    (results / "benchmarks.json").write_text(json.dumps({**listed, "version": 2}))


def cell(name="pairs.Pair.track_ratio", *params):
    return BenchmarkCell(name, params, "1", ENV)


def history(runs, order):
    """A history in memory. Parameters: runs: (commit, repetition, {cell: value}), by time."""
    made = tuple(CommitRun(commit, repetition, at, values) for at, (commit, repetition, values) in enumerate(runs))
    return MeasuredHistory(MachineResults("desk", made), order)


class NoisyHost:
    """Runs of a suite on a host with two modes. Each cell is (spread of the core, probability of the slow mode), heavy tails included."""

    SLOW = math.log(1.6)

    def __init__(self, kinds, nr_cells, seed, *, heavy=True):
        self.rng, self.heavy = random.Random(seed), heavy
        self.cells = {cell(f"g{at % len(kinds)}.B{at}.track_ratio"): kinds[at % len(kinds)] for at in range(nr_cells)}

    def run(self, losses=()):
        """One run of all cells; those in `losses` are 20 % slower."""
        return {each: self._value(*kind) * (1.2 if each in losses else 1) for each, kind in self.cells.items()}

    def _value(self, spread, slow):
        noise = self.rng.gauss(0, spread)
        if self.heavy:  # Student's distribution with three degrees of freedom
            noise *= math.sqrt(3 / self.rng.gammavariate(1.5, 2))
        return math.exp(noise + (self.SLOW if self.rng.random() < slow else 0))
