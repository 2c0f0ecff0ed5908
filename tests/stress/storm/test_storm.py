"""Real storms that end in every way. Each is a subprocess, since a supervisor must be single-threaded and freshly started."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stress.errors import UserError
from stress.run.report import render
from stress.run.store import read_run, read_samples

pytestmark = pytest.mark.slow

NR_WORKERS = 3
SCENARIO = 'name = "mix"\nsummary = "a test"\n[roles]\nanon = 1\nkernel = 1\n'
LOST_WITHIN_S, GONE_WITHIN_S = 3.0, 5.0
BUILT_WITHIN_S = 200.0  # with the build of the kernels


def wait_until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def workers_of(pid):
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid):
    """Whether a process is there and not just waiting to be reaped by init."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Storm:
    """A supervisor with its workers, stopped by what a test does to it."""

    def __init__(self, folder):
        (folder / "mix.toml").write_text(SCENARIO)
        self.folder = folder
        words = ["run", str(folder / "mix.toml"), "--seconds", "60", "--workers", str(NR_WORKERS), "--memory", "32M"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stress", *words, "--json", str(folder / "result.json")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "PFNSTORM_RESULTS_DIR": str(folder)},
        )
        wait_until(self.has_samples, BUILT_WITHIN_S)
        self.workers = workers_of(self.process.pid)
        assert len(self.workers) == NR_WORKERS
        self.struck = time.monotonic()

    def has_samples(self):
        """Whether the storm has lasted a second: the first sample is on disk."""
        assert self.process.poll() is None, self.process.communicate()
        for database in self.folder.glob("runs/*/samples.sqlite"):
            with contextlib.suppress(UserError):  # its tables are not there yet
                return read_samples(database.parent) != []
        return False

    def end(self):
        out, err = self.process.communicate(timeout=30)
        self.lasted_s = time.monotonic() - self.struck
        wait_until(lambda: not any(map(is_running, self.workers)), GONE_WITHIN_S)
        assert "Traceback" not in err
        return self.process.returncode, out

    def result(self):
        return json.loads((self.folder / "result.json").read_text())


@pytest.fixture
def storm(tmp_path):
    storm = Storm(tmp_path)
    yield storm
    storm.process.kill()
    storm.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("send", [os.kill, os.killpg])
def test_interrupted_storms_report_all_the_same(storm, send, number):
    send(storm.process.pid, number)
    status, out = storm.end()
    assert status == 130
    assert "verdict: interrupted" in out
    assert storm.result()["verdict"] == "interrupted"


@pytest.mark.parametrize(("number", "verdict"), [(signal.SIGKILL, "died"), (signal.SIGSTOP, "stalled")])
def test_a_lost_worker_is_named(storm, number, verdict):
    os.kill(storm.workers[1], number)
    status, _ = storm.end()
    assert status == 3
    assert storm.lasted_s < LOST_WITHIN_S
    result = storm.result()
    assert result["verdict"] == verdict
    assert result["reason"].startswith(f"worker 1 (pid {storm.workers[1]})")
    assert any("held" in line for line in result["diagnosis"])
    saved = read_run(str(next(storm.folder.glob("runs/*/run.json"))))
    assert saved == result
    assert "verdict: " in render(saved)
    assert list(storm.folder.glob("runs/*/machine.npz"))


def test_workers_go_with_a_killed_supervisor_and_samples_stay(storm):
    storm.process.kill()
    assert storm.end()[0] == -signal.SIGKILL
    run = next(storm.folder.glob("runs/*/run.json"))
    assert json.loads(run.read_text())["verdict"] == "running"
    assert read_samples(run.parent)


def test_a_killed_group_leaves_nothing(storm):
    os.killpg(storm.process.pid, signal.SIGKILL)
    assert storm.end()[0] == -signal.SIGKILL


@pytest.mark.parametrize("words", [("storm", "--workers", "9"), ("contiguous", "--workers", "3"), ("kmem",)])
def test_the_result_of_a_storm_is_read_back(tmp_path, words):
    path = tmp_path / "result.json"
    command = [sys.executable, "-m", "stress", "run", *words, "--seconds", "1", "--no-save", "--json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BUILT_WITHIN_S, check=False)
    assert done.returncode == 0, done.stderr
    assert render(read_run(str(path))) + "\n" == done.stdout
