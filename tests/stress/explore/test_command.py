"""What `pfnstorm explore` prints last, writes and returns, if its searches end as the test says."""

import io
import json
from contextlib import nullcontext

import pytest

from stress.errors import HostError
from stress.explore import command as module
from stress.explore.command import ExploreOptions, execute
from stress.explore.compiling import CompileWork
from stress.explore.diagnosis import Found
from stress.explore.failure import Failure
from stress.explore.models import all_models
from stress.explore.session import StrategyTally
from stress.explore.verdict import ModelVerdict
from stress.explore.workers import LostWorkerError

MODELS = tuple(all_models().values())[:3]


def verdict_on(model, ending):
    if ending == "not reached":
        return ModelVerdict(model)
    failure = Failure(model.name, "sc", "random", 1, 41, "", Found("deadlock"), ()) if ending == "violated" else None
    met = dict.fromkeys(model.meetings, 0 if ending == "vacuous" else 1)
    tally = StrategyTally("random", 100, seconds=1.0, met=met, failure=failure)
    return ModelVerdict(model, [tally], broken_off=ending == "interrupted")


@pytest.fixture
def explore(monkeypatch, tmp_path, capsys):
    """Run the command with searches that end as given; the exit code, what it printed, and the JSON."""

    def run(endings, error=None, **options):
        def search_all(models, *_rest):
            yield from map(verdict_on, models, endings)
            if error is not None:
                raise error

        monkeypatch.setattr(module, "compile_work", lambda *_: CompileWork(0.0, {}))
        monkeypatch.setattr(module, "build_scheduler", lambda _out: 0.0)
        monkeypatch.setattr(module, "workers", lambda *_: nullcontext([]))
        monkeypatch.setattr(module, "search_all", search_all)
        path = tmp_path / "result.json"
        given = ExploreOptions(MODELS[: len(endings)], ("random",), "sc", 9.0, None, 1, 2, path, tmp_path / "failures", **options)
        try:
            code = execute(given, io.StringIO())
        except (LostWorkerError, HostError) as raised:
            code = raised.exit_code
        return code, capsys.readouterr().out, json.loads(path.read_text())

    return run


@pytest.mark.parametrize(
    ("endings", "error", "code", "verdict"),
    [
        (("clean", "clean"), None, 0, "clean"),
        (("clean", "not reached"), None, 0, "clean"),
        (("clean", "vacuous"), None, 5, "vacuous"),
        (("vacuous", "violated"), None, 1, "violated"),
        (("violated", "interrupted"), KeyboardInterrupt(), 130, "interrupted"),
        (("clean", "interrupted"), LostWorkerError("a worker was killed"), 3, "interrupted: a worker was killed"),
        (("clean",), HostError("the cache is full"), 4, "interrupted: the cache is full"),
    ],
)
def test_the_last_line_agrees_with_the_exit_code(explore, endings, error, code, verdict):
    got, out, result = explore(endings, error)
    assert got == code
    assert out.splitlines()[-1].startswith(f"verdict: {verdict}: ")
    assert result["interrupted"] is (error is not None)
    assert [each["model"] for each in result["models"]] == [
        model.name for model, ending in zip(MODELS, endings, strict=False) if ending != "not reached"
    ]


def test_a_failure_is_saved_and_the_verdict_says_where(explore, tmp_path):
    _, out, _ = explore(("clean", "violated"))
    path = tmp_path / "failures" / f"{MODELS[1].name}-sc.json"
    assert json.loads(path.read_text())["model"] == MODELS[1].name
    assert out.splitlines()[0] == f"{MODELS[1].name}: violated: deadlock"
    assert out.splitlines()[-1] == f"verdict: violated: {MODELS[1].name}: see {path}; pfnstorm replay {path}"


def test_rows_of_strategies_are_printed_if_asked_for(explore):
    _, brief, short = explore(("clean", "clean"))
    _, full, long = explore(("clean", "clean"), full=True)
    assert len(brief.splitlines()) == 4  # a head, two rows, the verdict
    assert "schedules/s" in full.splitlines()[0]
    assert full.splitlines()[3:] == brief.splitlines()
    assert short == long
