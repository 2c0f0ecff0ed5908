"""The command, from outside."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]


def compare(*words):
    command = [sys.executable, "-m", "stress", "compare", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--axis", "weather"], 2, "axes: migration"),
        (["--scenario", "nowhere"], 2, "nowhere"),
        (["--memory", "4K"], 2, "is too small"),
        (["--scenario", "fragmented", "--memory", "4G"], 2, "less --memory"),
        (["--workers", 4096], 4, "cores"),
        (["--plot", "out.txt"], 2, ".svg"),
        (["--plot", "no/such/folder/out.svg"], 2, "no/such/folder"),
        (["--json", "no/such/folder/out.json"], 2, "no/such/folder"),
        (["--rounds", 1], 2, "rounds"),
    ],
)
def test_mistakes_are_one_line(words, code, said):
    done = compare(*words)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_comparison_is_printed_saved_and_drawn(tmp_path):
    plot, result = tmp_path / "out.svg", tmp_path / "out.json"
    done = compare(
        "--axis", "refcount", "--rounds", 3, "--seconds", 0.5, "--workers", min(2, os.cpu_count()), "--json", result, "--plot", plot
    )
    assert done.returncode == 0, done.stderr
    assert "frozen-bit / cas, 95 %" in done.stdout
    stored = json.loads(result.read_text())
    assert stored["schema"] == "pfnstorm-compare/1"
    figures = {figure["name"]: figure for figure in stored["axes"]["refcount"]["figures"]}
    pair = figures["get + put, own line, 1 worker"]
    assert [len(rounds) for rounds in pair["rounds"].values()] == [3, 3]
    assert any(name.startswith("storm: role anon") for name in figures)
    assert plot.read_text().startswith("<?xml")
