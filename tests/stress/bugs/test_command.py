"""`pfnstorm bugs`: verdicts, the table, and some bugs end to end."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import stress.bugs.command as module
from stress.bugs.command import BugsOptions, SeededOutcome, Try, controls_of, execute, judge, listing, table_of
from stress.bugs.copies import ROOT
from stress.bugs.kept import bugs_folder
from stress.bugs.story import seeded_bugs
from stress.machine.segment import load_machine
from stress.run.report import render
from stress.run.store import read_run

BUGS = seeded_bugs()
#: caught within a second or at the first check, by a net in the act and by one at rest: enough to see that the whole path works
END_TO_END = ("offline_freed_while_isolated", "clean_writeback_leaks")


def result_of(verdict, *nets):
    violations = [{"checker": net, "invariant": "I1"} for net in nets]
    return {"verdict": verdict, "violations": violations, "seconds": 2.0, "reason": "so"}


def test_controls_are_one_for_each_way_to_storm_and_judged_the_other_way_round():
    controls = controls_of(BUGS)
    ways = {(bug.story.storm, tuple(bug.story.roles.items()), tuple(bug.story.policy.items())) for bug in BUGS}
    assert len(controls) == len(ways)
    assert judge(controls[0], result_of("vacuous")).as_expected
    assert not judge(controls[0], result_of("violated", "lru")).as_expected
    assert not judge(controls[0], result_of("stalled")).as_expected


def test_one_miss_in_ten_is_good_and_shown():
    hit, miss = (Try("violated", ("lru",), ("I16",), 2.0, caught, "") for caught in (True, False))
    assert SeededOutcome("a", "", (), (), [hit] * 9 + [miss]).good
    assert not SeededOutcome("a", "", (), (), [hit] * 8 + [miss]).good
    assert not SeededOutcome("unchanged 1", "", (), (), [hit] * 9 + [miss]).good
    assert not SeededOutcome("a", "", (), (), [hit], error="it does not compile").good
    assert "WRONG" in table_of([SeededOutcome("a", "", (), (), [miss])])[1]


def test_a_bug_is_caught_by_the_nets_of_its_story_only():
    bug = next(each for each in BUGS if each.name == "offline_freed_while_isolated")
    assert judge(bug, result_of("violated", bug.story.expect[0])).as_expected
    assert not judge(bug, result_of("violated", "lru")).as_expected
    assert judge(bug, result_of("stalled")).nets == ("stalled",)


def test_the_list_shows_what_each_bug_recreates():
    (line,) = listing(["freed_locked"])
    (bug,) = seeded_bugs(["freed_locked"])
    assert line == f"freed_locked  {bug.story.title} [{bug.story.recreates}]"
    assert len(listing([])) == len(BUGS)


# ----------------------------------------------------------------------------------------- what is kept and what is remembered


class _Copies:
    """Stands for Copy: its storms answer as told, and save a run if asked to."""

    class build:  # noqa: N801  # as the attribute of Copy
        status = 0
        wait = staticmethod(lambda limit_s: 0)
        stop = staticmethod(lambda: None)

    stormed: list[tuple[str, bool]]
    answers: dict[str, list[dict]]

    def __init__(self, folder, bug):
        self.folder, self.bug = folder, bug
        folder.mkdir()

    def storm(self, seconds, number, *, save):
        self.stormed.append((self.bug.name, save))
        answers = self.answers.get(self.bug.name, [result_of("clean")])
        return answers[(number - 1) % len(answers)]

    def saved_run(self):
        return self.folder / "run"


@pytest.fixture
def copies(monkeypatch, tmp_path):
    monkeypatch.setenv("PFNSTORM_RESULTS_DIR", str(tmp_path))
    monkeypatch.setattr(module, "Copy", _Copies)
    kept = []
    monkeypatch.setattr(module, "keep_evidence", lambda name, saved: kept.append(name) or bugs_folder() / name)
    monkeypatch.setattr(_Copies, "stormed", [], raising=False)
    monkeypatch.setattr(_Copies, "answers", {}, raising=False)
    _Copies.kept = kept
    return _Copies


def bugs(names=("freed_locked",), tries=1, control=None, save=True, path=None):
    out = io.StringIO()
    return execute(BugsOptions(tuple(names), tries, 30.0, control, path, save), out), out.getvalue().splitlines()


CAUGHT = result_of("violated", *seeded_bugs(["freed_locked"])[0].story.expect)


def test_the_first_try_that_a_net_caught_is_kept(copies):
    copies.answers["freed_locked"] = [result_of("clean"), CAUGHT, CAUGHT]
    _, said = bugs(tries=3, control=False)
    assert copies.stormed == [("freed_locked", True), ("freed_locked", True), ("freed_locked", False)]
    assert copies.kept == ["freed_locked"]
    assert [line for line in said if "are in" in line] == [f"freed_locked: machine and report are in {bugs_folder() / 'freed_locked'}"]


def test_what_is_not_caught_or_not_to_be_saved_is_not_kept(copies):
    bugs(control=False)
    copies.answers["freed_locked"] = [CAUGHT]
    bugs(control=None, save=False)
    assert copies.kept == []
    assert not list(bugs_folder().glob("*"))


def test_evidence_that_cannot_be_written_does_not_lose_the_verdict(copies, monkeypatch):
    def full(name, saved):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "keep_evidence", full)
    copies.answers["freed_locked"] = [CAUGHT]
    status, said = bugs(control=False)
    assert status == 0
    assert "freed_locked: cannot keep machine and report: [Errno 28] No space left on device" in said


def test_clean_unchanged_kernels_are_stormed_once_an_hour(copies, tmp_path):
    copies.answers["freed_locked"] = [CAUGHT]
    stormed = [("freed_locked", True), ("unchanged 1", True)]
    assert bugs()[0] == 0
    assert copies.stormed == stormed
    status, said = bugs(path=tmp_path / "table.json")
    assert status == 0
    assert copies.stormed == [*stormed, stormed[0]]
    assert said[0] == "unchanged 1: clean 0 min ago, and no source has changed; --control storms it again"
    remembered, caught = sorted(json.loads((tmp_path / "table.json").read_text())["bugs"], key=lambda row: row["ago_s"] is None)
    assert (remembered["name"], remembered["good"], remembered["caught"]) == ("unchanged 1", True, 1)
    assert 0 <= remembered["ago_s"] < 60
    assert caught["ago_s"] is None
    bugs(control=True)
    assert copies.stormed[-1] == stormed[1]
    bugs(tries=2)
    assert copies.stormed[-1] == stormed[1], "two tries are not remembered when one was made"


def test_a_remembered_control_grows_old(copies):
    bugs()
    path = bugs_folder() / "controls.json"
    (record,) = json.loads(path.read_text()).values()
    for age_s, stormed_again in ((3540, False), (3660, True), (-60, True)):
        bugs(control=True)
        (key,) = json.loads(path.read_text())
        path.write_text(json.dumps({key: record | {"at": time.time() - age_s}}))
        copies.stormed.clear()
        _, said = bugs()
        assert (("unchanged 1", True) in copies.stormed) == stormed_again
        assert any("clean 59 min ago" in line for line in said) == (not stormed_again)


def test_unchanged_kernels_that_a_net_reported_are_kept_and_not_remembered(copies):
    copies.answers["unchanged 1"] = [CAUGHT]
    for _ in range(2):
        assert bugs()[0] == 1
    assert copies.kept == ["unchanged 1"] * 2
    assert copies.stormed.count(("unchanged 1", True)) == 2


def test_no_control_storms_none_and_recalls_none(copies):
    bugs()
    copies.stormed.clear()
    _, said = bugs(control=False)
    assert copies.stormed == [("freed_locked", True)]
    assert not any("unchanged" in line for line in said)


def test_a_remembered_control_is_marked_in_the_table():
    hit = Try("clean", (), (), 30.0, True, "")
    (line,) = table_of([SeededOutcome("unchanged 1", "", (), (), [hit], ago_s=725.0)])[1:]
    assert line.endswith("none, 12 min ago")


# ------------------------------------------------------------------------------------------------------------- end to end


def command(*words):
    return [sys.executable, "-m", "stress", "bugs", *words]


@pytest.mark.slow
def test_the_command_lists(tmp_path):
    listed = subprocess.run(command("--list"), cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert listed.returncode == 0
    assert len(listed.stdout.splitlines()) == len(BUGS)
    refused = subprocess.run(command("nosuch"), cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.serial
@pytest.mark.timeout(600)
def test_seeded_bugs_are_caught(tmp_path):
    words = [*END_TO_END, "--no-control", "--json", str(tmp_path / "table.json")]
    environment = {**os.environ, "PFNSTORM_RESULTS_DIR": str(tmp_path / "results")}
    done = subprocess.run(command(*words), cwd=ROOT, env=environment, capture_output=True, text=True, timeout=590)
    assert done.returncode == 0, done.stdout + done.stderr
    table = json.loads((tmp_path / "table.json").read_text())
    assert [(bug["name"], bug["caught"]) for bug in table["bugs"]] == [(name, 1) for name in END_TO_END]
    for name in END_TO_END:
        folder = tmp_path / "results" / "bugs" / name
        assert f"{name}: machine and report are in {folder}" in done.stderr.splitlines()
        assert load_machine(folder / "machine.npz")["memdesc"].size
        assert (folder / "report.txt").read_text() == render(read_run(str(folder))) + "\n"
        assert read_run(str(folder))["verdict"] == "violated"


@pytest.mark.slow
def test_an_interrupt_leaves_nothing(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PFNSTORM_RESULTS_DIR": str(tmp_path / "results")}
    process = subprocess.Popen(command(*END_TO_END), cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    children = []
    while not (children and list(tmp_path.glob("*/*/build.log"))) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
        children = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    process.send_signal(signal.SIGTERM)  # not SIGINT: what runs the tests in the background has it ignored, and children inherit that
    process.communicate(timeout=60)
    assert children
    assert process.returncode == 130
    assert not list(tmp_path.iterdir())
    deadline = time.monotonic() + 5  # one that was being started goes by the death of its parent, which is a signal on its way
    while any(Path(f"/proc/{pid}").exists() for pid in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)
