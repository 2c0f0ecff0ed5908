"""The benchmark of exploring, with a tiny budget: every strategy runs, and says how fast."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.environ.get("PFNSTORM_FLAVOUR", "fast") != "fast", reason="starts the explored flavour"),
    pytest.mark.skipif("NUMBA_DISABLE_JIT" in os.environ, reason="starts the explored flavour"),
]


def exploring(*words):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "PYTEST_", "PFNSTORM_FLAVOUR"))}
    command = [sys.executable, "-m", "stress.measure.exploring", *words]
    return subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, text=True, timeout=280)


def test_every_strategy_is_measured_and_a_failure_shrunk():
    done = exploring("--schedules", "240", "--json")
    assert done.returncode == 0, done.stderr[-2000:]
    measured = json.loads(done.stdout)
    assert measured["model"] == "refcount-cas"
    rows = measured["rows"]
    strategies = ("random", "pct-3", "pos", "surw", "dpor")
    cells = [(memory, clocks, strategy) for memory in ("sc", "tso") for clocks in (False, True) for strategy in strategies]
    assert [(row["memory"], row["clocks"], row["strategy"]) for row in rows] == cells
    for row in rows:
        assert row["schedules_per_s"] > 0
        assert row["steps"] > row["points"] > 10
    by_memory = {memory: {row["strategy"]: row["steps"] for row in rows if row["memory"] == memory} for memory in ("sc", "tso")}
    assert all(by_memory["tso"][strategy] > by_memory["sc"][strategy] for strategy in strategies)  # stores leave their buffers
    for row in measured["shrunk"]:
        assert row["preemptions"][0] >= 20 > row["preemptions"][1]
        assert row["runs"] > 1
        assert row["seconds"] > 0
    assert [row["memory"] for row in measured["shrunk"]] == ["sc", "tso"]


def test_people_get_a_table():
    done = exploring("--schedules", "12")
    assert done.returncode == 0, done.stderr[-2000:]
    head, *lines = done.stdout.splitlines()
    assert head.split() == ["memory", "clocks", "strategy", "schedules/s", "steps", "points"]
    assert [len(line.split()) for line in lines[:20]] == [6] * 20
    assert {len(line) for line in [head, *lines[:20]]} == {len(head)}
    assert len(lines) == 22
    assert all("shrunk: preemptions" in line for line in lines[20:])


@pytest.mark.parametrize(("words", "said"), [(("--model", "no-such"), "no-such"), (("--schedules", "3"), "at least 12")])
def test_mistakes_are_one_line(words, said):
    done = exploring(*words)
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]
