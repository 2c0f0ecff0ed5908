"""The report: verdicts, the table, the exit code."""

from contextlib import closing

import pytest

from stress.mutate.operators import Mutant
from stress.mutate.plan import Net
from stress.mutate.report import MutationReport
from stress.mutate.results import KILLED, SURVIVED, UNTRIED, Results, Trial
from stress.mutate.survivors import Survivor

MUTANTS = [Mutant(k, "kernels/a.py", "f", "order", text) for k, text in enumerate("wxyz", 1)]
EQUIVALENT, SLOWER = (Survivor(mutants=("any",), why=why, reason="long enough to be a reason") for why in ("equivalent", "performance"))


def trial(mutant, net, found=None):
    return Trial(mutant.name, net, found, "sc random" if found else "", 3 if found else 0, 0.1)


@pytest.fixture
def results(tmp_path):
    with closing(Results(tmp_path / "1234.jsonl")) as results:
        yield results


@pytest.fixture
def half_killed(results):
    """Of the four mutants the first two are killed."""
    for mutant, found in zip(MUTANTS, ("race", "race", None, None), strict=True):
        results.add(trial(mutant, "explore a", found))
    return results


NET = Net("explore a", (), MUTANTS)


def test_a_brief_net_decides_only_by_killing(results):
    first, second = MUTANTS[:2]
    brief, whole = Net("explore a briefly", (), [first, second], brief=True), Net("explore a", (), [first, second])
    report = MutationReport([first, second], results, [brief, whole], {})
    results.add(trial(first, brief.name))
    assert report.verdict(first) == UNTRIED
    results.add(trial(first, whole.name))
    assert report.verdict(first) == SURVIVED
    results.add(trial(second, brief.name, "race"))
    assert report.verdict(second) == KILLED


def test_mutants_that_live_and_wrong_explanations_are_named(half_killed):
    lines = MutationReport(MUTANTS, half_killed, [NET], {MUTANTS[1].name: EQUIVALENT, MUTANTS[2].name: EQUIVALENT}).lines()
    assert f"killed, explained: equivalent: {MUTANTS[1].name}" in lines
    assert f"survived, explained: equivalent: {MUTANTS[2].name}" in lines
    assert f"survived: {MUTANTS[3].name}" in lines
    assert not any(MUTANTS[0].name in line for line in lines)


def test_the_score_leaves_out_only_mutants_that_are_the_same_here(half_killed):
    same = MutationReport(MUTANTS, half_killed, [NET], {MUTANTS[2].name: EQUIVALENT}).lines()
    assert same[-1].split()[-4:] == ["50", "%", "67", "%"]
    slower = MutationReport(MUTANTS, half_killed, [NET], {MUTANTS[2].name: SLOWER}).lines()
    assert slower[-1].split()[-4:] == ["50", "%", "50", "%"]


def test_the_exit_code_is_1_for_an_unexplained_survivor_and_0_for_an_explained_one(half_killed):
    explained = {each.name: EQUIVALENT for each in MUTANTS[2:]}
    assert MutationReport(MUTANTS, half_killed, [NET], explained).exit_code() == 0
    assert MutationReport(MUTANTS, half_killed, [NET], {MUTANTS[2].name: EQUIVALENT}).exit_code() == 1


def test_a_mutant_that_no_net_reaches_is_a_hole_unless_the_user_named_the_nets(half_killed):
    unreached = Mutant(9, "kernels/a.py", "f", "order", "u")
    about = [MUTANTS[0], unreached]
    assert MutationReport(about, half_killed, [NET], {}).exit_code() == 1
    assert MutationReport(about, half_killed, [NET], {}, narrowed=True).exit_code() == 5


def test_a_false_alarm_is_an_error_and_its_net_judges_nothing(half_killed):
    alarm = Net("explore a", (), MUTANTS, false_alarm="race (sc pos)")
    report = MutationReport(MUTANTS[2:], half_killed, [alarm], {each.name: EQUIVALENT for each in MUTANTS})
    assert report.exit_code() == 1
    assert report.lines()[0] == "FALSE ALARM of explore a: race (sc pos) in the kernels as they are"
    assert report.verdict(MUTANTS[2]) != SURVIVED


def test_the_json_names_the_net_that_killed(half_killed):
    written = MutationReport(MUTANTS, half_killed, [NET], {}).to_json()
    assert [each["verdict"] for each in written["mutants"]] == [KILLED, KILLED, SURVIVED, SURVIVED]
    assert written["mutants"][0]["killed_by"]["net"] == "explore a"
    assert written["mutants"][3]["killed_by"] is None
    assert written["sources"] == "1234"
