"""A mutant in a forked child: its value comes back, and whatever it does ends."""

import os
import signal

import pytest

from stress.mutate.alive import NUMBER
from stress.mutate.attempt import DIED, OVERDUE, in_child

pytestmark = pytest.mark.serial  # the child has a limit of real time


def test_the_value_of_the_work_comes_back_from_a_process_with_the_mutant_alive():
    attempt = in_child(7, lambda: {"alive": os.environ[NUMBER], "pid": os.getpid()}, 60.0)
    assert attempt.failure == ""
    assert attempt.value["alive"] == "7"
    assert attempt.value["pid"] != os.getpid()
    assert NUMBER not in os.environ


def test_more_than_a_pipe_holds_comes_back():
    assert len(in_child(1, lambda: "x" * 300_000, 60.0).value) == 300_000


@pytest.mark.slow
def test_a_loop_without_a_point_is_ended_by_its_processor_time():
    def loop():
        while True:
            pass

    attempt = in_child(2, loop, 60.0, 1)
    assert attempt.failure == OVERDUE
    assert attempt.detail == "did not end within 1 s of processor time"


def test_a_child_that_waits_forever_is_killed():
    attempt = in_child(3, signal.pause, 0.05)
    assert (attempt.failure, attempt.value) == (OVERDUE, None)
    assert attempt.detail == "did not end within 0.05 s"


@pytest.mark.parametrize("ending", [lambda: os.kill(os.getpid(), signal.SIGKILL), lambda: os._exit(9)])
def test_a_crash_is_reported_with_its_status(ending):
    attempt = in_child(4, ending, 60.0)
    assert attempt.failure == DIED
    assert attempt.detail.startswith("wait status ")
