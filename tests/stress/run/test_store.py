"""What a run leaves on disk, and how it is found again."""

import json
import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from stress.errors import HostError, UserError
from stress.run.store import RunStore, read_run, read_samples
from stress.storm.outcome import Totals
from tests.stress.run.canned import RESULT, WHOLE

ROOT = Path(__file__).resolve().parents[3]
CONFIG, HOST = {"scenario": "storm", "workers": 4}, {"cpu": "a CPU"}
TOTALS = Totals([10, 20], [1, 0], 500, 3, 2)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("PFNSTORM_RESULTS_DIR", str(tmp_path))
    store = RunStore("storm", CONFIG, HOST)
    yield store
    store.close()


def test_a_run_is_on_disk_before_it_ends(store):
    store.append(1.0, 0.0, ["anon", "numa"], TOTALS)
    assert json.loads((store.folder / "run.json").read_text())["verdict"] == "running"
    assert read_samples(store.folder) == [(1.0, "anon", 10, 1), (1.0, "numa", 20, 0)]


def test_a_finished_run_is_found_by_id_folder_file_and_last(store):
    store.append(1.0, 0.0, ["anon", "numa"], TOTALS)
    store.finish(RESULT)
    for text in (store.run_id, str(store.folder), str(store.folder / "run.json"), "last"):
        assert read_run(text) == RESULT
    assert sorted(path.name for path in store.folder.iterdir()) == ["run.json", "samples.sqlite"]


def undescribed(tables, text):
    """Columns that a text does not have below their table, as a row of a Markdown table."""
    described, table = set(), ""
    for row in re.findall(r"^\| (?:`(\w+)`)? ?\| `(\w+)` \|", text, re.MULTILINE):
        table = row[0] or table
        described.add((table, row[1]))
    return {(table, column) for table, columns in tables.items() for column in columns} - described


def test_every_column_of_the_samples_is_described(store):
    with closing(sqlite3.connect(store.folder / "samples.sqlite")) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables = {name: [row[1] for row in database.execute(f"PRAGMA table_info({name})")] for name in names}
    assert set(tables) == {"role_samples", "machine_samples"}
    text = (ROOT / "results" / "README.md").read_text()
    assert undescribed(tables, text) == set()
    assert undescribed(tables, text.replace("`parked_seconds` | seconds in", "`parked` | seconds in")) == {
        ("machine_samples", "parked_seconds")
    }


