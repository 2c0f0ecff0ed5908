"""results/bugs/: evidence is replaced as a whole; the unchanged kernels are remembered by sources and by how they are stormed."""

import copy
import json
import shutil

import pytest

from stress.bugs.command import controls_of
from stress.bugs.copies import ROOT
from stress.bugs.kept import bugs_folder, control_key, keep_evidence, recall_control, remember_control
from stress.bugs.story import seeded_bugs
from stress.run.store import read_run
from tests.stress.run.test_report import RESULT

CONTROLS = controls_of(seeded_bugs())


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """The folder of a run that broke an invariant."""
    monkeypatch.setenv("PFNSTORM_RESULTS_DIR", str(tmp_path / "results"))
    folder = tmp_path / "run"
    folder.mkdir()
    write_run(folder, seed=7)
    (folder / "machine.npz").write_bytes(b"fields")
    (folder / "samples.sqlite").write_bytes(b"samples")
    return folder


def write_run(folder, seed):
    result = copy.deepcopy(RESULT)
    result["config"] |= {"seed": seed, "command": "pfnstorm run storm"}
    (folder / "run.json").write_text(json.dumps(result))


def test_evidence_is_the_run_its_report_and_its_machine(saved):
    folder = keep_evidence("unchanged 1", saved)
    assert folder == bugs_folder() / "unchanged-1"
    assert sorted(path.name for path in folder.iterdir()) == ["machine.npz", "report.txt", "run.json"]
    assert (folder / "machine.npz").read_bytes() == b"fields"
    assert "seed 7" in (folder / "report.txt").read_text()
    assert "command" not in read_run(str(folder))["config"], "it would storm kernels without the bug"


def test_evidence_is_replaced_as_a_whole(saved):
    folder = keep_evidence("a", saved)
    write_run(saved, seed=8)
    (saved / "machine.npz").unlink()
    assert keep_evidence("a", saved) == folder
    assert sorted(path.name for path in folder.iterdir()) == ["report.txt", "run.json"]
    assert read_run(str(folder))["config"]["seed"] == 8
    assert [path.name for path in bugs_folder().iterdir()] == ["a"]


def test_evidence_before_stays_if_the_next_cannot_be_written(saved, monkeypatch):
    folder = keep_evidence("a", saved)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space"):
        keep_evidence("a", saved)
    assert sorted(path.name for path in folder.iterdir()) == ["machine.npz", "report.txt", "run.json"]
    assert [path.name for path in bugs_folder().iterdir()] == ["a"]


def test_controls_are_remembered_by_how_they_are_stormed():
    keys = [control_key(control, 1, 30.0) for control in CONTROLS]
    assert len(set(keys)) == len(keys) > 2
    assert control_key(CONTROLS[0], 2, 30.0) != keys[0] != control_key(CONTROLS[0], 1, 31.0)
    assert control_key(CONTROLS[0], 1, 30.0) == keys[0]


@pytest.mark.parametrize(
    "name", ["kernels/alloc/buddy.py", "stress/checkers/lru.py", "stress/scenarios/storm.toml", "stress/storm/workers.py"]
)
def test_an_edit_of_what_is_stormed_or_judges_it_forgets_the_control(tmp_path, name):
    for folder in ("kernels", "stress"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    before = control_key(CONTROLS[0], 1, 30.0, tmp_path)
    (tmp_path / "stress" / "cli.py").write_text("")
    assert control_key(CONTROLS[0], 1, 30.0, tmp_path) == before
    with (tmp_path / name).open("a") as file:
        file.write("# edited\n")
    assert control_key(CONTROLS[0], 1, 30.0, tmp_path) != before


STORM = {"verdict": "clean", "nets": [], "invariants": [], "seconds": 2.0, "as_expected": True, "reason": "so"}
DAMAGED = [
    "{",
    "[]",
    '"x"',
    "[" * 100_000,
    '{"k": {}}',
    '{"k": {"at": null, "tries": []}}',
    '{"k": {"at": 1e308, "tries": [{"verdict": 1}]}}',
]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_record_remembers_nothing_and_is_replaced(saved, text):
    bugs_folder().mkdir(parents=True)
    (bugs_folder() / "controls.json").write_text(text)
    assert recall_control("k") is None
    remember_control("k", [STORM])
    assert recall_control("k")[1] == [STORM]
