"""`pfnstorm litmus --real`: litmus tests on real processors.

Ten million runs each of the classics on a machine that is otherwise idle: `pfnstorm litmus --real --runs 10000000` (10 to 20 minutes).
"""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from stress.io.output import LiveLine
from stress.litmus import real
from stress.litmus.command import CLASSICS, chosen_tests
from stress.litmus.file import read_tests
from stress.machine.host import usable_cpus
from tests.stress.explore.flavours import ROOT, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.environ.get("PFNSTORM_FLAVOUR", "fast") != "fast", reason="starts the fast flavour"),
    pytest.mark.skipif("NUMBA_DISABLE_JIT" in os.environ, reason="real processors run compiled kernels"),
]
two_processors = pytest.mark.skipif(len(usable_cpus()) < 2, reason="two threads that race need two processors")


def observed_relaxed(name, nr_runs):
    """So many runs that showed reordering; again on a busy host, where threads rarely run at the same time."""
    test, host = chosen_tests(read_tests(CLASSICS), [name])[0], real.LitmusHost()
    for attempt in range(100):
        found = real.observe(host, test, nr_runs, attempt, LiveLine(sys.stderr))
        if found.count(found.is_relaxed):
            break
    return found


@two_processors
def test_real_processors_show_reordering_and_nothing_that_is_forbidden():
    found = observed_relaxed("SB", 50_000)
    assert sum(outcome.count for outcome in found.outcomes) == 50_000
    assert found.count(found.is_relaxed) > 0  # or the harness could not see what it looks for
    if real.PROCESSORS[os.uname().machine] == "x86-64":
        assert found.count(found.is_forbidden) == 0


@two_processors
def test_a_real_outcome_that_the_model_forbids_is_a_violation(monkeypatch, capsys):
    monkeypatch.setattr(real, "final_states", lambda threads, initial, model: {((0, 0), ((0,), (0,)))})
    monkeypatch.setattr(real.platform, "machine", lambda: "x86_64")
    options = real.LitmusRealOptions(tuple(chosen_tests(read_tests(CLASSICS), ["SB"])), 2_000, 1, None)
    assert real.execute(options) == 1
    assert "TSO forbids it" in capsys.readouterr().out
    monkeypatch.setattr(real.platform, "machine", lambda: "aarch64")
    assert real.execute(options) == 0
    out = capsys.readouterr().out
    assert "this is arm64" in out
    assert "TSO forbids it, arm64 may" in out


@two_processors
def test_where_there_are_too_many_states_the_condition_is_judged():
    found = observed_relaxed("SB", 50_000)
    blind = real.Observed(found.test, found.nr_runs, found.seconds, found.outcomes, None, None)
    assert blind.count(blind.is_relaxed) == found.count(found.witnesses) > 0
    assert blind.count(blind.is_forbidden) == 0


@two_processors
def test_real_runs_are_counted_whole(tmp_path):
    path = tmp_path / "result.json"
    done = run("-m", "stress", "litmus", "--host", "--test", "MP", "--test", "R", "--runs", "9001", "--json", str(path))
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(path.read_text())
    assert [sum(outcome["runs"] for outcome in test["outcomes"]) for test in result["tests"]] == [9001, 9001]


@pytest.mark.parametrize("words", [(), ("--test", "SB")], ids=["classics", "one"])
def test_fewer_cores_than_threads_is_refused(words):
    place = str(usable_cpus()[0])
    done = subprocess.run(
        ["taskset", "-c", place, sys.executable, "-m", "stress", "litmus", "--real", "--test", "SB", *words],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 4
    assert len(done.stderr.strip().splitlines()) == 1
    assert "2 threads" in done.stderr


@two_processors
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_survives(number):
    command = [sys.executable, "-m", "stress", "litmus", "--real", "--test", "SB", "--runs", str(1 << 40)]
    parent = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    threads = []
    try:
        while len(threads) < 2:
            threads = psutil.Process(parent.pid).children()
            assert parent.poll() is None
            time.sleep(0.05)
        parent.send_signal(number)
        assert parent.wait(60) in (130, -signal.SIGKILL)
        _, alive = psutil.wait_procs(threads, 30)
        assert not alive
    finally:
        parent.kill()
        parent.wait()


@two_processors
def test_a_thread_that_dies_is_reported():
    from stress.errors import PfnstormError

    test = chosen_tests(read_tests(CLASSICS), ["SB"])[0]
    host = real.LitmusHost()

    class Killing(LiveLine):
        is_due = True

        def say(self, text):
            for child in psutil.Process().children():
                child.kill()

    with pytest.raises(PfnstormError, match="has died"):
        host.run(test, 1 << 40, 1, Killing(sys.stderr))
    assert not psutil.Process().children()
