"""`pfnstorm compare`: axes and workers, and the command from outside."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from stress.compare import command
from stress.compare.command import CompareOptions, check_workers
from stress.compare.verdicts import RowGroup
from stress.errors import HostError, UserError
from stress.measure.ratio import Figure

ROOT = Path(__file__).parents[3]


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


def test_each_saved_ratio_has_its_coverage_and_what_it_shows():
    figure = Figure("move", "ns", {"list": [1.0, 2.0, 4.0], "bitmap": [2.0, 2.0, 4.0], "none": [0.0, 1.0, 1.0]})
    (row,) = command._as_json(RowGroup("quiet", [figure], "list"))
    assert row["rounds"] == figure.rounds
    assert row["ratio_to_base"]["bitmap"] == {"median": 1.0, "low": 1.0, "high": 2.0, "coverage": 0.75, "shown": "needs 7 rounds"}
    assert command._as_json(RowGroup("quiet", [figure], "none"))[0]["ratio_to_base"] == {}


# ------------------------------------------------------------------------------------------------------------ from outside


def compare(*words):
    command = [sys.executable, "-m", "stress", "compare", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--axis", "weather"], 2, "axes: migration"),
        (["--axis", "refcount=weather"], 2, "values: cas"),
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
    assert "frozen-bit / cas, 75 %" in done.stdout
    assert " better\n" not in done.stdout
    assert "no conclusions: a storm of 0.5 s" in done.stdout
    stored = json.loads(result.read_text())
    assert stored["schema"] == "pfnstorm-compare/1"
    figures = {figure["name"]: figure for figure in stored["axes"]["refcount"]["figures"]}
    pair = figures["get + put, own line, 1 worker"]
    assert [len(rounds) for rounds in pair["rounds"].values()] == [3, 3]
    assert pair["ratio_to_base"]["frozen-bit"]["coverage"] == 0.75
    assert any(name.startswith("storm: role anon") for name in figures)
    assert plot.read_text().startswith("<?xml")


@pytest.mark.slow
def test_a_value_is_compared_with_itself(tmp_path):
    result = tmp_path / "out.json"
    done = compare("--axis", "refcount=cas", "--rounds", 3, "--seconds", 0.5, "--workers", 1, "--memory", "64M", "--json", result)
    assert done.returncode == 0, done.stderr
    assert " better\n" not in done.stdout
    stored = json.loads(result.read_text())["axes"]["refcount=cas"]
    assert stored["base"] == "cas"
    assert {tuple(figure["rounds"]) for figure in stored["figures"]} == {("cas", "cas again")}
