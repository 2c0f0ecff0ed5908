"""Storms of a comparison: the figures of a result, the order of rounds, and storms that fail."""

import json
import subprocess
from pathlib import Path

import pytest

from stress.compare import storms
from stress.compare.storms import FIRST_SEED, ComparedStorm, StormFailedError, figures, storm
from stress.errors import UserError

WHICH = ComparedStorm("storm", 0.5, 2, "64M")
RESULT = {
    "seconds": 2.0,
    "roles": {"anon": {"operations": 100}},
    "vmstat": {"pgmigrate_success": 10},
    "speculation": {"tried": 0, "failed_on_zero": 0},
    "migration": {"compaction": {"migrated": 8, "failed": 2}, "numa_misplaced": {"migrated": 50, "failed": 50}},
    "ranges": {"contig": {"tried": 4, "succeeded": 1, "ns": {"p50": 5000}}, "hotplug": {"tried": 0}},
    "contention": {"zone": {"acquisitions": 50, "contended": 5}, "total": 3},
}


@pytest.fixture
def storming(monkeypatch):
    """Let storms end with a code, and write a result; returns the command lines."""

    def end_with(code, result=RESULT, stderr=""):
        lines = []

        def run(words, **_):
            lines.append(words)
            if result is not None:
                Path(words[words.index("--json") + 1]).write_text(json.dumps(result))
            return subprocess.CompletedProcess(words, code, stdout="", stderr=stderr)

        monkeypatch.setattr(storms.subprocess, "run", run)
        return lines

    return end_with


def test_figures_are_rates_and_shares_and_leave_numa_balancing_out_of_ranges(storming):
    storming(0)
    found = {figure.name.removeprefix("storm: "): figure.rounds["list"][0] for figure in figures({"list": {}}, WHICH, 1, print)}
    assert found["role anon"] == 50
    assert found["frames migrated"] == 5
    assert found["frames migrated out of ranges"] == 4
    assert found["frames given up per frame migrated out of ranges"] == 0.25
    assert found["speculative references that failed"] == 0
    assert found["contig succeeded"] == 25
    assert found["contig, time to one, p50"] == 5
    assert found["zone lock contended"] == 10
    assert not any("hotplug" in name or "total" in name for name in found)


def test_the_values_of_a_round_are_stormed_in_the_order_that_is_drawn_and_share_a_seed(storming, monkeypatch):
    orders = iter([["bitmap", "list"], ["list", "bitmap"]])
    monkeypatch.setattr(storms, "in_turn", lambda names: next(orders))
    lines = storming(0)
    found = figures({"list": {"migration": "list"}, "bitmap": {"migration": "bitmap"}}, WHICH, 2, lambda _: None)
    assert {tuple(figure.rounds) for figure in found} == {("list", "bitmap")}
    assert [words[words.index("--set") + 1] for words in lines] == [
        "migration=bitmap", "migration=list", "migration=list", "migration=bitmap",
    ]  # fmt: skip
    assert [words[words.index("--seed") + 1] for words in lines] == [str(FIRST_SEED)] * 2 + [str(FIRST_SEED + 1)] * 2


def test_a_figure_that_some_round_lacks_is_left_out(storming, monkeypatch):
    storming(0)
    results = iter([RESULT, RESULT | {"ranges": {}}])
    monkeypatch.setattr(storms, "storm", lambda *_: next(results))
    assert not any("contig" in figure.name for figure in figures({"list": {}}, WHICH, 2, lambda _: None))


def test_a_vacuous_storm_counts(storming, tmp_path):
    storming(5)
    assert storm(WHICH, 1, {}, tmp_path)["seconds"] == 2.0


def test_a_storm_that_is_not_clean_ends_the_comparison(storming, tmp_path):
    storming(1, stderr="...\nviolated: I1\n")
    with pytest.raises(StormFailedError, match="seed 3, ended with 1: violated: I1"):
        storm(WHICH, 3, {"migration": "list"}, tmp_path)


def test_an_old_result_is_not_taken_for_a_new_one(storming, tmp_path):
    storming(0, result=None)
    (tmp_path / "result.json").write_text(json.dumps(RESULT))
    with pytest.raises(StormFailedError, match="no message"):
        storm(WHICH, 1, {}, tmp_path)


def test_a_users_mistake_is_the_users(storming, tmp_path):
    storming(2, result=None, stderr="pfnstorm: --memory 4K: is too small\n")
    with pytest.raises(UserError, match=r"^--memory 4K: is too small$"):
        storm(WHICH, 1, {}, tmp_path)
