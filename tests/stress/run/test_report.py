"""Results as text, from a canned dict: nothing here runs a storm."""

import copy

import pytest

from stress.checkers import Violation
from stress.errors import UserError
from stress.run.report import render
from stress.storm.outcome import SCHEMA

RESULT = {
    "schema": SCHEMA,
    "verdict": "clean",
    "reason": "no invariant broke in 15.0 s and 4 checks at rest",
    "diagnosis": [],
    "violations": [],
    "config": {
        "scenario": "storm",
        "workers": 4,
        "nodes": 2,
        "memory_bytes": 256 << 20,
        "frame_bytes": 4096,
        "seed": 7,
        "check": "rest",
        "chaos": 0.0,
        "flavour": "fast",
        "policies": {"migration": "bitmap"},
    },
    "host": {"cpu": "a CPU", "cores": 2, "kernel": "Linux 6.18", "python": "3.11", "numba": "0.68.1", "numpy": "2.4.6"},
    "seconds": 15.0,
    "parked_seconds": 0.25,
    "checks": 4,
    "roles": {
        "anon": {
            "operations": 1_234_567,
            "failures": 3,
            "ops_per_s": 82304.5,
            "ns_per_op": {"mean": 300.0, "p50": 250.0, "p99": 900.0, "p99.9": None},
        }
    },
    "vmstat": {"pgalloc": 5000, "pgfree": 4000},
    "meetings": {
        "two_scanners_one_block": {"count": 4, "per_minute": 16.0, "floor": 100, "required": True, "met": False},
        "hint_fault_raced": {"count": 0, "per_minute": 0.0, "floor": 0, "required": False, "met": True},
    },
    "speculation": {"tried": 10, "failed_on_zero": 2, "undone_by_recheck": 1, "held_last_reference": 0, "kept": 7},
    "migration": {
        "compaction": {"migrated": 100, "failed": 5, "causes": {"lock": 5, "nomem": 0}},
        "numa_misplaced": {"migrated": 0, "failed": 0, "causes": {"lock": 0, "nomem": 0}},
    },
    "contention": {
        "zone": {"acquisitions": 1000, "contended": 10, "spins": 99},
        "pcp": {"acquisitions": 0, "contended": 0, "spins": 0},
        "cmpxchg": {"tried": 50, "failed": 1},
    },
    "buddyinfo_before": [[1, 0, 3], [0, 0, 7]],
    "buddyinfo_after": [[2, 0, 3], [0, 0, 6]],
}


def changed(**values):
    return copy.deepcopy(RESULT) | values


def test_everything_that_moved_is_there_and_nothing_else():
    text = render(RESULT)
    for expected in ("1,234,567", "pgalloc", "5,000", "undone by recheck", "compaction", "1.00 %", "MISSED", "seed 7"):
        assert expected in text
    for absent in ("hint_fault_raced", "numa_misplaced", "pcp", "nomem"):
        assert absent not in text
    assert text.splitlines()[-1] == "verdict: clean: no invariant broke in 15.0 s and 4 checks at rest"


def test_more_workers_than_cores_are_marked():
    assert "OVERSUBSCRIBED" in render(RESULT)
    assert "OVERSUBSCRIBED" not in render(changed(host=RESULT["host"] | {"cores": 4}))


def test_violations_and_diagnosis_are_shown():
    violation = Violation("I8", "bug:BAD_FREE", pfn=77, cpus=(2,), words={"seen": 255}, message="freed while locked").to_json()
    text = render(changed(violations=[violation] * 12, diagnosis=["worker 2 held zone lock of node 0"]))
    assert "I8 by bug:BAD_FREE: pfn 77, cpus [2]: freed while locked" in text
    assert "seen 0xff" in text
    assert "and 2 more" in text
    assert "worker 2 held zone lock of node 0" in text


@pytest.mark.parametrize(("change", "expected"), [({"verdict": "running"}, "still running"), ({"schema": "x/9"}, "schema 'x/9'")])
def test_what_cannot_be_rendered_is_one_line(change, expected):
    with pytest.raises(UserError, match=expected):
        render(changed(**change))


def test_durations_of_ranges_have_a_unit_that_shows_them():
    fast = {"tried": 4, "succeeded": 3, "ns": {"p50": 3_400.0, "p99": 1_250_000.0, "p99.9": None}}
    slow = {"tried": 2, "succeeded": 2, "ns": {"p50": 12.5e6, "p99": 3_250.0e6, "p99.9": 3_250.0e6}, "pageblocks": 8}
    idle = {"tried": 0, "succeeded": 0, "ns": {"p50": None, "p99": None, "p99.9": None}}
    lines = render(changed(ranges={"pageblock": fast, "offline": slow, "online": idle})).splitlines()
    at = lines.index("whole ranges, and blocks of pageblock order")
    table = lines[at + 1 : at + 4]
    assert [line.split()[0] for line in table] == ["what", "pageblock", "offline"]
    assert len({len(line) for line in table}) == 1, "columns are aligned"
    assert table[1].split()[1:] == ["1", "4", "3", "75.0", "%", "3.4", "us", "1.25", "ms", "-"]
    assert table[2].split()[-6:] == ["12.50", "ms", "3,250.00", "ms", "3,250.00", "ms"]
