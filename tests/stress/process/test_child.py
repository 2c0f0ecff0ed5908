"""fork_child: how a child ends, and what it does not do."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stress.process import itself
from stress.process.child import EXIT_ORPHAN, EXIT_PYTHON_ERROR, die_with, fork_child, hangup_interrupts

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")]  # pytest-timeout has a thread


def leave(status):
    raise SystemExit(status)


def code_of(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def wait_until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def script(text, **popen):
    """Another Python program, since a fork copies all that pytest has."""
    words = [sys.executable, "-P", "-c", text]
    return subprocess.Popen(words, env=itself.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **popen)


@pytest.mark.parametrize(
    ("work", "code"), [(lambda: None, 0), (lambda: 5, 0), (lambda: leave(7), 7), (lambda: leave("a text"), EXIT_PYTHON_ERROR)]
)
def test_a_child_exits_with_the_code_of_its_work(work, code):
    assert code_of(fork_child(work, "a child")) == code


def test_a_traceback_names_the_child(capfd):
    pid = fork_child(lambda: 1 / 0, "worker 3")
    assert code_of(pid) == EXIT_PYTHON_ERROR
    lines = capfd.readouterr().err.splitlines()
    assert lines[0] == f"worker 3 (pid {pid}):"
    assert lines[1].startswith("Traceback")
    assert lines[-1] == "ZeroDivisionError: division by zero"


def test_a_child_does_not_clean_up_for_its_parent():
    """Neither what is registered for the exit nor what is buffered comes twice."""
    parent = script(
        "import atexit, os\nfrom stress.process.child import fork_child\n"
        "atexit.register(print, 'goodbye')\nprint('hello')\nos.waitpid(fork_child(lambda: None, 'a child'), 0)"
    )
    assert parent.communicate(timeout=60) == ("hello\ngoodbye\n", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_child_ignores_what_a_terminal_sends(number):
    reading, writing = os.pipe()

    def work():
        os.read(reading, 1)
        leave(7)

    def ignored():
        text = Path(f"/proc/{pid}/status").read_text()
        return int(next(line for line in text.splitlines() if line.startswith("SigIgn:")).split()[1], 16) >> number - 1 & 1

    pid = fork_child(work, "a child")
    wait_until(ignored)
    os.kill(pid, number)
    os.write(writing, b"!")
    assert code_of(pid) == 7
    os.close(reading)
    os.close(writing)


def test_a_child_runs_on_its_processor():
    cpu = sorted(os.sched_getaffinity(0))[-1]
    assert code_of(fork_child(lambda: leave(os.sched_getaffinity(0) == {cpu} and 7), "a child", pin_to=cpu)) == 7


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(("outlives", "left"), [(False, False), (True, True)])
def test_a_child_goes_with_its_killed_parent_unless_it_outlives_it(outlives, left):
    parent = script(
        f"import time\nfrom stress.process.child import fork_child\n"
        f"print(fork_child(lambda: time.sleep(60), 'a child', outlives_parent={outlives}), flush=True)\ntime.sleep(60)"
    )
    child = int(parent.stdout.readline())
    wait_until(lambda: os.getsid(child) == child if outlives else is_running(child))
    parent.kill()
    parent.wait()
    if left:
        time.sleep(0.1)
        assert is_running(child)
        os.kill(child, signal.SIGKILL)
    wait_until(lambda: not is_running(child))
    parent.stdout.close()
    parent.stderr.close()


def test_a_child_whose_parent_has_ended_already_ends_too():
    assert code_of(fork_child(lambda: die_with(1 << 30), "an orphan")) == EXIT_ORPHAN


def test_a_hangup_interrupts_within_the_context():
    before = signal.getsignal(signal.SIGHUP)
    with pytest.raises(KeyboardInterrupt), hangup_interrupts():
        os.kill(os.getpid(), signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) == before


def test_under_nohup_a_hangup_is_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with hangup_interrupts():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
