"""What asv is asked to measure."""

import json
import re
from itertools import product
from types import SimpleNamespace

import pytest

from stress.errors import HostError, UserError
from stress.history import measuring
from stress.history.asv_files import repeats_folder
from tests.stress.history.kit import cell, git, make_repository


def chosen_by_asv(cells, benchmarks):
    """The (benchmark, parameters) that asv runs for our patterns."""
    from asv.benchmarks import Benchmarks

    listed = [{"name": name, "params": params} for name, params in benchmarks.items()]
    found = Benchmarks(SimpleNamespace(benchmark_dir=""), listed, regex=[measuring.pattern_of(each) for each in cells])
    for name in found:
        choices = list(product(*benchmarks[name]))
        at = found.benchmark_selection[name]
        yield from ((name, choices[index]) for index in (range(len(choices)) if at is None else at))


def test_asv_runs_the_cells_that_are_named_and_no_others():
    benchmarks = {
        "bulk.Bulk.track_ratio": [["0", "9"], ["'a.b'", "'a+b'"]],
        "bulk.Bulk.track_ratio_of": [["0", "9"], ["'a.b'", "'a+b'"]],
        "start.track_import": [],
        "start.track_import_all": [],
    }
    cells = [cell("bulk.Bulk.track_ratio", "9", "'a+b'"), cell("start.track_import")]
    assert set(chosen_by_asv(cells, benchmarks)) == {("bulk.Bulk.track_ratio", ("9", "'a+b'")), ("start.track_import", ())}


@pytest.mark.slow
def test_repetitions_are_numbered_and_the_configuration_names_whole_paths(tmp_path, monkeypatch):
    commits = make_repository(tmp_path, 2)
    config = {"repo": ".", "benchmark_dir": "stress/benchmarks", "env_dir": ".asv/env", "results_dir": "results/asv", "pythons": ["3.11"]}
    (tmp_path / "asv.conf.json").write_text(json.dumps(config))
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    seen = []

    def run(words):
        read = json.loads((tmp_path / words[1]).read_text())
        seen.append(read | {"words": words})
        (tmp_path / read["results_dir"]).mkdir(parents=True, exist_ok=True)
        return 0

    monkeypatch.setattr(measuring, "run_asv", run)
    bench = measuring.AsvBench("desk", tmp_path / "results/asv")
    for _ in range(2):
        bench.measure(commits, [cell()], again=True)
    bench.measure(commits)
    assert [each["results_dir"] for each in seen] == [
        *(str(repeats_folder(tmp_path / "results/asv") / number) for number in ("001", "002")),
        str(tmp_path / "results/asv"),
    ]
    assert seen[0]["repo"] == str(tmp_path)
    assert seen[0]["env_dir"] == str(tmp_path / ".asv/env")
    assert seen[0]["pythons"] == ["3.11"]
    assert "--bench" in seen[0]["words"]
    assert "--bench" not in seen[2]["words"]


@pytest.mark.slow
def test_new_commits_are_those_of_the_branch_since_the_newest_measured_one(tmp_path, monkeypatch):
    commits = make_repository(tmp_path, 5)
    monkeypatch.chdir(tmp_path)
    assert measuring.new_commits([], None) == commits[-1:]
    assert measuring.new_commits(commits[:2], None) == commits[2:]
    assert measuring.new_commits([commits[0], commits[2]], None) == commits[3:]
    assert measuring.new_commits(commits, None) == []
    assert measuring.new_commits(commits[:1], 2) == commits[3:]
    git(tmp_path, "checkout", "-q", "-b", "side", commits[1])
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "on the side")
    assert measuring.new_commits(commits[2:], None) == [git(tmp_path, "rev-parse", "HEAD")], "no ancestor is measured"
    with pytest.raises(UserError, match="at least 1"):
        measuring.new_commits([], 0)


def test_asv_knows_the_machine_with_the_facts_of_the_host(tmp_path, monkeypatch):
    path = tmp_path / "machines.json"
    monkeypatch.setattr("asv.machine.MachineCollection.get_machine_file_path", lambda: str(path))
    measuring.AsvBench("desk", tmp_path).prepare()
    known = json.loads(path.read_text())["desk"]
    assert known["machine"] == "desk"
    assert all(known[name] for name in ("os", "arch", "cpu", "num_cpu", "ram"))
    path.write_text("{")
    with pytest.raises(HostError, match=r"machines\.json"):
        measuring.AsvBench("desk", tmp_path).prepare()


def test_patterns_match_whole_names():
    pattern = measuring.pattern_of(cell("a.track_b", "1"))
    assert re.search(pattern, "a.track_b(1)")
    assert not re.search(pattern, "a.track_b(11)")
    assert not re.search(pattern, "aa.track_b(1)")
