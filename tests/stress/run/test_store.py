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

ROOT = Path(__file__).resolve().parents[3]
CONFIG, HOST = {"scenario": "storm", "workers": 4}, {"cpu": "a CPU"}
RESULT = {"verdict": "clean", "config": CONFIG, "host": HOST}
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
