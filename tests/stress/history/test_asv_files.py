"""Files of asv: what is read, what is refused."""

import json
import math
from datetime import UTC
from pathlib import Path

import pytest

from stress.errors import UserError
from stress.history.asv_files import BenchmarkCell, machines, read_benchmarks, read_results, read_run, repeats_folder
from tests.stress.history.kit import ENV, cell, write_benchmarks, write_file

HASH = "0123456789abcdef" * 2 + "01234567"


def test_values_are_read_by_cell_and_what_is_missing_is_left_out(tmp_path):
    values = {"pairs.Pair.track_ratio": {"'buddy'": 2.5, "'bitfield'": math.nan}, "start.Import.track_seconds": 0.25, "lost.track_it": None}
    run = read_run(write_file(tmp_path, HASH, values, started_at=77))
    assert run.values == {cell("pairs.Pair.track_ratio", "'buddy'"): 2.5, cell("start.Import.track_seconds"): 0.25}
    assert (run.commit, run.repetition, run.started_at) == (HASH, 0, 77)


def test_a_file_that_asv_wrote_is_read(tmp_path):
    """By asv's own code."""
    from datetime import datetime

    from asv.results import Results
    from asv.runner import BenchmarkResult

    results = Results({"machine": "desk", "python": "3.11"}, {}, HASH, 5, "3.11", ENV, {})
    benchmark = {"name": "pairs.Pair.track_ratio", "version": "3", "params": [["0", "9"], ["'buddy'"]]}
    when = datetime(2026, 11, 30, tzinfo=UTC)
    results.add_result(benchmark, BenchmarkResult([2.5, math.nan], [None, None], [None, None], 0, "", None), started_at=when)
    results.add_result({"name": "failed.track_it", "version": "1", "params": []}, BenchmarkResult([None], [None], [None], 1, "", None))
    results.save(str(tmp_path))
    (path,) = (tmp_path / "desk").glob("*.json")
    assert "NaN" in path.read_text()
    run = read_run(path)
    assert run.values == {BenchmarkCell("pairs.Pair.track_ratio", ("0", "'buddy'"), "3", ENV): 2.5}


def test_repetitions_lie_beside_the_results_and_are_read_by_number(tmp_path):
    results = tmp_path / "asv"
    write_file(results / "desk", HASH, {"a.track_b": 1.0}, started_at=10)
    for number, started in (("002", 30), ("10", 20), ("notes", 0)):
        write_file(repeats_folder(results) / number / "desk", HASH, {"a.track_b": 2.0}, started_at=started)
    write_benchmarks(results, ["a.track_b"], unit="faults")
    read = read_results(results, "desk")
    assert [run.repetition for run in read.runs] == [0, 10, 2], "by the time at which they began"
    assert read.benchmarks["a.track_b"].unit == "faults"


def test_asv_does_not_read_repetitions(tmp_path):
    from asv.results import iter_results

    results = tmp_path / "asv"
    write_file(results / "desk", HASH, {"a.track_b": 1.0})
    write_file(repeats_folder(results) / "001" / "desk", HASH, {"a.track_b": 2.0})
    assert [list(each.get_result_value("a.track_b", [])) for each in iter_results(str(results))] == [[1.0]]


def test_machines_are_folders_with_results(tmp_path):
    write_file(tmp_path / "desk", HASH, {"a.track_b": 1.0})
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "machine.json").write_text("{}")
    assert machines(tmp_path) == ["desk"]
    with pytest.raises(UserError, match="no such folder"):
        machines(tmp_path / "none")


def test_a_missing_list_of_benchmarks_costs_the_units_only(tmp_path):
    assert read_benchmarks(tmp_path / "benchmarks.json") == {}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda file: file.update(version=1), "version"),
        (lambda file: file.update(commit_hash="../../x"), "commit_hash"),
        (lambda file: file["results"].update(a=3), "results.a"),
        (lambda file: file["results"].update(a=[[1.0, 2.0], [["x", "y", "z"]]]), "'a' has 2 values"),
        (lambda file: file["results"].update(a=[["x"], []]), "result.0"),
        (lambda file: file["results"].update(a=[[1e999], []]), "result.0"),
        (lambda file: file.pop("result_columns"), "result_columns"),
    ],
)
def test_a_damaged_file_is_refused_with_its_name(tmp_path, change, complaint):
    path = write_file(tmp_path, HASH, {"b": 1.0})
    file = json.loads(path.read_text())
    change(file)
    path.write_text(json.dumps(file).replace("Infinity", "1e999"))
    with pytest.raises(UserError, match=complaint) as raised:
        read_run(path)
    assert str(raised.value).startswith(f"{path}: not a result of asv: ")


def test_repetitions_lie_beside_the_results_wherever_they_are_named_from(tmp_path, monkeypatch):
    (tmp_path / "asv").mkdir()
    monkeypatch.chdir(tmp_path / "asv")
    assert repeats_folder(Path()) == repeats_folder(tmp_path / "asv") == tmp_path / "asv-repeats"


def test_the_root_folder_is_refused():
    with pytest.raises(UserError, match="no folder lies beside it"):
        repeats_folder(Path("/"))
