"""What a diagnosis says, on a machine without workers. Deaths and stalls of real ones: test_storm.py."""

import os

import pytest

from kernels.base.layout import Bug, Geometry
from stress.machine.segment import create_machine
from stress.storm.supervisor import read_bugs
from stress.storm.watch import Watch, cpu_time_ns, process_state

SMALL = Geometry(nr_cpus=3, frames_per_node=512, words_per_frame=8, nr_tasks=4, task_pages=64, table_pages=16, nr_files=3, file_pages=16)


@pytest.fixture
def mem():
    return create_machine(SMALL, {})


def test_diagnosis_names_role_locks_and_owners(mem):
    mem.arrays["cpu_role"][1] = 1
    mem.arrays["lock_word"][[0, 3]] = [3, 2]  # zone 0 owned by worker 2, an lru lock by worker 1
    mem.arrays["cpu_waits"][[1, 2]] = [1, 4]  # worker 1 waits for zone 0, worker 2 for that lru lock
    lines = Watch(mem, [], ["anon", "kernel"]).diagnose(1)
    assert lines[0].startswith("worker 1 ran role kernel")
    assert lines[1:] == [
        "worker 1 waited for the zone lock of node 0, owned by worker 2",
        "worker 1 held file lru lock of node 0",
        "waiting for worker 1: worker 2",
    ]


def test_bug_records_become_violations(mem):
    assert read_bugs(mem) == []
    mem.arrays["bug_count"][0] = 9  # more than there is room for
    for field, word in {"bug_code": int(Bug.BAD_FREE), "bug_cpu": 2, "bug_pfn": 77, "bug_seen": 5, "bug_wanted": 6}.items():
        mem.arrays[field][0] = word
    first = read_bugs(mem)[0]
    assert (first.invariant, first.checker, first.pfn, first.cpus) == ("I8", "bug:BAD_FREE", 77, (2,))
    assert first.words == {"seen": 5, "wanted": 6}


def test_states_and_times_of_processes():
    assert process_state(os.getpid()) == "R"
    assert cpu_time_ns(os.getpid()) > 0
    assert process_state(1 << 30) == ""
    assert cpu_time_ns(1 << 30) == 0


def test_who_waits_for_a_folio_lock_is_told_too(mem):
    """A folio's lock is a bit, numbered above all spin locks; no owner's word stands there."""
    mem.arrays["cpu_waits"][1] = len(mem.arrays["lock_word"]) + 7 + 1
    watch = Watch(mem, [], ["anon", "kernel"])
    assert "worker 1 waited for the folio lock of descriptor 7, whose owner it does not say" in watch.diagnose(1)
    assert not any("waiting for" in line for line in watch.diagnose(0))
