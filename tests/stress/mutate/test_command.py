"""`pfnstorm mutate`: the nets in their order, and the command from outside."""

import io
import json
import os
import subprocess
import sys
import time
from contextlib import closing

import pytest

from stress.mutate.alive import RECORD
from stress.mutate.command import AskedNet, KillCount, run_nets
from stress.mutate.operators import Mutant, mutants_of
from stress.mutate.plan import Net
from stress.mutate.results import KILLED, SURVIVED, Results
from stress.mutate.server import Server
from stress.mutate.survivors import explained
from stress.mutate.woven import ROOT

KILLED_ONE = "base/lock.py:spin_trylock:recheck: cas_acquire(mem.lock_word, lock, 0, cpu + 1) == 0 -> True"
EQUIVALENT = "base/lock.py:spin_lock:recheck: load_relaxed(mem.lock_word, lock) != 0 -> False"
MUTANTS = [Mutant(k, "kernels/a.py", "f", "order", text) for k, text in enumerate("wxyz", 1)]


# -------------------------------------------------------------------------------------------------------------- the nets


@pytest.fixture
def asked(monkeypatch):
    """Replace the processes of nets by a table: (model, mutant) -> what the answer says. Returns the table and the log of requests."""
    answers, log = {}, []

    def start(self, words, folder):
        self.words, self.ready = words, os.open(os.devnull, os.O_RDONLY)  # which is always readable

    def read_answer(self):
        nothing = {"found": None, "by": "", "number": 0, "seconds": 0.1, "reached": [each.number for each in MUTANTS]}
        return nothing | answers.get(log[-1], {})

    monkeypatch.setattr(Server, "__init__", start)
    monkeypatch.setattr(Server, "fileno", lambda self: self.ready)
    monkeypatch.setattr(Server, "ask", lambda self, request: log.append((self.words[1], request.mutant)))
    monkeypatch.setattr(Server, "read_answer", read_answer)
    monkeypatch.setattr(Server, "stop", lambda self: os.close(self.ready))
    return answers, log


@pytest.fixture
def run(tmp_path, asked):
    """Run nets one at a time; returns the results, what they were asked in order, and what was printed."""

    def ran(nets, answers, about=MUTANTS):
        said = []
        asked[0].update(answers)
        with closing(Results(tmp_path / "1234.jsonl")) as results:
            run_nets(nets, about, 1, time.monotonic() + 60, tmp_path, results, lambda busy: None, said.append)
        return results, asked[1], said

    return ran


def net(name):
    return Net(f"explore {name}", ("explore", name, "1"), list(MUTANTS))


def test_a_net_is_asked_about_the_unchanged_kernels_first_and_a_killed_mutant_is_not_asked_again(run):
    results, log, _ = run([net("a"), net("b")], {("a", 2): {"found": "race", "by": "sc pos", "number": 9}})
    assert log == [("a", RECORD), ("a", 1), ("a", 2), ("a", 3), ("a", 4), ("b", RECORD), ("b", 1), ("b", 3), ("b", 4)]
    assert results.killer(MUTANTS[1]).by == "sc pos"
    assert results.killer(MUTANTS[0]) is None


def test_a_net_is_asked_only_about_the_mutants_that_it_reaches(run):
    assert run([net("a")], {("a", RECORD): {"reached": [3]}})[1] == [("a", RECORD), ("a", 3)]


def test_a_false_alarm_is_reported_and_its_net_is_not_asked_again(run):
    alarming = net("a")
    _, log, said = run([alarming], {("a", RECORD): {"found": "race", "by": "sc pos"}})
    assert log == [("a", RECORD)]
    assert alarming.false_alarm == "race (sc pos)"
    assert said == ["FALSE ALARM of explore a: race (sc pos): this net is not asked again"]


def test_only_the_mutants_in_question_are_tried_and_a_net_without_any_is_not_started(run):
    only_first = Net("explore b", ("explore", "b", "1"), [MUTANTS[0]])
    assert run([net("a"), only_first], {}, about=[MUTANTS[3]])[1] == [("a", RECORD), ("a", 4)]


def test_progress_names_the_busy_nets_every_few_seconds(tmp_path, asked):
    out, busy = io.StringIO(), AskedNet(net("a"), tmp_path)
    with closing(Results(tmp_path / "1234.jsonl")) as results:
        progress = KillCount(out, 4, said=-1000.0)
        progress.tick(results, MUTANTS, [busy])
        progress.tick(results, MUTANTS, [busy])  # too soon for another line
    busy.stop()
    (line,) = out.getvalue().splitlines()
    assert line.endswith("s: 0 of 4 killed; explore a (compiling)")


# ---------------------------------------------------------------------------------------------------------- from outside


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
    assert len(listed.stdout.splitlines()) == sum(each.file == "kernels/page/refcount.py" for each in mutants_of(ROOT)[0])


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
