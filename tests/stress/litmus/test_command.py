"""`pfnstorm litmus` from outside: tests explored exhaustively, and sampled."""

import json

import pytest

from stress.litmus.command import CLASSICS
from stress.litmus.file import read_tests
from tests.stress.explore.flavours import EXPLORED, ROOT, run, starts_flavours

pytestmark = starts_flavours


@pytest.mark.parametrize("memory", ["sc", "tso", "pso"])
def test_the_classics_agree(memory, tmp_path):
    done = run("-m", "stress", "litmus", "--memory", memory, "--json", str(tmp_path / "result.json"))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    result = json.loads((tmp_path / "result.json").read_text())
    assert len(result["tests"]) >= 40
    assert all(test["agrees"] and test["complete"] for test in result["tests"])


def test_a_random_walk_sees_every_outcome_that_tso_adds():
    done = run("-m", "stress", "litmus", "--memory", "tso", "--strategy", "random")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    nr_tests = len(read_tests(CLASSICS))
    assert f"{nr_tests} of {nr_tests} verdicts agree" in done.stdout


def test_the_explorer_ends_in_the_states_of_the_enumeration():
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/stress/litmus/test_final_states.py", **EXPLORED)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "6 passed" in done.stdout


def test_what_was_not_decided_is_no_agreement():
    done = run("-m", "stress", "litmus", "--test", "3.LB", "--schedules", "2")
    assert done.returncode == 5
    assert "INCOMPLETE" in done.stdout


def test_an_allowed_outcome_that_a_sampler_misses_is_a_violation():
    done = run("-m", "stress", "litmus", "--test", "R", "--test", "RWC", "--memory", "tso", "--strategy", "random", "--schedules", "1")
    assert done.returncode == 1
    assert "not seen" in done.stdout


