"""Results as text and on disk, from a canned dict: nothing here runs a storm."""

import copy
import io
import json

import pytest

from stress.checkers import Violation
from stress.errors import UserError
from stress.io.text import buddyinfo_lines, clock_text, table
from stress.run.live import LiveView, plain_interval_s
from stress.run.report import render
from stress.run.store import RunStore, read_run, read_samples
from stress.storm.outcome import SCHEMA, Totals, judge
from stress.storm.supervisor import Ending
from stress.storm.watch import Loss

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


def test_buddyinfo_has_the_format_of_the_kernel():
    assert buddyinfo_lines([[1, 22, 333]]) == ["Node 0, zone   Normal      1     22    333 "]


def test_table_aligns():
    assert table(("a", "bb"), [("long", 1), ("x", 1000)]) == ["a        bb", "long      1", "x     1,000"]


MEETINGS = {"cow": {"met": False, "per_minute": 3.0, "floor": 100}}


@pytest.mark.parametrize(
    ("ending", "verdict", "expected"),
    [
        (Ending(seconds=9, nr_checks=2), "clean", "no invariant broke in 9.0 s"),
        (Ending(verdict="interrupted", interrupted=True, seconds=1), "interrupted", "after 1.0 s"),
        (Ending(verdict="died", loss=Loss("died", 3, 99, "was killed by SIGKILL")), "died", "worker 3 (pid 99) was killed by SIGKILL"),
        (Ending(verdict="violated", violations=[Violation("I2", "shadow", 5)] * 2), "violated", "I2 broke, found by shadow: pfn 5"),
    ],
)
def test_judgement(ending, verdict, expected):
    found, reason = judge(ending, {})
    assert found == verdict
    assert expected in reason


def test_a_missed_meeting_makes_a_clean_run_vacuous_and_no_other():
    assert judge(Ending(), MEETINGS)[0] == "vacuous"
    assert "cow 3/min of 100" in judge(Ending(), MEETINGS)[1]
    assert judge(Ending(verdict="interrupted"), MEETINGS)[0] == "interrupted"


# --------------------------------------------------------------------------------------------------------------- on disk


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("PFNSTORM_RESULTS_DIR", str(tmp_path))
    store = RunStore("storm", RESULT["config"], RESULT["host"])
    yield store
    store.close()


def test_a_run_is_on_disk_before_it_ends(store):
    store.append(1.0, 0.0, ["anon"], Totals([10], [1], 500, 3, 0))
    assert json.loads((store.folder / "run.json").read_text())["verdict"] == "running"
    assert read_samples(store.folder) == [(1.0, "anon", 10, 1)]


def test_a_finished_run_is_found_by_id_folder_file_and_last(store):
    store.append(1.0, 0.0, ["anon"], Totals([10], [1], 500, 3, 0))
    store.finish(RESULT)
    for text in (store.run_id, str(store.folder), str(store.folder / "run.json"), "last"):
        assert read_run(text) == RESULT
    assert sorted(path.name for path in store.folder.iterdir()) == ["run.json", "samples.sqlite"]


@pytest.mark.parametrize(("name", "content"), [("a.json", "[1]"), ("b.json", "{"), ("c.json", "{}")])
def test_what_is_not_a_result_is_one_line(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match="not a result"):
        read_run(str(tmp_path / name))


def test_an_unknown_run_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("PFNSTORM_RESULTS_DIR", str(tmp_path))
    with pytest.raises(UserError, match="no run 'nosuch'"):
        read_run("nosuch")


# ------------------------------------------------------------------------------------------------------------------ live


def test_plain_lines_on_a_pipe():
    out = io.StringIO()
    with LiveView(["anon", "numa"], [0], 10, 4096, out) as view:
        view.update(1.0, Totals([100, 0], [5, 0], 256, 7, 0))
        view.update(2.0, Totals([300, 0], [5, 0], 256, 7, 0))
    first, second = out.getvalue().splitlines()
    assert first == "1.0 s of 10.0 s, 9.0 s left; free 1 MiB; 7 migrated/s; anon 100/s (5 failed)"
    assert second.endswith("0 migrated/s; anon 200/s")


def test_clock_and_intervals():
    assert [clock_text(seconds) for seconds in (1.25, 119, 3 * 3600 + 61)] == ["1.2 s", "119.0 s", "3:01:01"]
    assert [plain_interval_s(elapsed) for elapsed in (1, 100, 10_000)] == [1, 10, 60]
