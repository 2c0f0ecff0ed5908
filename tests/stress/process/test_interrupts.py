import ctypes
import os
import signal
import subprocess
import sys
import time

import pytest

from stress.process.interrupts import resend_lost_interrupts


@pytest.fixture
def resent(monkeypatch):
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)  # put back at the end
    resend_lost_interrupts()


def call_back(function):
    ctypes.CFUNCTYPE(None)(function)()


def wait():
    time.sleep(10)


def test_an_interrupt_inside_a_callback_arrives(resent):
    def interrupted():
        call_back(lambda: os.kill(os.getpid(), signal.SIGINT))
        wait()

    with pytest.raises(KeyboardInterrupt):
        interrupted()


def test_an_interrupt_that_is_lost_twice_arrives(resent):
    def lose():
        os.kill(os.getpid(), signal.SIGINT)

    def interrupted():
        call_back(lose)
        call_back(wait)  # the second one comes within this callback
        wait()

    with pytest.raises(KeyboardInterrupt):
        interrupted()


def test_other_errors_inside_a_callback_are_reported_as_before(resent):
    script = "import ctypes, stress.process.interrupts as i; i.resend_lost_interrupts(); ctypes.CFUNCTYPE(None)(lambda: 1 / 0)()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "ZeroDivisionError" in done.stderr
