"""Copies of the project with a bug: what is removed from bug(), what is refused before anything is built."""

import shutil

import pytest

from kernels.base.layout import Bug
from stress.bugs.copies import ROOT, Copy, silence
from stress.bugs.patches import PatchError
from stress.bugs.story import SeededBug, Story, seeded_bugs

STORY = Story(
    title="a title that says it",
    recreates="A1",
    interleaving="one does this and another does that",
    invariant="I1",
    expect=("lru",),
    silence=("LOST_WRITE", "SHADOW"),
)


def test_silenced_assertions_return(tmp_path):
    path = tmp_path / "bug.py"
    shutil.copy(ROOT / "kernels" / "base" / "bug.py", path)
    silence(path, STORY)
    assert f"    if code == {int(Bug.LOST_WRITE)} or code == {int(Bug.SHADOW)}:\n        return\n" in path.read_text()
    compile(path.read_text(), "bug.py", "exec")


def test_a_bug_function_that_has_changed_is_refused(tmp_path):
    path = tmp_path / "bug.py"
    path.write_text("def bug(mem): pass\n")
    with pytest.raises(PatchError, match=r"bug\.py: bug\(\) no longer begins with"):
        silence(path, STORY)
    assert path.read_text() == "def bug(mem): pass\n"


def test_a_patch_that_does_not_fit_leaves_no_build(tmp_path):
    (bug,) = seeded_bugs(["freed_locked"])
    (tmp_path / "a.patch").write_text(bug.patch.read_text().replace("release_isolated", "release_isolation"))
    broken = SeededBug("broken", tmp_path / "a.patch", bug.story)
    with pytest.raises(PatchError, match="make the patch again"):
        Copy(tmp_path / "copy", broken)