@pytest.mark.parametrize(("name", "content"), [("a.json", "[1]"), ("b.json", "{"), ("c.json", "{}")])
def test_what_is_not_a_result_is_one_line(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match="not a result"):
        read_run(str(tmp_path / name))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"verdict": "running"}, "still running"),
        ({"schema": "x/9"}, "schema 'x/9'"),
        ({"verdict": "fine"}, "verdict: Input should be 'clean', "),
        ({"seconds": None}, r"seconds: Input should be a valid number \(is None\); the file was damaged or edited: run again"),
        ({"config": RESULT["config"] | {"workers": "4"}}, "config.workers: Input should be a valid integer"),
        ({"meetings": {"m": {"count": 1}}}, r"meetings.m.per_minute: Field required \(and 3 more\)"),
        ({"contention": {}}, "contention: there is no row cmpxchg"),
        ({"contention": {"cmpxchg": {"tried": 1, "failed": 0}, "zone": {"spins": 0}}}, "contention: row zone has no acquisitions"),
        ({"ranges": {"contig": WHOLE["ranges"]["isolate"]}}, "ranges: contig has no ranges"),
        ({"fragmentation": WHOLE["fragmentation"], "config": RESULT["config"]}, "fragmentation needs config.geometry"),
        ({"fragmentation": [WHOLE["fragmentation"][0] | {"free_frames": [1]}]}, "fragmentation.0 is not of 2 nodes and 3 orders"),
        (
            {"config": WHOLE["config"] | {"geometry": {"pageblock_order": 3, "frames_per_node": 64}}},
            "fragmentation has no index of the pageblock order",
        ),
    ],
)
def test_a_mistake_in_a_result_is_one_line(tmp_path, change, expected):
    path = tmp_path / "run.json"
    path.write_text(json.dumps(WHOLE | change))
    with pytest.raises(UserError, match=expected) as caught:
        read_run(str(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("result", [RESULT, WHOLE, WHOLE | {"new": 1}])
def test_results_of_older_and_newer_versions_are_read(tmp_path, result):
    (tmp_path / "run.json").write_text(json.dumps(result))
    assert read_run(str(tmp_path)) == result


def test_an_unknown_run_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("PFNSTORM_RESULTS_DIR", str(tmp_path))
    with pytest.raises(UserError, match="no run 'nosuch'"):
        read_run("nosuch")


def test_the_last_run_is_the_one_that_was_written_last(tmp_path, monkeypatch):
    monkeypatch.setenv("PFNSTORM_RESULTS_DIR", str(tmp_path))
    with pytest.raises(UserError, match="no runs in"):
        read_run("last")
    for name, written_s in (("b", 100), ("a", 200), ("c", 150)):
        path = tmp_path / "runs" / name / "run.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(RESULT | {"reason": name}))
        os.utime(path, (written_s, written_s))
    assert read_run("last")["reason"] == "a"


def test_each_sample_is_there_at_once_and_whole(store):
    store.append(1.0, 0.25, ["anon", "numa"], TOTALS)
    with sqlite3.connect(store.folder / "samples.sqlite") as database:
        roles = database.execute("SELECT role, operations, failures FROM role_samples").fetchall()
        machine = database.execute(
            "SELECT seconds, free_frames, migrated, migration_failed, parked_seconds FROM machine_samples"
        ).fetchall()
    database.close()
    assert roles == [("anon", 10, 1), ("numa", 20, 0)]
    assert machine == [(1.0, 500, 3, 2, 0.25)]


def test_lost_samples_are_one_line_and_the_result_is_kept(store, capsys):
    store._database.close()  # as a disk that has gone
    for second in range(3):
        store.append(second, 0.0, ["anon", "numa"], TOTALS)
    store.finish(RESULT)
    said = capsys.readouterr().err
    assert said.startswith(f"pfnstorm: no more samples: {store.folder / 'samples.sqlite'}: ")
    assert said.count("\n") == 1
    assert read_run(store.run_id) == RESULT


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PFNSTORM_RESULTS_DIR", str(tmp_path / "file"))
    with pytest.raises(HostError, match=r"cannot write results to .*; use --no-save or set PFNSTORM_RESULTS_DIR"):
        RunStore("storm", CONFIG, HOST)


def test_a_result_that_cannot_be_written_is_one_line(store):
    (store.folder / "run.json").unlink()
    (store.folder / "run.json").mkdir()
    with pytest.raises(HostError, match="cannot write results to"):
        store.finish(RESULT)


def test_samples_that_are_missing_or_of_another_type_are_one_line(store, tmp_path):
    with pytest.raises(UserError, match="no samples of pfnstorm run: unable to open"):
        read_samples(tmp_path)
    store.append(1.0, 0.0, ["anon", "numa"], TOTALS)
    store._database.execute("UPDATE role_samples SET operations = 'many' WHERE role = 'numa'")
    with pytest.raises(UserError, match=r"samples\.sqlite: not samples of pfnstorm run: 1\.2: Input should be a valid integer"):
        read_samples(store.folder)


def test_the_name_of_a_folder_may_have_any_character(tmp_path, monkeypatch):
    monkeypatch.setenv("PFNSTORM_RESULTS_DIR", str(tmp_path / "a?b#c%20"))
    store = RunStore("storm", CONFIG, HOST)
    store.append(1.0, 0.0, ["anon"], Totals([1], [0], 5, 0, 0))
    store.close()
    assert read_samples(store.folder) == [(1.0, "anon", 1, 0)]