@pytest.mark.parametrize(
    "words",
    [("--test", "no-such-test"), ("--strategy", "luck"), ("--real", "--memory", "sc"), ("--runs", "5"), ("--json", "absent/result.json")],
)
def test_mistakes_of_users_are_one_line(words, tmp_path):
    done = run("-m", "stress", "litmus", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


STORES, LOADS = [["W", "x", 1], ["W", "y", 1]], [["R", "y", "eax"], ["R", "x", "ebx"]]
RELEASED = [["W", "x", 1], ["W", "y", 1, "release"]]
OUTRUN = "(1:eax=1 /\\ 1:ebx=0)"
#: name, threads, condition, verdict under TSO, under PSO (SPARC V8, appendix K; release and relaxed as memory_models.py says)
PSO_TESTS = (
    ("MP", [STORES, LOADS], OUTRUN, "forbidden", "allowed"),
    ("MP+fence", [[STORES[0], ["F"], STORES[1]], LOADS], OUTRUN, "forbidden", "forbidden"),
    ("MP+release", [RELEASED, LOADS], OUTRUN, "forbidden", "forbidden"),
    ("MP+xchg", [[STORES[0], ["XCHG", "y", 1, "eax"]], LOADS], OUTRUN, "forbidden", "forbidden"),
    ("MP+xchg.relaxed", [[STORES[0], ["XCHG", "y", 1, "eax", "relaxed"]], LOADS], OUTRUN, "forbidden", "allowed"),
    ("release, then a store", [[["W", "y", 1, "release"], ["W", "x", 1]], [["R", "x", "ebx"], ["R", "y", "eax"]]],
     "(1:ebx=1 /\\ 1:eax=0)", "forbidden", "allowed"),
    ("2+2W", [[["W", "x", 2], ["W", "y", 1]], [["W", "y", 2], ["W", "x", 1]]], "([x]=2 /\\ [y]=2)", "forbidden", "allowed"),
    ("2+2W+release", [[["W", "x", 2], ["W", "y", 1, "release"]], [["W", "y", 2], ["W", "x", 1, "release"]]],
     "([x]=2 /\\ [y]=2)", "forbidden", "forbidden"),
    ("S", [[["W", "x", 2], ["W", "y", 1]], [["R", "y", "eax"], ["W", "x", 1]]], "([x]=2 /\\ 1:eax=1)", "forbidden", "allowed"),
    ("SB+releases", [[["W", "x", 1, "release"], ["R", "y", "eax"]], [["W", "y", 1, "release"], ["R", "x", "eax"]]],
     "(0:eax=0 /\\ 1:eax=0)", "allowed", "allowed"),
    ("LB", [[["R", "x", "eax"], ["W", "y", 1]], [["R", "y", "eax"], ["W", "x", 1]]], "(0:eax=1 /\\ 1:eax=1)", "forbidden", "forbidden"),
    ("IRIW", [[["W", "x", 1]], [["W", "y", 1]], [["R", "x", "eax"], ["R", "y", "ebx"]], [["R", "y", "eax"], ["R", "x", "ebx"]]],
     "(2:eax=1 /\\ 2:ebx=0 /\\ 3:eax=1 /\\ 3:ebx=0)", "forbidden", "forbidden"),
    ("coherence", [[["W", "x", 1], ["W", "x", 2]], [["R", "x", "eax"], ["R", "x", "ebx"]]],
     "(1:eax=2 /\\ 1:ebx=1)", "forbidden", "forbidden"),
)  # fmt: skip


@pytest.mark.parametrize("memory", ["tso", "pso"])
def test_orderings_mean_under_pso_what_is_written(memory, tmp_path):
    path = tmp_path / "pso.json"
    tests = [
        {"name": name, "init": {"x": 0, "y": 0}, "threads": threads, "exists": exists, "sc": "forbidden", "tso": tso, "pso": pso}
        for name, threads, exists, tso, pso in PSO_TESTS
    ]
    path.write_text(json.dumps({"tests": tests}))
    done = run("-m", "stress", "litmus", str(path), "--memory", memory)
    assert done.returncode == 0, done.stdout + done.stderr[-1000:]
    assert f"{len(PSO_TESTS)} of {len(PSO_TESTS)} verdicts agree" in done.stdout


def test_a_wrong_verdict_is_a_violation(tmp_path):
    path = tmp_path / "sb.json"
    threads = [[["W", "x", 1], ["R", "y", "eax"]], [["W", "y", 1], ["R", "x", "eax"]]]
    test = {
        "name": "SB",
        "init": {"x": 0, "y": 0},
        "threads": threads,
        "exists": "(0:rax=0 /\\ 1:rax=0)",
        "sc": "forbidden",
        "tso": "forbidden",
    }
    path.write_text(json.dumps({"tests": [test]}))
    assert run("-m", "stress", "litmus", str(path)).returncode == 0
    assert run("-m", "stress", "litmus", str(path), "--memory", "tso").returncode == 1


def test_verdicts_that_a_file_does_not_have_do_not_agree(tmp_path):
    classics = json.loads(CLASSICS.read_text())
    test = {name: value for name, value in classics["tests"][0].items() if name not in ("sc", "tso", "pso")}
    (tmp_path / "a.json").write_text(json.dumps({"tests": [test]}))
    done = run("-m", "stress", "litmus", "a.json", "--memory", "pso", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "0 of 0 verdicts agree under pso; the file has none for 1 tests" in done.stdout


#: 84 tests with verdicts that this project did not write, where they lie beside it
LITMUS = ROOT.parent / "shared" / "litmus.json"


@pytest.mark.slow
@pytest.mark.parametrize("memory", ["sc", "tso"])
def test_verdicts_of_others_agree(memory):
    if not LITMUS.is_file():
        pytest.skip(f"{LITMUS.name} is not beside the project")
    done = run("-m", "stress", "litmus", str(LITMUS), "--memory", memory)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert "84 of 84 verdicts agree" in done.stdout
