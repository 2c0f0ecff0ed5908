"""Short parallel storms under all checks: a few seconds on a small machine, each with another seed."""

import json
import os
import subprocess
import sys

import pytest

CLEAN, VACUOUS = 0, 5  # a few seconds need not meet everything


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scenario", "seed", "memory", "chaos"),
    [("storm", 101, "16M", "0.01"), ("storm", 102, "24M", "0.05"), ("storm", 103, "64M", "0"), ("zoo", 104, "32M", "0.02")],
)
def test_nothing_breaks(tmp_path, scenario, seed, memory, chaos):
    result_path = tmp_path / "result.json"
    words = [
        "run",
        scenario,
        "--seconds",
        "5",
        "--workers",
        "4",
        "--memory",
        memory,
        "--seed",
        str(seed),
        "--check",
        "full",
        "--chaos",
        chaos,
        "--no-save",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "stress", *words, "--json", str(result_path)],
        capture_output=True,
        text=True,
        timeout=240,  # with the build of the checked flavour
        env={**os.environ, "PFNSTORM_RESULTS_DIR": str(tmp_path)},
    )
    assert done.returncode in (CLEAN, VACUOUS), done.stdout[-4000:] + done.stderr[-2000:]
    result = json.loads(result_path.read_text())
    assert result["violations"] == []
    assert sum(role["operations"] for role in result["roles"].values()) > 1000
    assert result["vmstat"]["pgmigrate_success"] > 0
