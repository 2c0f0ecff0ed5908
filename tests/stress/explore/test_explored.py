"""The explorer, from outside: both engines pass the same points, each flavour passes its tests, a budget is deterministic."""

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

from tests.stress.explore.flavours import EXPLORED, ROOT, clean_environment, run, starts_flavours

pytestmark = starts_flavours
LONG = ("test_dpor", "test_livelock", "test_memory_models", "test_races", "test_rmo", "test_samplers")


def files_for(*marks):
    """The test files that import one of these marks of flavours.py."""
    imported = re.compile(rf"flavours import .*\b({'|'.join(marks)})\b")
    return {path.stem for path in Path(__file__).parent.glob("test_*.py") if imported.search(path.read_text())}


@pytest.mark.parametrize(("model", "schedules"), [("refcount-cas", 3), ("offline-deflate", 3), ("livelock", 1)])
def test_both_engines_pass_the_same_points(model, schedules):
    command = ("-m", "tests.stress.explore.point_digest", model, str(schedules))
    compiled, interpreted = run(*command, **EXPLORED), run(*command, NUMBA_DISABLE_JIT="1", **EXPLORED)
    assert compiled.returncode == interpreted.returncode == 0, compiled.stderr[-2000:] + interpreted.stderr[-2000:]
    assert json.loads(compiled.stdout) == json.loads(interpreted.stdout)
    assert len(json.loads(compiled.stdout)) >= 10


def run_tests(names, other_flavour, **environment):
    """Run test files in a process of another flavour; how many tests pass. Only tests of `other_flavour` are skipped."""
    files = [f"tests/stress/explore/{name}.py" for name in sorted(names)]
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", *files, **EXPLORED, **environment)
    assert done.returncode == 0, done.stdout[-4000:]
    skipped = re.findall(r"^SKIPPED .*?: (.*)", done.stdout, re.MULTILINE)
    assert all(reason.startswith(f"runs in the {other_flavour} flavour") for reason in skipped), skipped
    return int(re.search(r"(\d+) passed", done.stdout)[1])


@pytest.mark.parametrize("name", LONG)
def test_in_the_explored_flavour(name):
    assert run_tests([name], "interpreted explored") >= 5


def test_the_others_in_the_explored_flavour():
    others = files_for("explored") - set(LONG)
    assert len(others) >= 10
    assert run_tests(others, "interpreted explored") >= 50


def test_in_the_interpreted_explored_flavour():
    names = files_for("interpreted")
    assert len(names) >= 7
    assert run_tests(names, "explored", NUMBA_DISABLE_JIT="1") >= 50


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_dpor_at_length():
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "nightly", "tests/stress/explore/test_dpor.py")
    done = run(*words, timeout=1100, **EXPLORED)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "9 passed" in done.stdout


def test_a_release_that_is_none_is_a_race_under_sequential_consistency(tmp_path):
    """spin_unlock() with a relaxed store does no harm on any schedule here, and is reported."""
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
    assert re.search(r"violated: race: .*nothing orders step \d+ of cpu \d and step \d+ of cpu \d, and one of them is plain", done.stdout)
    replayed = run("-m", "stress", "replay", "failures/pagecache-removal-sc.json", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert replayed.returncode == 1, replayed.stdout[-2000:] + replayed.stderr[-2000:]
    assert "nothing orders step" in replayed.stdout


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


def test_a_command_keeps_its_seconds_and_ends_with_the_verdict(tmp_path):
    words = ("-m", "stress", "explore", "refcount-cas", "refcount-frozen-bit", "--strategy", "surw", "--strategy", "pos")
    run(*words, "--schedules", "1", cwd=tmp_path)  # compiles them
    start = time.monotonic()
    done = run(*words, "--seconds", "10", cwd=tmp_path)
    assert time.monotonic() - start < 1.2 * 10 + 10  # for starting, on a busy host
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert "to compile" not in done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["model", "refcount-cas", "refcount-frozen-bit", "verdict:"]
    taken = re.fullmatch(r"verdict: clean: 2 models, 0 complete, [\d,]+ schedules in (\d+) s", done.stdout.splitlines()[-1])
    assert 8 <= int(taken[1]) <= 12


def test_an_empty_cache_is_announced_and_its_models_are_explored(tmp_path):
    words = ("refcount-cas", "refcount-frozen-bit-cleared", "--strategy", "random", "--seconds", "2", "--jobs", "2")
    done = run("-m", "stress", "explore", *words, cwd=tmp_path, PFNSTORM_CACHE_DIR=str(tmp_path / "cache"))
    assert done.returncode == 1, done.stderr[-2000:]
    assert re.match(r"the scheduler and 2 models to compile, once: about \d+ s more with 2 jobs, \d+ s in all\n", done.stderr)
    path = "failures/refcount-frozen-bit-cleared-sc.json"
    assert done.stdout.splitlines()[-1] == f"verdict: violated: refcount-frozen-bit-cleared: see {path}; pfnstorm replay {path}"
    again = run("-m", "stress", "explore", *words, cwd=tmp_path, PFNSTORM_CACHE_DIR=str(tmp_path / "cache"))
    assert (again.returncode, again.stderr) == (1, "")


def start_exploring(folder, *words):
    """Explore two models with two workers; the command and its workers, once they are at work."""
    command = [sys.executable, "-m", "stress", "explore", *words, "--strategy", "random", "--jobs", "2", "--json", "result.json"]
    started = subprocess.Popen(command, cwd=folder, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    children = Path(f"/proc/{started.pid}/task/{started.pid}/children")
    end = time.monotonic() + 200
    while len(workers := [int(each) for each in children.read_text().split()]) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(1)
    return started, workers


@pytest.mark.parametrize(
    ("number", "victim", "code", "message"),
    [
        (signal.SIGKILL, 1, 3, "was killed by SIGKILL"),
        (signal.SIGSTOP, 1, 3, "was stopped by a signal"),
        (signal.SIGTERM, 0, 130, ""),
    ],
)
def test_what_was_explored_is_reported_whatever_ends_it(tmp_path, number, victim, code, message):
    words = ("refcount-cas", "refcount-frozen-bit", "--seconds", "60")
    started, workers = start_exploring(tmp_path, *words)
    try:
        os.kill((started.pid, workers[0])[victim], number)
        out, err = started.communicate(timeout=60)
    finally:
        started.kill()
    assert started.returncode == code, err
    assert "refcount-cas: interrupted after" in out
    assert message in err
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["interrupted"] is True
    assert result["models"][0]["strategies"][0]["schedules"] > 0


def test_a_failure_whose_file_was_edited_is_refused(tmp_path):
    words = ("refcount-frozen-bit-cleared", "--strategy", "dpor", "--schedules", "50")
    assert run("-m", "stress", "explore", *words, cwd=tmp_path).returncode == 1
    path = tmp_path / "failures" / "refcount-frozen-bit-cleared-sc.json"
    failure = json.loads(path.read_text())
    for change, message in (
        ({"schedule": failure["schedule"][:-1]}, "the schedule ends"),
        ({"found": failure["found"] | {"seen": 12345}}, "the schedule ends"),
        ({"schedule": [[0, "load nothing"], *failure["schedule"][1:]]}, "step 1 of the schedule is"),
    ):
        path.write_text(json.dumps(failure | change))
        replayed = run("-m", "stress", "replay", str(path), cwd=tmp_path)
        assert replayed.returncode == 2, replayed.stdout + replayed.stderr
        assert replayed.stderr.startswith(f"pfnstorm: {path}: ")
        assert message in replayed.stderr
        assert len(replayed.stderr.strip().splitlines()) == 1


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
