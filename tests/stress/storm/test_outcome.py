"""How an ending is judged, and that every key of the result is described."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import stress.storm.outcome as module
from stress.checkers import Violation
from stress.storm.outcome import effective_floor, judge, least_count
from stress.storm.supervisor import Ending
from stress.storm.watch import Loss

RESULTS = Path(__file__).resolve().parents[3] / "results" / "README.md"
MEETINGS = {"cow": {"met": False, "per_minute": 3.0, "per_cpu_minute": 2.0, "floor": 100}}


@pytest.mark.parametrize(
    ("ending", "verdict", "expected"),
    [
        (Ending(seconds=9, nr_checks=2), "clean", "no invariant broke in 9.0 s"),
        (Ending(verdict="interrupted", interrupted=True, seconds=1), "interrupted", "after 1.0 s"),
        (Ending(verdict="died", loss=Loss("died", 3, 99, "was killed by SIGKILL")), "died", "worker 3 (pid 99) was killed by SIGKILL"),
        (Ending(verdict="violated", violations=[Violation("I2", "shadow", 5)] * 2), "violated", "I2 broke, found by shadow: pfn 5"),
    ],
)
def test_judgement(ending, verdict, expected):
    found, reason = judge(ending, {})
    assert found == verdict
    assert expected in reason


def test_a_missed_meeting_makes_a_clean_run_vacuous_and_no_other():
    assert judge(Ending(), MEETINGS)[0] == "vacuous"
    assert "cow 2 per CPU minute of 100" in judge(Ending(), MEETINGS)[1]
    assert judge(Ending(verdict="interrupted"), MEETINGS)[0] == "interrupted"


def test_a_floor_asks_less_of_a_run_that_has_little_time():
    assert least_count(50, 4) == 0
    assert 0 < least_count(50, 15) < 50 * 15 / 60
    assert 45 < least_count(50, 90) < 55
    assert least_count(50, 3600) / 3000 == pytest.approx(0.945, abs=0.001)
    assert least_count(0, 3600) == 0


def test_a_floor_falls_where_workers_wait_for_processors():
    assert effective_floor(50, 8, 2) == 50
    assert effective_floor(50, 1024, 2) == pytest.approx(50 / 128)
    assert effective_floor(50, 4, 1) == 5
    assert effective_floor(50, 64, 64) == 50


def written_keys():
    """The keys of every dict that collect() and its helpers spell out, and of a violation."""
    trees = [ast.parse(inspect.getsource(module)), ast.parse(inspect.getsource(inspect.getmodule(Violation)))]
    dicts = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Dict)]
    return {key.value for each in dicts for key in each.keys if isinstance(key, ast.Constant)}


def undescribed_keys(text):
    (section,) = re.findall(r"^## pfnstorm-run/1\n(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    return written_keys() - set(re.findall(r"`(\w+)`", section))


def test_every_key_of_a_result_is_described():
    assert len(written_keys()) > 30
    assert undescribed_keys(RESULTS.read_text()) == set()
    assert undescribed_keys(RESULTS.read_text().replace("`cpu_seconds`", "").replace("`scene`", "")) == {"cpu_seconds", "scene"}
