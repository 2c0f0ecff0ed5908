"""The command: a recording compacted whole, checked, the same every time, and compared with what its kernel says it did."""

import json
import subprocess
import sys

import numpy as np
import pytest

from stress.snapshot.show import render
from tests.stress.snapshot import conftest as at


def pfnstorm(*words, timeout_s=400):
    """A command line in its own process: (exit code, stdout, stderr)."""
    done = subprocess.run([sys.executable, "-m", "stress", *map(str, words)], capture_output=True, text=True, timeout=timeout_s)
    return done.returncode, done.stdout, done.stderr


def compact(path, out, *words):
    status, stdout, stderr = pfnstorm("compact", "--snapshot", path, "--json", out, *words)
    assert status == 0, stderr
    return json.loads(out.read_text()), stdout


def untimed(result):
    figures = {name: row for name, row in result["figures"].items() if name != "ns per migrated frame"}
    return figures, result["went"], result["buddyinfo_after"], result["vmstat"]["pgmigrate_success"]


@pytest.fixture(scope="module")
def compacted(tmp_path_factory):
    """The made-up recording, and what came of it under full checks."""
    folder = tmp_path_factory.mktemp("compact")
    np.savez(folder / "r.npz", **at.recorded(*at.made_up()))
    result, text = compact(folder / "r.npz", folder / "full.json", "--check", "full")
    return folder, result, text


def test_a_compaction_gains_large_blocks_and_breaks_nothing(compacted):
    _, result, text = compacted
    assert (result["verdict"], result["violations"]) == ("clean", [])
    figures = {name: row["model"] for name, row in result["figures"].items()}
    assert figures["frames migrated"] > 1000
    assert figures["order-9 blocks gained"] > 3
    assert figures["order-9 blocks before"] == 2
    assert sum(row["left_model"] for row in result["went"]) >= figures["frames migrated"] * 0.9
    low, high = (sum(row[key] for row in result["went"][:4]) for key in ("left_model", "came_model"))
    assert low > 10 * high, "folios go from low frames to high ones"
    assert "the recording does not say what the kernel did" in text
    assert text.rstrip().splitlines()[-1].startswith("verdict: clean: no invariant broke")
    assert render(result) + "\n" == text


def test_it_is_the_same_every_time_and_under_both_ways_to_migrate(compacted):
    folder, result, _ = compacted
    again, _ = compact(folder / "r.npz", folder / "again.json", "--set", "migration=list")
    assert untimed(again)[1:] == untimed(result)[1:]
    assert again["figures"]["scanned for free"] == result["figures"]["scanned for free"]


def test_page_tables_that_move_gain_more(compacted):
    folder, result, _ = compacted
    moved, _ = compact(folder / "r.npz", folder / "moved.json", "--move-page-tables", "--frame-bytes", "128")
    assert moved["vmstat"]["pgtable_migrate"] > 50
    assert "pgtable_migrate" not in result["vmstat"]
    assert moved["config"]["frame_bytes"] == 128


def test_figures_beside_the_kernels_are_judged(compacted, tmp_path):
    """A kernel that did the same is within 15 %, one that migrated twice as much is not."""
    _, result, _ = compacted
    flags, counts = at.made_up()
    arrays = at.recorded(flags, counts)
    meta = json.loads(arrays["meta"])
    blocks = result["buddyinfo_after"]["model"]
    meta |= {
        "vmstat_delta": {"pgmigrate_success": 2 * result["vmstat"]["pgmigrate_success"]},
        "buddyinfo_after": "Node 0, zone Normal " + " ".join(map(str, blocks)),
        "elapsed_ns": 10**9,
    }
    np.savez(tmp_path / "r.npz", **(arrays | {"meta": json.dumps(meta), "flags_after": arrays["flags_before"]}))
    judged, text = compact(tmp_path / "r.npz", tmp_path / "o.json", "--check", "none")
    assert judged["figures"]["frames migrated"]["ratio"] == 0.5
    assert judged["figures"]["frames migrated"]["within"] is False
    assert judged["figures"]["order-9 blocks gained"] | {"model": 0, "kernel": 0} == {"model": 0, "kernel": 0, "ratio": 1, "within": True}
    assert judged["figures"]["ns per migrated frame"]["kernel"] == 10**9 / (2 * result["vmstat"]["pgmigrate_success"])
    assert "OUTSIDE 15%" in text
    assert judged["reason"] == "no invariant broke; frames migrated outside of 15% of the kernel's"
    assert [row["left_kernel"] for row in judged["went"]] == [0] * 16


def test_mistakes_are_one_line(tmp_path):
    (tmp_path / "bad.npz").write_text("no")
    for words, expected in (
        (["compact", "--snapshot", tmp_path / "none.npz"], "no such recording"),
        (["compact", "--snapshot", tmp_path / "bad.npz", "--set", "migration=x"], "unknown value"),
        (["run", "--snapshot", tmp_path / "bad.npz"], "not a recording"),
    ):
        status, _, stderr = pfnstorm(*words)
        assert (status, stderr.count("\n")) == (2, 1)
        assert expected in stderr


def test_a_storm_starts_from_a_recording(compacted):
    folder, _, _ = compacted
    words = ("--seconds", 2, "--workers", 2, "--seed", 5, "--json", folder / "run.json", "--no-save")
    status, _, stderr = pfnstorm("run", "storm", "--snapshot", folder / "r.npz", *words)
    assert status == 0, stderr
    result = json.loads((folder / "run.json").read_text())
    assert result["config"]["geometry"]["frames_per_node"] == at.NR_FRAMES
    assert result["buddyinfo_before"][0] == at.blocks_of(at.made_up()[0] & at.BUDDY != 0)
    status, _, stderr = pfnstorm("run", "--snapshot", folder / "r.npz", "--memory", "64M")
    assert (status, stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize("policy", ["bitmap", "list"])
def test_the_recorded_machine_ends_as_its_kernel_left_it(real, tmp_path, policy):
    """Migrated frames and gained blocks of order 9 within 15 % of Linux 6.18."""
    result, _ = compact(real, tmp_path / "o.json", "--set", f"migration={policy}", "--check", "rest" if policy == "list" else "none")
    assert result["verdict"] == "clean"
    for name in ("frames migrated", "order-9 blocks gained"):
        assert result["figures"][name]["within"] is True, result["figures"][name]
