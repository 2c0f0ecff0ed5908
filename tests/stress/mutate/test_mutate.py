"""Measuring the nets: what is remembered, who is explained, what is woven, and the commands from outside."""

import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import replace

import pytest

from stress.bugs.detect import Cell, Outcome, table_of, weave_bugs
from stress.bugs.story import seeded_bugs
from stress.errors import UserError
from stress.explore.reach import reached_by
from stress.mutate.command import Net, Report, chosen_mutants, model_nets, storm_nets
from stress.mutate.nets import FOUND_NOTHING, MET_MIN, in_child, never_met
from stress.mutate.operators import Mutant, mutants_of
from stress.mutate.results import KILLED, SURVIVED, UNREACHED, UNTRIED, Results, Trial
from stress.mutate.survivors import Survivor, explained
from stress.mutate.woven import ROOT, make_woven, model_key, source_key

MUTANTS, _ = mutants_of(ROOT)
BUGS = seeded_bugs()
KILLED_ONE = "base/lock.py:spin_trylock:recheck: cas_acquire(mem.lock_word, lock, 0, cpu + 1) == 0 -> True"
EQUIVALENT = "base/lock.py:spin_lock:recheck: load_relaxed(mem.lock_word, lock) != 0 -> False"


def trial(mutant, net, found=None):
    return Trial(mutant.name, net, found, "sc random" if found else "", 3 if found else 0, 0.1)


# ----------------------------------------------------------------------------------------------------------------- results


@pytest.fixture
def two():
    return [Mutant(1, "kernels/a.py", "f", "order", "x"), Mutant(2, "kernels/a.py", "f", "order", "y")]


def test_results_survive_an_interrupted_run(tmp_path, two):
    path = tmp_path / "mutants" / "1234.jsonl"
    results = Results(path)
    results.add(trial(two[0], "explore a"))
    results.add(trial(two[0], "storm zoo", "bug:SHADOW"))
    results.add(trial(two[1], "explore a"))
    results.close()
    path.write_text(path.read_text() + '{"mutant": "half a li')
    again = Results(path)
    assert again.verdict(two[0], ["explore a", "storm zoo"]) == KILLED
    assert again.killer(two[0]).net == "storm zoo"
    assert again.verdict(two[1], ["explore a"]) == SURVIVED
    assert again.verdict(two[1], ["explore a", "storm zoo"]) == UNTRIED
    again.add(trial(two[1], "storm zoo"))
    again.close()
    with closing(Results(path)) as last:
        assert last.verdict(two[1], ["explore a", "storm zoo"]) == SURVIVED
        assert last.verdict(two[1], []) == UNREACHED


def test_a_file_that_is_something_else_is_refused_in_one_line(tmp_path):
    (tmp_path / "a.jsonl").write_text("[1, 2]\n")
    with pytest.raises(UserError, match=r"a\.jsonl:1: not a result") as caught:
        Results(tmp_path / "a.jsonl")
    assert "\n" not in str(caught.value)


def test_results_belong_to_the_sources(tmp_path):
    for name in ("kernels/base", "stress/explore/models", "stress/roles", "stress/mutate"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("nets", "operators", "syntax", "woven"):
        (tmp_path / f"stress/mutate/{name}.py").write_text("")
    (tmp_path / "kernels/base/a.py").write_text("x = 1\n")
    before = source_key(tmp_path)
    (tmp_path / "stress/explore/model.py").write_text("y = 1\n")
    edited = source_key(tmp_path)
    assert before != edited
    (tmp_path / "kernels/base/a.py").write_text("x = 2\n")
    assert source_key(tmp_path) not in (before, edited)


def test_a_models_results_belong_to_the_model(tmp_path):
    for name in ("kernels", "stress/explore/models/family", "stress/mutate"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("nets", "operators", "syntax", "woven"):
        (tmp_path / f"stress/mutate/{name}.py").write_text("")
    for name in ("family/a_b", "family/c", "family/_shared", "_shared"):
        (tmp_path / f"stress/explore/models/{name}.py").write_text("")
    all_of_them, first, second = source_key(tmp_path), model_key("a-b", tmp_path), model_key("c", tmp_path)
    (tmp_path / "stress/explore/models/family/a_b.py").write_text("x = 1\n")
    assert (source_key(tmp_path), model_key("c", tmp_path)) == (all_of_them, second)
    assert model_key("a-b", tmp_path) != first
    for name in ("family/_shared", "_shared"):
        before = model_key("c", tmp_path)
        (tmp_path / f"stress/explore/models/{name}.py").write_text("x = 1\n")
        assert model_key("c", tmp_path) != before


def test_what_another_version_of_a_model_said_does_not_count(tmp_path):
    path, said = tmp_path / "a.jsonl", trial(MUTANTS[0], "explore a", "race")
    with closing(Results(path, {"explore a": "old"})) as results:
        results.add(replace(said, sources="old"))
        assert results.killer(MUTANTS[0])
    with closing(Results(path, {"explore a": "new"})) as results:
        assert results.killer(MUTANTS[0]) is None
    with closing(Results(path, {"explore a": "old"})) as results:
        assert results.killer(MUTANTS[0])


# --------------------------------------------------------------------------------------------------------------- survivors


def test_every_explanation_is_of_a_mutant_that_exists():
    stale = set(explained()) - {each.name for each in MUTANTS}
    assert not stale, "tests/mutants/survivors.toml explains what is not there any more:\n  " + "\n  ".join(sorted(stale))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[[survivor]]\nmutants = ["a"]\nwhy = "equivalent"\nreason = "short"', "reason"),
        ('[[survivor]]\nmutants = ["a"]\nwhy = "bad luck"\nreason = "a reason that is long enough"', "why"),
        ('[[survivor]]\nmutants = ["a", "a"]\nwhy = "equivalent"\nreason = "a reason that is long enough"', "explained twice"),
        ('[[survivor]]\nmutants = []\nwhy = "equivalent"\nreason = "a reason that is long enough"', "mutants"),
        ("[[survivor", "toml"),
    ],
)
def test_a_mistake_in_the_table_is_one_line(tmp_path, text, complaint):
    path = tmp_path / "survivors.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=complaint) as caught:
        explained(path)
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------------------------------------------------------- choosing


