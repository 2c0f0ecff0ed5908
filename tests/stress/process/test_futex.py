"""Waiting for a word with real processes."""

import mmap
import os
import time

import numpy as np
import pytest

from stress.process.child import fork_child
from stress.process.futex import wait_while, wake_all

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.fixture
def word():
    return np.frombuffer(mmap.mmap(-1, mmap.PAGESIZE), np.int64, count=2)


def test_a_word_that_has_changed_is_not_waited_for(word):
    word[0] = 5
    start = time.monotonic()
    wait_while(word[:1], 4, 30)
    assert time.monotonic() - start < 10


def test_a_wait_ends_after_its_limit(word):
    start = time.monotonic()
    wait_while(word[:1], 0, 0.05)
    assert time.monotonic() - start >= 0.04


def test_a_generation_above_32_bits_is_waited_for(word):
    word[0] = (7 << 32) + 1
    start = time.monotonic()
    wait_while(word[:1], (7 << 32) + 1, 0.05)
    assert time.monotonic() - start >= 0.04


def test_waiting_processes_are_woken(word):
    def work():
        word[1] += 1
        while word[0] == 0:
            wait_while(word[:1], 0, 60)

    pid = fork_child(work, "a waiter")
    deadline = time.monotonic() + 20
    while word[1] == 0 and time.monotonic() < deadline:
        time.sleep(0.001)
    start = time.monotonic()
    word[0] = 1
    wake_all(word[:1])
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert time.monotonic() - start < 20, "it waited for its own limit"
