"""Workloads timed by real pinned processes."""

import os

import pytest

from stress.machine.host import usable_cpus
from stress.predict.measured import rounds_of
from stress.predict.workloads import BY_NAME

pytestmark = pytest.mark.slow


def test_one_worker_and_two_are_timed_in_the_same_rounds():
    processors = usable_cpus()
    rounds = rounds_of(BY_NAME["add"], {}, processors, nr_rounds=3, most_s=20)
    assert all(ns > 0 for ns in rounds.alone_ns)
    if len(processors) > 1:
        assert len(rounds.both_ns) == len(rounds.alone_ns)
        assert all(ns > 0 for ns in rounds.both_ns)


def test_one_core_measures_one_worker():
    rounds = rounds_of(BY_NAME["pause"], {}, usable_cpus()[:1], nr_rounds=2, most_s=20)
    assert rounds.both_ns is None


def test_no_worker_is_left_behind():
    rounds_of(BY_NAME["add"], {}, usable_cpus(), nr_rounds=1, most_s=5)
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
