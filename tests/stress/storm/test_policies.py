"""Every combination of policies passes every checker: each pair of values on every commit, all of them with `pytest -m nightly`.

A storm of everything (`zoo`) with full checks and chaos under each row of a pairwise covering array.
"""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kernels.base.layout import NUMBERS, POLICIES

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
SECONDS, WORKERS = 2, 4
#: every policy with the values that are tried: a number at its ends and at its default
VALUES = dict(POLICIES) | {name: tuple(dict.fromkeys(map(str, sizes))) for name, sizes in NUMBERS.items()}
NAMES = tuple(VALUES)
EVERYTHING = tuple(itertools.product(*VALUES.values()))


def pairs_of(row):
    return {frozenset(pair) for pair in itertools.combinations(zip(NAMES, row, strict=True), 2)}


def pairwise():
    """Few rows that have each pair of values of two policies: greedy, the first row of those with most new pairs."""
    missing, rows = set().union(*map(pairs_of, EVERYTHING)), []
    while missing:
        row = max(EVERYTHING, key=lambda each: len(pairs_of(each) & missing))
        missing -= pairs_of(row)
        rows.append(row)
    return rows


ROWS = pairwise()


def name_of(row):
    return "-".join(row)


def check_storm(row, result_path, seed):
    words = ["run", "zoo", "--seconds", SECONDS, "--workers", WORKERS, "--check", "full", "--chaos", 0.01, "--seed", seed, "--no-save"]
    words += [word for name, value in zip(NAMES, row, strict=True) for word in ("--set", f"{name}={value}")]
    done = subprocess.run(
        [sys.executable, "-m", "stress", *map(str, words), "--json", str(result_path)],
        cwd=ROOT,
        env={**os.environ, "PFNSTORM_FLAVOUR": "checked"},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode in (0, 5), done.stdout + done.stderr  # two seconds may be too short for every meeting
    result = json.loads(result_path.read_text())
    assert result["violations"] == []
    assert result["config"]["policies"] == dict(zip(NAMES, row, strict=True))
    assert result["vmstat"]["pgmigrate_success"] > 0
    assert result["checks"] > 0


def test_the_rows_have_every_pair():
    covered = set().union(*map(pairs_of, ROWS))
    for (name, values), (other, others) in itertools.combinations(VALUES.items(), 2):
        for value, another in itertools.product(values, others):
            assert frozenset([(name, value), (other, another)]) in covered
    assert len(ROWS) < len(EVERYTHING) / 5


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_each_pair_of_values(row, tmp_path):
    check_storm(row, tmp_path / "result.json", seed=1 + ROWS.index(row))


@pytest.mark.nightly
@pytest.mark.parametrize("row", [row for row in EVERYTHING if row not in ROWS], ids=name_of)
def test_each_combination(row, tmp_path):
    check_storm(row, tmp_path / "result.json", seed=1 + EVERYTHING.index(row))
