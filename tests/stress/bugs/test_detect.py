"""`pfnstorm bugs --explore`: the cells of a bug, the table, and the command from outside."""

import json
import os
import subprocess
import sys

import pytest

from stress.bugs.copies import ROOT
from stress.bugs.detect import CONTROL_CAP, MEMORIES, Cell, DetectOptions, DetectOutcome, control_requests, requests_for, table_of
from stress.bugs.story import seeded_bugs
from stress.explore.models import all_models
from stress.explore.strategies import CHOOSABLE, NAMED, STRATEGIES

BUGS = seeded_bugs()
OPTIONS = DetectOptions(names=(), trials=7, cap=500, seconds=2.0, jobs=1, json=None)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_story_says_where_exploring_finds_it_or_why_it_cannot(bug):
    assert bool(bug.story.explore) != bool(bug.story.explore_not)
    assert bug.story.explore in ("", *all_models())
    assert not bug.story.explore_not or len(bug.story.explore_not) > 20


def test_a_bug_has_a_cell_for_each_strategy_and_memory_model():
    requests = requests_for(3, OPTIONS)
    assert {(each.memory, each.strategy) for each in requests} == {(memory, strategy) for memory in MEMORIES for strategy in CHOOSABLE}
    assert len(requests) == len(MEMORIES) * len(CHOOSABLE)
    assert {(each.mutant, each.cap, each.seconds) for each in requests} == {(3, 500, 2.0)}


def test_a_strategy_that_draws_nothing_has_one_trial():
    trials = {each.strategy: each.trials for each in requests_for(1, OPTIONS)}
    assert {trials[name] for name in CHOOSABLE if STRATEGIES[NAMED[name][0]].exhaustive} == {1}
    assert trials["random"] == 7


def test_the_unchanged_kernels_are_explored_first_under_each_memory_model():
    requests = control_requests(1_000_000, 2.0)
    assert {each.memory for each in requests} == set(MEMORIES)
    assert {(each.mutant, each.cap) for each in requests} == {(0, CONTROL_CAP)}
    assert {each.cap for each in control_requests(10, 2.0)} == {10}


def test_the_table_names_the_only_memory_model_and_strategy_that_finds_a_bug():
    bug = next(each for each in BUGS if each.story.explore)
    cells = [
        Cell(bug.name, "m", "sc", "random", (None, None), "", 1.0),
        Cell(bug.name, "m", "sc", "pos", (None, None), "", 1.0),
        Cell(bug.name, "m", "tso", "random", (None, None), "", 1.0),
        Cell(bug.name, "m", "tso", "pos", (3, None), "SHADOW", 1.0),
    ]
    lines = table_of([DetectOutcome(bug, cells)])
    assert "3 (1/2)" in next(line for line in lines if "(1/2)" in line)
    assert f"{bug.name}: only under tso" in lines
    assert f"{bug.name}: only by pos" in lines
    assert f"{bug.name}: found by NO strategy" in "\n".join(table_of([DetectOutcome(bug, cells[:3])]))


def test_the_table_says_why_a_bug_was_not_explored():
    bug = next(each for each in BUGS if each.story.explore_not)
    assert table_of([DetectOutcome(bug)]) == [f"{bug.name}: not explored: {bug.story.explore_not}"]
    assert table_of([DetectOutcome(bug, error="its patch does not fit")]) == [f"{bug.name}: its patch does not fit"]


# ------------------------------------------------------------------------------------------------------------ from outside


def command(*words, cwd=ROOT, timeout=280, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "PYTEST_", "PFNSTORM_FLAVOUR"))}
    return subprocess.run(
        [sys.executable, "-m", "stress", *words],
        cwd=cwd,
        env=clean | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("bugs", "nosuch", "--explore"), "unknown bug 'nosuch'"),
        (("bugs", "--explore", "--trials", "0"), "trials"),
        (("bugs", "--explore", "--tries", "2"), "--tries"),
        (("bugs", "--trials", "2"), "--trials is for --explore"),
        (("bugs", "--explore", "--json", "/nosuch/a.json"), "/nosuch"),
        (("bugs", "--json", "/nosuch/a.json"), "/nosuch"),
    ],
)
def test_a_users_mistake_is_one_line(words, complaint):
    refused = command(*words)
    assert refused.returncode == 2
    assert complaint in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("PFNSTORM_FLAVOUR", "fast") != "fast", reason="starts the explored flavour")
@pytest.mark.skipif("NUMBA_DISABLE_JIT" in os.environ, reason="compiles")
def test_seeded_bugs_are_found_by_exploring(tmp_path):
    wanted = [bug.name for bug in BUGS if bug.story.explore == "pcp-isolation"][:2]
    assert len(wanted) == 2
    done = command("bugs", *wanted, "--explore", "--trials", "2", "--cap", "500", "--seconds", "1", "--json", str(tmp_path / "a.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    table = json.loads((tmp_path / "a.json").read_text())["bugs"]
    for each in table:
        found = [cell for cell in each["cells"] if any(number is not None for number in cell["numbers"])]
        assert found, each["name"]
        assert all(cell["found"] for cell in found)
        assert {cell["strategy"] for cell in each["cells"]} >= {"random", "pos", "pct-3", "dpor"}
        assert {cell["memory"] for cell in each["cells"]} >= {"sc", "tso"}
