"""The explorer, from outside: both engines pass the same points, DPOR is complete, litmus verdicts agree, a budget is deterministic."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LITMUS = ROOT.parent / "shared" / "litmus.json"
EXPLORED = {"PFNSTORM_FLAVOUR": "explored"}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.environ.get("PFNSTORM_FLAVOUR", "fast") != "fast", reason="starts the explored flavour"),
    pytest.mark.skipif("NUMBA_DISABLE_JIT" in os.environ, reason="starts the interpreted engine itself"),
]


def run(*arguments, cwd=ROOT, timeout=280, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "PYTEST_", "PFNSTORM_FLAVOUR"))}
    clean |= {"PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, *arguments], cwd=cwd, env=clean | environment, capture_output=True, text=True, timeout=timeout)


@pytest.mark.parametrize("model", ["refcount-cas", "offline-deflate"])
def test_both_engines_pass_the_same_points(model):
    command = ("-m", "tests.stress.explore.point_digest", model, "3")
    compiled, interpreted = run(*command, **EXPLORED), run(*command, NUMBA_DISABLE_JIT="1", **EXPLORED)
    assert compiled.returncode == interpreted.returncode == 0, compiled.stderr[-2000:] + interpreted.stderr[-2000:]
    assert json.loads(compiled.stdout) == json.loads(interpreted.stdout)
    assert len(json.loads(compiled.stdout)) >= 10


def test_dpor_agrees_with_brute_force():
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/stress/explore/test_dpor.py", **EXPLORED)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "4 passed" in done.stdout


@pytest.mark.parametrize("memory", ["sc", "tso"])
def test_litmus_verdicts_agree(memory):
    if not LITMUS.is_file():
        pytest.skip(f"{LITMUS.name} does not lie beside the project")
    done = run("-m", "stress", "litmus", str(LITMUS), "--memory", memory)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert "84 of 84 verdicts agree" in done.stdout


def test_a_wrong_verdict_is_told(tmp_path):
    path = tmp_path / "sb.json"
    threads = [[["W", "x", 1], ["R", "y", "eax"]], [["W", "y", 1], ["R", "x", "eax"]]]
    test = {
        "name": "SB",
        "init": {"x": 0, "y": 0},
        "threads": threads,
        "exists": "(0:rax=0 /\\ 1:rax=0)",
        "sc": "forbidden",
        "tso": "forbidden",
    }
    path.write_text(json.dumps({"tests": [test]}))
    assert run("-m", "stress", "litmus", str(path)).returncode == 0
    assert run("-m", "stress", "litmus", str(path), "--memory", "tso").returncode == 1


def test_a_budget_is_deterministic_for_any_number_of_jobs(tmp_path):
    found = []
    for jobs in (1, 2):
        path = tmp_path / f"{jobs}.json"
        words = ("refcount-cas", "--strategy", "random", "--schedules", "9000", "--seed", "3", "--jobs", str(jobs), "--json", str(path))
        done = run("-m", "stress", "explore", *words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr[-2000:]
        result = json.loads(path.read_text())
        for each in result["models"][0]["strategies"]:
            del each["seconds"]
        found.append(result)
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "words", [("explore", "no-such-model"), ("explore", "--strategy", "luck"), ("replay", "absent.json"), ("litmus", "absent.json")]
)
def test_mistakes_of_users_are_one_line(words, tmp_path):
    done = run("-m", "stress", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
