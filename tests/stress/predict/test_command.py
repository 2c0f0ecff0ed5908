"""`pfnstorm predict` from outside."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def predict(*words):
    command = [sys.executable, "-m", "stress", "predict", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--cpus", "many"], 2, "--cpus"),
        (["--cpus", 2, "--sockets", 4], 2, "more than CPUs"),
        (["--workload", "weather"], 2, "weather"),
        (["--cache", "big"], 2, "not a size"),
        (["--plot", "out.txt"], 2, ".svg"),
        (["--json", "no/such/folder/out.json"], 2, "no/such/folder"),
    ],
)
def test_mistakes_are_one_line(words, code, said):
    done = predict(*words)
    assert done.returncode == code
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.slow
def test_a_forecast_is_printed_and_saved(tmp_path):
    pytest.importorskip("scipy")
    result = tmp_path / "out.json"
    done = predict("--cpus", "4", "--workload", "get_put_shared", "--seconds", 20, "--json", result)
    assert done.returncode == 0, done.stderr
    assert "Not modelled" in done.stdout
    assert "get + put, one folio, refcount=frozen-bit" in done.stdout
    stored = json.loads(result.read_text())
    assert stored["schema"] == "pfnstorm-predict/1"
    assert stored["machines"]["cpus"] == [4]
    assert {"add", "pause", "turns", "get_put_shared"} <= {each["name"] for each in stored["workloads"]}
