"""The seeded bugs of tests/bugs: their patches fit, their stories are complete, every checker is proved by one."""

import ast
import shutil

import pytest

from stress.bugs.copies import ROOT
from stress.bugs.patches import apply_patch, read_patch
from stress.bugs.story import BUG_FOLDER, seeded_bugs
from stress.checkers import all_checkers

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
KERNELS = {"kernel", "slow_kernel", "outlined_kernel", "fast_kernel", "entry"}  # the decorators of what numba compiles


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