def test_a_sample_follows_from_its_seed_and_names_alone():
    sample = chosen_mutants(MUTANTS, (), 20, 1)
    assert sample == chosen_mutants(MUTANTS[::-1], (), 20, 1)
    assert len(sample) == 20
    assert sample != chosen_mutants(MUTANTS, (), 20, 2)
    assert [each.name for each in chosen_mutants(MUTANTS, ("page/refcount.py:ref_freeze:*",), None, 1)]
    with pytest.raises(UserError, match="no mutant matches 'nosuch'"):
        chosen_mutants(MUTANTS, ("nosuch",), None, 1)


def test_a_model_reaches_what_it_calls_and_not_the_rest():
    reached = reached_by("pcp-isolation")
    assert ("kernels/alloc/isolation.py", "isolate_pageblock") in reached
    assert ("kernels/base/lock.py", "spin_trylock") in reached  # through others
    assert ("kernels/map/pagecache.py", "filemap_get_entry") not in reached
    assert ("kernels/map/pagecache.py", "filemap_get_entry") in reached_by("pagecache-removal")


def test_what_is_brief_decides_nothing(tmp_path, two):
    brief, whole = Net("explore a briefly", (), two, brief=True), Net("explore a", (), two)
    with closing(Results(tmp_path / "1234.jsonl")) as results:
        report = Report(two, results, [brief, whole], {})
        results.add(trial(two[0], brief.name))
        assert report.verdict(two[0]) == UNTRIED
        results.add(trial(two[0], whole.name))
        assert report.verdict(two[0]) == SURVIVED
        results.add(trial(two[1], brief.name, "race"))
        assert report.verdict(two[1]) == KILLED


def test_one_storm_is_for_those_only_to_whom_no_model_leads():
    models = model_nets(MUTANTS, 1, ("pcp-isolation",))
    whole, far = storm_nets(MUTANTS, models)[0], storm_nets(MUTANTS, models)[-1]
    assert set(far.mutants) < set(whole.mutants)
    assert not set(far.mutants) & set(models[0].mutants)


def test_models_are_asked_briefly_for_a_part_of_their_schedules():
    (brief,), (whole,) = (model_nets(MUTANTS, 1, ("pcp-isolation",), brief=each) for each in (True, False))
    assert brief.mutants == whole.mutants
    assert 0 < float(brief.words[-1]) < float(whole.words[-1])


def test_the_table_tells_who_is_explained_from_who_is_not_and_which_reason_is_wrong(tmp_path):
    mutants = [Mutant(k, "kernels/a.py", "f", "order", text) for k, text in enumerate("wxyz", 1)]
    net = Net("explore a", (), mutants)
    why = Survivor(mutants=("any",), why="equivalent", reason="long enough to be a reason")
    with closing(Results(tmp_path / "1234.jsonl")) as results:
        for mutant, found in zip(mutants, ("race", "race", None, None), strict=True):
            results.add(trial(mutant, net.name, found))
        report = Report(mutants, results, [net], {mutants[1].name: why, mutants[2].name: why})
        lines = report.lines()
        assert f"killed, explained: equivalent: {mutants[1].name}" in lines
        assert f"survived, explained: equivalent: {mutants[2].name}" in lines
        assert f"survived: {mutants[3].name}" in lines
        assert lines[-1].split()[-4:] == ["50", "%", "67", "%"]
        slow = Survivor(mutants=("any",), why="performance", reason="long enough to be a reason")
        lines = Report(mutants, results, [net], {mutants[2].name: slow}).lines()
        assert lines[-1].split()[-4:] == ["50", "%", "50", "%"]  # what differs, and is not killed, counts
        assert report.exit_code() == 1
        unreached = Mutant(9, "kernels/a.py", "f", "order", "u")
        assert Report([mutants[0], unreached], results, [net], {}).exit_code() == 1  # a net is missing
        assert Report([mutants[0], unreached], results, [net], {}, narrowed=True).exit_code() == 5  # or has not been asked for


