"""The seeded bugs: their patches fit, their stories are complete, every checker is proved by one; and some of them end to end."""

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kernels.base.layout import Bug
from stress.bugs.command import ROOT, Copy, Outcome, Try, controls_of, judge, silence, table_of
from stress.bugs.patches import PatchError, apply_patch, read_patch
from stress.bugs.story import BUG_FOLDER, Story, read_story, scenario_text, seeded_bugs
from stress.checkers import all_checkers
from stress.errors import UserError

BUGS = seeded_bugs()
MAX_CHANGED_LINES = 24  # of both sides: a believable mistake is small
THE_EIGHT = {
    "lookup_without_recheck",
    "free_scanner_without_recheck",
    "copy_without_precheck",
    "shootdown_skipped",
    "migratetype_cached",
    "offline_freed_while_isolated",
    "counted_head_only",
    "freed_locked",
}
KERNELS = {"kernel", "slow_kernel", "fast_kernel", "entry"}  # the decorators of what numba compiles
#: caught within a second or at the first check, by a net in the act and by one at rest: enough to see that the whole way works
END_TO_END = ("offline_freed_while_isolated", "clean_writeback_leaks")


@pytest.fixture
def kernels(tmp_path):
    shutil.copytree(ROOT / "kernels", tmp_path / "kernels", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_patch_fits_the_kernels_and_leaves_python(bug, kernels):
    changed = apply_patch(bug.patch, kernels)
    assert changed
    for name in changed:
        assert name.startswith("kernels/"), "a bug is in the kernels, not in what judges them"
        text = (kernels / name).read_text()
        assert text != (ROOT / name).read_text()
        compile(text, name, "exec")
    assert list(_calls_that_do_not_fit(kernels / "kernels")) == []


def _calls_that_do_not_fit(folder):
    """Calls of a kernel with another number of arguments than it takes: numba would refuse them, a minute into building the bug."""
    trees = [ast.parse(path.read_text()) for path in sorted(folder.rglob("*.py"))]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    taken = {}
    for node in nodes:
        if isinstance(node, ast.FunctionDef) and {ast.unparse(each) for each in node.decorator_list} & KERNELS:
            taken.setdefault(node.name, set()).add(len(node.args.args))
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(taken.get(node.func.id, ())) == 1 and not node.keywords:
            starred = any(isinstance(argument, ast.Starred) for argument in node.args)
            if not starred and {len(node.args)} != taken[node.func.id]:
                yield ast.unparse(node)


def test_the_eight_are_there_and_every_patch_has_its_story():
    assert {bug.name for bug in BUGS} >= THE_EIGHT
    assert {path.stem for path in BUG_FOLDER.glob("*.patch")} == {path.stem for path in BUG_FOLDER.glob("*.toml")}


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_is_small_and_its_roles_are_known(bug):
    from stress.run.command import role_names

    hunks = [hunk for patch in read_patch(bug.patch) for hunk in patch.hunks]
    context = sum(2 * sum(line in hunk.new for line in hunk.old) for hunk in hunks)
    assert sum(len(hunk.new) + len(hunk.old) for hunk in hunks) - context <= MAX_CHANGED_LINES
    assert set(bug.story.roles) <= set(role_names())


def test_every_checker_is_proved_by_a_bug():
    proved = {name for bug in BUGS for name in bug.story.proves}
    assert set(all_checkers()) == proved


# ------------------------------------------------------------------------------------------------------------- the patches

BEFORE = "".join(f"line {k}\n" for k in range(1, 21))
PATCH = """\
--- a/file.txt
+++ b/file.txt
@@ -4,3 +4,3 @@
 line 4
-line 5
+LINE 5
 line 6
@@ -10,2 +10,3 @@ a heading
 line 10
+more
 line 11
"""


@pytest.fixture
def apply(tmp_path):
    def applied(patch=PATCH, text=BEFORE):
        (tmp_path / "file.txt").write_text(text)
        (tmp_path / "a.patch").write_text(patch)
        apply_patch(tmp_path / "a.patch", tmp_path)
        return (tmp_path / "file.txt").read_text()

    return applied


def test_a_patch_is_applied(apply):
    assert apply() == BEFORE.replace("line 5", "LINE 5").replace("line 10\n", "line 10\nmore\n")


def test_a_patch_follows_lines_that_moved(apply):
    assert apply(text="new\n" * 7 + BEFORE) == "new\n" * 7 + BEFORE.replace("line 5", "LINE 5").replace("line 10\n", "line 10\nmore\n")


@pytest.mark.parametrize(
    ("patch", "text", "complaint"),
    [
        (PATCH, BEFORE.replace("line 6", "line six"), "does not fit file.txt: this line is not there: 'line 6'"),
        (PATCH, BEFORE.replace("line 5\n", "line 5\n\n"), "no longer stand together"),
        (PATCH, "new\n" + BEFORE + BEFORE, "in several places, at lines 5, 25"),
        (PATCH.replace("-4,3", "-4,4"), BEFORE, "its header says 4"),
        (PATCH.replace("@@ -4", "@ -4"), BEFORE, "not a line of a unified diff"),
        (PATCH.replace("file.txt", "other.txt"), BEFORE, "there is no other.txt"),
        (PATCH.replace("b/file.txt", "b/../file.txt"), BEFORE, "must change a file in place"),
        (PATCH.replace("a/file.txt", "/dev/null"), BEFORE, "must change a file in place"),
        ("", BEFORE, "no hunk in it"),
    ],
)
def test_a_patch_that_does_not_fit_is_refused_whole(apply, tmp_path, patch, text, complaint):
    with pytest.raises(PatchError, match=complaint) as caught:
        apply(patch, text)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "file.txt").read_text() == text


