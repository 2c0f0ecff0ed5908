"""Results as text, from a canned dict: nothing here runs a storm."""

import copy

from stress.checkers import Violation
from stress.run.report import render
from tests.stress.run.canned import RESULT


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