def test_a_loop_without_a_point_is_ended_by_its_processor_time():
    def loop():
        while True:
            pass

    assert in_child(1, lambda: FOUND_NOTHING, 60.0, 1).found is None
    answer = in_child(2, loop, 60.0, 1)
    assert answer.found == "overdue"
    assert "processor time" in answer.by


def test_a_meeting_that_does_not_happen_any_more_is_found_unless_it_was_seldom():
    assert never_met({"a": MET_MIN, "b": MET_MIN - 1, "c": 500}, {"a": 0, "b": 0, "c": 1}) == ["a"]


# ------------------------------------------------------------------------------------------------------------- seeded bugs


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_story_says_where_exploring_finds_it_or_why_it_cannot(bug):
    from stress.explore.models import all_models

    assert bool(bug.story.explore) != bool(bug.story.explore_not)
    assert bug.story.explore in ("", *all_models())
    assert not bug.story.explore_not or len(bug.story.explore_not) > 20


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


def test_the_table_says_who_alone_finds_a_bug():
    bug = next(each for each in BUGS if each.story.explore)
    cells = [
        Cell(bug.name, "m", "sc", "random", (None, None), "", 1.0),
        Cell(bug.name, "m", "sc", "pos", (None, None), "", 1.0),
        Cell(bug.name, "m", "tso", "random", (None, None), "", 1.0),
        Cell(bug.name, "m", "tso", "pos", (3, None), "SHADOW", 1.0),
    ]
    lines = table_of([Outcome(bug, cells)])
    assert "3 (1/2)" in next(line for line in lines if "(1/2)" in line)
    assert f"{bug.name}: only under tso" in lines
    assert f"{bug.name}: only by pos" in lines
    assert f"{bug.name}: found by NO strategy" in "\n".join(table_of([Outcome(bug, cells[:3])]))


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
        (("mutate", "--only", "nosuch"), "no mutant matches 'nosuch'"),
        (("mutate", "--model", "nosuch"), "unknown model 'nosuch'"),
        (("mutate", "--seconds", "0"), "seconds"),
        (("mutate", "--sample", "0"), "sample"),
        (("mutate", "--json", "/nosuch/a.json"), "/nosuch"),
        (("bugs", "nosuch", "--explore"), "unknown bug 'nosuch'"),
        (("bugs", "--explore", "--trials", "0"), "trials"),
    ],
)
def test_a_users_mistake_is_one_line(tmp_path, words, complaint):
    refused = command(*words, PFNSTORM_RESULTS_DIR=str(tmp_path))
    assert refused.returncode == 2
    assert complaint in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_the_mutants_are_listed():
    listed = command("mutate", "--list", "--only", "page/refcount.py:*")
    assert listed.returncode == 0
    assert len(listed.stdout.splitlines()) == sum(each.file == "kernels/page/refcount.py" for each in MUTANTS)


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("PFNSTORM_FLAVOUR", "fast") != "fast", reason="starts the explored flavour")
@pytest.mark.skipif("NUMBA_DISABLE_JIT" in os.environ, reason="compiles")
def test_one_is_killed_one_survives_and_nothing_is_tried_twice(tmp_path):
    words = ["mutate", "--model", "pcp-isolation", "--no-storms", "--scale", "0.1", "--json", str(tmp_path / "a.json")]
    words += ["--only", KILLED_ONE, "--only", EQUIVALENT]
    done = command(*words, PFNSTORM_RESULTS_DIR=str(tmp_path / "results"))
    assert done.returncode == int(EQUIVALENT not in explained()), done.stdout + done.stderr
    table = {each["name"]: each for each in json.loads((tmp_path / "a.json").read_text())["mutants"]}
    assert table[KILLED_ONE]["verdict"] == KILLED
    assert table[KILLED_ONE]["killed_by"]["net"].startswith("explore pcp-isolation")
    assert table[EQUIVALENT]["verdict"] == SURVIVED
    assert f"survived, explained: performance: {EQUIVALENT}" in done.stdout
    stored = next((tmp_path / "results" / "mutants").iterdir())
    before = stored.read_text()
    again = command(*words, PFNSTORM_RESULTS_DIR=str(tmp_path / "results"))
    assert stored.read_text() == before
    assert [line for line in again.stdout.splitlines() if line.startswith("all")] == [
        line for line in done.stdout.splitlines() if line.startswith("all")
    ]


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


def test_a_copy_is_woven_whole(tmp_path):
    assert make_woven(tmp_path / "woven") == MUTANTS
    for path in (tmp_path / "woven" / "kernels").rglob("*.py"):
        compile(path.read_text(), str(path), "exec")
