"""`pfnstorm compare`: axes and workers, and the command from outside."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from kernels.base.layout import POLICIES
from stress.compare import command
from stress.compare.command import CompareOptions, axes_of, check_workers
from stress.compare.windows import BATCH
from stress.errors import HostError, UserError

ROOT = Path(__file__).parents[3]


def test_without_names_every_policy_that_has_a_choice_is_compared():
    assert set(axes_of(())) == {name for name, values in POLICIES.items() if len(values) > 1} | {BATCH}
    assert axes_of(("refcount", "migration", "refcount")) == ("refcount", "migration")
    with pytest.raises(UserError, match=r"--axis weather: .* axes: migration"):
        axes_of(("weather",))


def test_offline_blocks_are_of_one_size_under_all_values():
    assert {policies["balloon_order"] for policies in command._axes()["offline"].values()} == {"0"}


def test_more_workers_than_cores_are_refused(monkeypatch):
    monkeypatch.setattr(command, "usable_cores", lambda: 3)
    assert check_workers(None) == 3
    assert check_workers(2) == 2
    with pytest.raises(HostError, match="--workers 4: this host has 3 cores"):
        check_workers(4)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"scenario": "nowhere"}, "nowhere"),
        ({"json": Path("/nosuch/out.json")}, "/nosuch"),
        ({"plot": Path("out.txt")}, r"\.svg"),
        ({"axes": ("weather",)}, "weather"),
    ],
)
def test_a_mistake_is_found_before_anything_is_built(monkeypatch, changed, said):
    options = CompareOptions((), "storm", 3, 0.5, workers=None, memory=None, json=None, plot=None)
    monkeypatch.setattr(command.build, "import_all_entries", lambda: pytest.fail("it began to build"))
    with pytest.raises(UserError, match=said):
        command.execute(replace(options, **changed))


# ------------------------------------------------------------------------------------------------------------ from outside


def compare(*words):
    command = [sys.executable, "-m", "stress", "compare", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)


@pytest.mark.slow
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


@pytest.mark.slow
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
