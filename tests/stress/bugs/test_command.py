"""`pfnstorm bugs`: verdicts, the table, and some bugs end to end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stress.bugs.command import SeededOutcome, Try, controls_of, judge, listing, table_of
from stress.bugs.copies import ROOT
from stress.bugs.story import seeded_bugs

BUGS = seeded_bugs()
#: caught within a second or at the first check, by a net in the act and by one at rest: enough to see that the whole path works
END_TO_END = ("offline_freed_while_isolated", "clean_writeback_leaks")


def result_of(verdict, *nets):
    violations = [{"checker": net, "invariant": "I1"} for net in nets]
    return {"verdict": verdict, "violations": violations, "seconds": 2.0, "reason": "so"}


def test_controls_are_one_for_each_way_to_storm_and_judged_the_other_way_round():
    controls = controls_of(BUGS)
    ways = {(bug.story.storm, tuple(bug.story.roles.items())) for bug in BUGS}
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
    done = subprocess.run(command(*words), cwd=ROOT, capture_output=True, text=True, timeout=590)
    assert done.returncode == 0, done.stdout + done.stderr
    table = json.loads((tmp_path / "table.json").read_text())
    assert [(bug["name"], bug["caught"]) for bug in table["bugs"]] == [(name, 1) for name in END_TO_END]


@pytest.mark.slow
def test_an_interrupt_leaves_nothing(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
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
