"""All seeded bugs in one copy: each behind its number, reached by the model of its story."""

import ast

import pytest

from stress.bugs.story import SeededBug, seeded_bugs
from stress.bugs.weave import weave_bugs, weave_functions
from stress.explore.reach import reached_by

BUGS = seeded_bugs()


def test_every_seeded_bug_can_be_woven_and_its_model_leads_to_it(tmp_path):
    assert weave_bugs(tmp_path / "woven", BUGS) == {}
    sources = {str(path.relative_to(tmp_path / "woven")): path.read_text() for path in (tmp_path / "woven" / "kernels").rglob("*.py")}
    for number, bug in enumerate(BUGS, 1):
        changed = {
            (name, line.partition("(")[0][4:].removesuffix(f"_of_bug_{number}"))
            for name, text in sources.items()
            for line in text.splitlines()
            if line.startswith("def ") and f"_of_bug_{number}(" in line
        }
        assert changed, bug.name
        assert not bug.story.explore or changed & reached_by(bug.story.explore), f"{bug.name}: {bug.story.explore} does not lead to it"


# ------------------------------------------------------------------------------------------------------------ small sources

BEFORE = """
import x

@kernel
def helper(mem, word):
    return word

@kernel
def f(mem, cpu):
    \"\"\"Doc.\"\"\"
    return helper(mem, cpu)
"""


def run(source, alive):
    """What f() returns with a number alive."""
    scope = {"kernel": lambda function: function, "is_alive": lambda mem, number: number == alive}
    exec(compile(source.replace("import x", ""), "woven", "exec"), scope)
    return scope["f"](None, 5)


def woven(*patched):
    tree = ast.parse(BEFORE)
    for number, after in enumerate(patched, 1):
        names = {"helper", "f"} if "+ 1" in after else {"f"}
        weave_functions(tree, ast.parse(BEFORE), ast.parse(after), number, {name: f"{name}_of_bug_{number}" for name in names})
    return ast.unparse(ast.fix_missing_locations(tree))


def test_a_patched_function_is_called_only_while_its_number_is_alive():
    source = woven(BEFORE.replace("return helper(mem, cpu)", "return -1"))
    assert [run(source, alive) for alive in (0, 1, 2)] == [5, -1, 5]


def test_functions_of_one_patch_call_each_other():
    both = BEFORE.replace("return word", "return word + 1").replace("return helper(mem, cpu)", "return 10 * helper(mem, cpu)")
    assert [run(woven(both), alive) for alive in (0, 1)] == [5, 60]


def test_two_bugs_in_one_function_are_there_side_by_side():
    source = woven(BEFORE.replace("return helper(mem, cpu)", "return -1"), BEFORE.replace("return helper(mem, cpu)", "return -2"))
    assert [run(source, alive) for alive in (0, 1, 2)] == [5, -1, -2]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("STRIDE = 2", "STRIDE = 3", "changes more than functions"),
        ("def f(mem, cpu):", "def f(mem, cpu, pfn):", "changes no function that takes the machine and keeps its parameters"),
    ],
)
def test_a_patch_that_cannot_be_woven_is_named(tmp_path, monkeypatch, old, new, complaint):
    text = f"import x\nSTRIDE = 2\n{BEFORE}"
    at = text.splitlines().index(old)
    (tmp_path / "a.patch").write_text(f"--- a/kernels/a.py\n+++ b/kernels/a.py\n@@ -{at + 1} +{at + 1} @@\n-{old}\n+{new}\n")

    def copy_project(folder):
        (folder / "kernels").mkdir(parents=True)
        (folder / "kernels" / "a.py").write_text(text)

    monkeypatch.setattr("stress.bugs.weave.copy_project", copy_project)
    monkeypatch.setattr("stress.bugs.weave.add_word", lambda folder: None)
    errors = weave_bugs(tmp_path / "copy", [SeededBug("a", tmp_path / "a.patch", BUGS[0].story)])
    assert complaint in errors["a"]
    assert (tmp_path / "copy/kernels/a.py").read_text() == text
