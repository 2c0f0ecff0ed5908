"""The explorer, from outside: both engines pass the same points, DPOR is complete, litmus verdicts agree, a budget is deterministic."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
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


@pytest.mark.parametrize(("model", "schedules"), [("refcount-cas", 3), ("offline-deflate", 3), ("livelock", 1)])
def test_both_engines_pass_the_same_points(model, schedules):
    command = ("-m", "tests.stress.explore.point_digest", model, str(schedules))
    compiled, interpreted = run(*command, **EXPLORED), run(*command, NUMBA_DISABLE_JIT="1", **EXPLORED)
    assert compiled.returncode == interpreted.returncode == 0, compiled.stderr[-2000:] + interpreted.stderr[-2000:]
    assert json.loads(compiled.stdout) == json.loads(interpreted.stdout)
    assert len(json.loads(compiled.stdout)) >= 10


@pytest.mark.parametrize("name", ["dpor", "races", "samplers", "engine", "rmo"])
def test_in_the_explored_flavour(name):
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/stress/explore/test_{name}.py", **EXPLORED)
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_dpor_at_length():
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "nightly", "tests/stress/explore/test_dpor.py")
    done = run(*words, timeout=1100, **EXPLORED)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "9 passed" in done.stdout


def test_a_release_that_is_none_is_a_race_under_sequential_consistency(tmp_path):
    """spin_unlock() with a relaxed store does no harm on any schedule here, and is told."""
    shutil.copy(ROOT / "pfnstorm.py", tmp_path)
    for folder in ("kernels", "stress"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    lock = tmp_path / "kernels" / "base" / "lock.py"
    weakened = lock.read_text().replace("store_release(mem.lock_word, lock, 0)", "store_relaxed(mem.lock_word, lock, 0)")
    assert weakened != lock.read_text()
    lock.write_text(weakened)
    words = ("-m", "stress", "explore", "pagecache-removal", "--strategy", "random", "--schedules", "5000", "--jobs", "1")
    done = run(*words, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1, done.stdout[-2000:] + done.stderr[-2000:]
    assert re.search(r"violated: race: .*one of them plain, are ordered by nothing", done.stdout)
    told = run("-m", "stress", "replay", "failures/pagecache-removal-sc.json", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert told.returncode == 1, told.stdout[-2000:] + told.stderr[-2000:]
    assert "are ordered by nothing" in told.stdout


@pytest.mark.parametrize("memory", ["sc", "tso"])
def test_litmus_verdicts_agree(memory):
    if not LITMUS.is_file():
        pytest.skip(f"{LITMUS.name} does not lie beside the project")
    done = run("-m", "stress", "litmus", str(LITMUS), "--memory", memory)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert "84 of 84 verdicts agree" in done.stdout


STORES, LOADS = [["W", "x", 1], ["W", "y", 1]], [["R", "y", "eax"], ["R", "x", "ebx"]]
RELEASED = [["W", "x", 1], ["W", "y", 1, "release"]]
OUTRUN = "(1:eax=1 /\\ 1:ebx=0)"
#: name, threads, condition, verdict under TSO, under PSO (SPARC V8, appendix K; release and relaxed as memory_models.py says)
PSO_TESTS = (
    ("MP", [STORES, LOADS], OUTRUN, "forbidden", "allowed"),
    ("MP+fence", [[STORES[0], ["F"], STORES[1]], LOADS], OUTRUN, "forbidden", "forbidden"),
    ("MP+release", [RELEASED, LOADS], OUTRUN, "forbidden", "forbidden"),
    ("MP+xchg", [[STORES[0], ["XCHG", "y", 1, "eax"]], LOADS], OUTRUN, "forbidden", "forbidden"),
    ("MP+xchg.relaxed", [[STORES[0], ["XCHG", "y", 1, "eax", "relaxed"]], LOADS], OUTRUN, "forbidden", "allowed"),
    ("release, then a store", [[["W", "y", 1, "release"], ["W", "x", 1]], [["R", "x", "ebx"], ["R", "y", "eax"]]],
     "(1:ebx=1 /\\ 1:eax=0)", "forbidden", "allowed"),
    ("2+2W", [[["W", "x", 2], ["W", "y", 1]], [["W", "y", 2], ["W", "x", 1]]], "([x]=2 /\\ [y]=2)", "forbidden", "allowed"),
    ("2+2W+release", [[["W", "x", 2], ["W", "y", 1, "release"]], [["W", "y", 2], ["W", "x", 1, "release"]]],
     "([x]=2 /\\ [y]=2)", "forbidden", "forbidden"),
    ("S", [[["W", "x", 2], ["W", "y", 1]], [["R", "y", "eax"], ["W", "x", 1]]], "([x]=2 /\\ 1:eax=1)", "forbidden", "allowed"),
    ("SB+releases", [[["W", "x", 1, "release"], ["R", "y", "eax"]], [["W", "y", 1, "release"], ["R", "x", "eax"]]],
     "(0:eax=0 /\\ 1:eax=0)", "allowed", "allowed"),
    ("LB", [[["R", "x", "eax"], ["W", "y", 1]], [["R", "y", "eax"], ["W", "x", 1]]], "(0:eax=1 /\\ 1:eax=1)", "forbidden", "forbidden"),
    ("IRIW", [[["W", "x", 1]], [["W", "y", 1]], [["R", "x", "eax"], ["R", "y", "ebx"]], [["R", "y", "eax"], ["R", "x", "ebx"]]],
     "(2:eax=1 /\\ 2:ebx=0 /\\ 3:eax=1 /\\ 3:ebx=0)", "forbidden", "forbidden"),
    ("coherence", [[["W", "x", 1], ["W", "x", 2]], [["R", "x", "eax"], ["R", "x", "ebx"]]],
     "(1:eax=2 /\\ 1:ebx=1)", "forbidden", "forbidden"),
)  # fmt: skip


@pytest.mark.parametrize("memory", ["tso", "pso"])
def test_orderings_mean_under_pso_what_is_written(memory, tmp_path):
    path = tmp_path / "pso.json"
    tests = [
        {"name": name, "init": {"x": 0, "y": 0}, "threads": threads, "exists": exists, "sc": "forbidden", "tso": tso, "pso": pso}
        for name, threads, exists, tso, pso in PSO_TESTS
    ]
    path.write_text(json.dumps({"tests": tests}))
    done = run("-m", "stress", "litmus", str(path), "--memory", memory)
    assert done.returncode == 0, done.stdout + done.stderr[-1000:]
    assert f"{len(PSO_TESTS)} of {len(PSO_TESTS)} verdicts agree" in done.stdout


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
        words = (
            "refcount-cas",
            "--strategy",
            "pos",
            "--strategy",
            "dpor",
            "--schedules",
            "9000",
            "--seed",
            "3",
            "--jobs",
            str(jobs),
            "--json",
            str(path),
        )
        done = run("-m", "stress", "explore", *words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr[-2000:]
        result = json.loads(path.read_text())
        for each in result["models"][0]["strategies"]:
            del each["seconds"]
        found.append(result)
    assert found[0] == found[1]


def test_a_failing_budget_is_the_same_for_any_number_of_jobs(tmp_path):
    found = []
    for jobs in (1, 3):
        words = ("zspage-destroy-linux", "--strategy", "random", "--schedules", "20000", "--jobs", str(jobs), "--json", "result.json")
        assert run("-m", "stress", "explore", *words, cwd=tmp_path).returncode == 1
        result = json.loads((tmp_path / "result.json").read_text())
        for each in result["models"][0]["strategies"]:
            del each["seconds"]
        found.append(result)
    assert found[0] == found[1]


def start_exploring(folder, *words):
    """Explore two models with two workers; the command and its workers, once they are at work."""
    command = [sys.executable, "-m", "stress", "explore", *words, "--strategy", "random", "--jobs", "2", "--json", "result.json"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "PYTEST_", "PFNSTORM_FLAVOUR"))}
    started = subprocess.Popen(
        command, cwd=folder, env=clean | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    children = Path(f"/proc/{started.pid}/task/{started.pid}/children")
    end = time.monotonic() + 200
    while len(workers := [int(each) for each in children.read_text().split()]) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(1)
    return started, workers


@pytest.mark.parametrize(
    ("number", "whom", "code", "said"),
    [
        (signal.SIGKILL, 1, 3, "was killed by SIGKILL"),
        (signal.SIGSTOP, 1, 3, "was stopped by a signal"),
        (signal.SIGTERM, 0, 130, ""),
    ],
)
def test_what_was_explored_is_reported_whatever_ends_it(tmp_path, number, whom, code, said):
    words = ("refcount-cas", "refcount-frozen-bit", "--seconds", "60")
    started, workers = start_exploring(tmp_path, *words)
    try:
        os.kill((started.pid, workers[0])[whom], number)
        out, complained = started.communicate(timeout=60)
    finally:
        started.kill()
    assert started.returncode == code, complained
    assert "refcount-cas: interrupted after" in out
    assert said in complained
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["interrupted"] is True
    assert result["models"][0]["strategies"][0]["schedules"] > 0


def test_a_failure_whose_file_was_edited_is_not_told(tmp_path):
    words = ("refcount-frozen-bit-cleared", "--strategy", "dpor", "--schedules", "50")
    assert run("-m", "stress", "explore", *words, cwd=tmp_path).returncode == 1
    path = tmp_path / "failures" / "refcount-frozen-bit-cleared-sc.json"
    failure = json.loads(path.read_text())
    for change, said in (
        ({"schedule": failure["schedule"][:-1]}, "the schedule ends"),
        ({"found": failure["found"] | {"seen": 12345}}, "the schedule ends"),
        ({"schedule": [[0, "load nothing"], *failure["schedule"][1:]]}, "step 1 of the schedule is"),
    ):
        path.write_text(json.dumps(failure | change))
        told = run("-m", "stress", "replay", str(path), cwd=tmp_path)
        assert told.returncode == 2, told.stdout + told.stderr
        assert told.stderr.startswith(f"pfnstorm: {path}: ")
        assert said in told.stderr
        assert len(told.stderr.strip().splitlines()) == 1


def test_verdicts_that_a_file_does_not_have_do_not_agree(tmp_path):
    classics = json.loads((ROOT / "stress" / "explore" / "classics.json").read_text())
    tests = classics["tests"] if isinstance(classics, dict) else classics
    test = {name: value for name, value in tests[0].items() if name not in ("sc", "tso", "pso")}
    (tmp_path / "a.json").write_text(json.dumps(classics | {"tests": [test]} if isinstance(classics, dict) else [test]))
    done = run("-m", "stress", "litmus", "a.json", "--memory", "pso", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "0 of 0 verdicts agree under pso; the file has none for 1 tests" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("explore", "no-such-model"),
        ("explore", "--strategy", "luck"),
        ("explore", "--memory", "rmo", "--strategy", "dpor"),
        ("replay", "absent.json"),
        ("litmus", "absent.json"),
        ("explore", "--seconds", "1", "--schedules", "1"),
        ("explore", "--failures", "/dev/null"),
    ],
)
def test_mistakes_of_users_are_one_line(words, tmp_path):
    done = run("-m", "stress", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