# ------------------------------------------------------------------------------------------------------------- the stories

STORY = {
    "title": "a title that says it",
    "recreates": "A1",
    "interleaving": "one does this and another does that",
    "invariant": "I1",
    "expect": ["conservation", "bug:SHADOW", "stalled"],
}


def test_a_story_says_what_catches_it():
    story = Story.model_validate(STORY | {"proves": ["conservation"]})
    assert story.is_caught_by({"conservation", "lru"})
    assert not story.is_caught_by({"bug:SHADOW"})  # caught, but the checker that it is to prove said nothing
    assert Story.model_validate(STORY).is_caught_by({"stalled"})
    assert not Story.model_validate(STORY).is_caught_by({"lru"})


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"expect": ["bug:NOSUCH"]}, "unknown code 'NOSUCH'"),
        ({"expect": ["nosuch"]}, "unknown net 'nosuch'"),
        ({"proves": ["lru"]}, "proves lru and does not expect it"),
        ({"silence": ["SHADOW"]}, "expects bug:SHADOW and silences it"),
        ({"mood": "good"}, "mood"),
    ],
)
def test_a_story_with_a_mistake_is_refused_in_one_line(tmp_path, changed, complaint):
    path = tmp_path / "a.toml"
    table = STORY | changed
    path.write_text("\n".join(f"{key} = {json.dumps(value)}" for key, value in table.items()))
    with pytest.raises(UserError, match=complaint) as caught:
        read_story(path)
    assert "\n" not in str(caught.value)


def test_bugs_that_are_not_there_are_said_to_be_missing(tmp_path):
    with pytest.raises(UserError, match="not part of this installation"):
        seeded_bugs(folder=tmp_path / "nosuch")
    with pytest.raises(UserError, match=r"unknown bug 'nosuch'; `pfnstorm bugs --list` shows all"):
        seeded_bugs(["nosuch"])
    with pytest.raises(UserError, match=r"did you mean freed_locked or "):
        seeded_bugs(["freed_lock"])


def test_a_story_with_roles_is_a_scenario():
    assert "anon = 2" in scenario_text(Story.model_validate(STORY | {"roles": {"anon": 2.0}}))


def test_silenced_assertions_return(tmp_path):
    path = tmp_path / "bug.py"
    shutil.copy(ROOT / "kernels" / "base" / "bug.py", path)
    silence(path, Story.model_validate(STORY | {"expect": ["lru"], "silence": ["LOST_WRITE", "SHADOW"]}))
    assert f"    if code == {int(Bug.LOST_WRITE)} or code == {int(Bug.SHADOW)}:\n        return\n" in path.read_text()
    compile(path.read_text(), "bug.py", "exec")


# ------------------------------------------------------------------------------------------------------------- the verdicts


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
    assert Outcome("a", "", (), (), [hit] * 9 + [miss]).good
    assert not Outcome("a", "", (), (), [hit] * 8 + [miss]).good
    assert not Outcome("unchanged 1", "", (), (), [hit] * 9 + [miss]).good
    assert not Outcome("a", "", (), (), [hit], error="it does not compile").good
    assert "WRONG" in table_of([Outcome("a", "", (), (), [miss])])[1]


def test_a_patch_that_does_not_fit_leaves_no_build(tmp_path):
    bug = next(bug for bug in BUGS if bug.name == "freed_locked")
    (tmp_path / "a.patch").write_text(bug.patch.read_text().replace("release_isolated", "release_isolation"))
    broken = type(bug)("broken", tmp_path / "a.patch", bug.story)
    with pytest.raises(PatchError, match="make the patch anew"):
        Copy(tmp_path / "copy", broken)


# ------------------------------------------------------------------------------------------------------------- end to end


def command(*words):
    return [sys.executable, "-m", "stress", "bugs", *words]


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
