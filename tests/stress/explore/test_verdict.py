"""The verdict on a model: the first that applies, and its rows."""

import pytest

from stress.explore.diagnosis import Found
from stress.explore.failure import Failure
from stress.explore.session import StrategyTally
from stress.explore.verdict import ModelVerdict, table_of

FAILURE = Failure("m", "sc", "pos", 1, 41, "0", Found("bug", "WORD_CHANGED", "I6", 0, -1, 1, 2), ((0, "load x"),))


@pytest.fixture
def model():
    from stress.explore.models import all_models

    return next(each for each in all_models().values() if len(each.meetings) == 2)


def tallies(model, *changes):
    made = []
    for each in changes:
        made.append(StrategyTally("random", 1000, 40_000, 9_000, 61, 2.0, states={1, 2}, met=dict.fromkeys(model.meetings, 1)))
        for name, value in each.items():
            setattr(made[-1], name, value)
    return made


def test_the_verdict_is_the_worst_that_is_known(model):
    never = model.meetings[1]
    clean, complete, blind, failed = tallies(
        model, {}, {"complete": True}, {"met": {model.meetings[0]: 1, never: 0}}, {"failure": FAILURE, "met": {}}
    )
    assert ModelVerdict(model, [clean]).text() == "clean"
    assert ModelVerdict(model, [clean, complete]).text() == "clean, complete"
    assert ModelVerdict(model, [blind]).text() == f"vacuous: no schedule had {never}"
    assert ModelVerdict(model, [blind, clean]).text() == "clean"  # one strategy has met it
    assert ModelVerdict(model, [blind], broken_off=True).text() == "interrupted after 1,000 schedules, clean until then"
    assert ModelVerdict(model, [blind, failed], broken_off=True).text() == "violated: WORD_CHANGED (I6) on cpu 0: saw 1, wanted 2"


def test_json_has_every_strategy_and_the_sums(model):
    failed = tallies(model, {}, {"states": {2, 3}, "failure": FAILURE})
    written = ModelVerdict(model, failed).to_json()
    assert written["model"] == model.name
    assert written["final_states"] == 3
    assert written["met"] == dict.fromkeys(model.meetings, 2)
    assert [each["failed_at"] for each in written["strategies"]] == [None, 41]
    assert written["strategies"][1]["failure"]["schedule"] == ((0, "load x"),)


def test_the_table_has_a_line_for_each_strategy(model):
    verdict = ModelVerdict(model, tallies(model, {}, {"failure": FAILURE}, {"nr_run": 0, "seconds": 0.0}))
    head, *lines = table_of([verdict])
    assert {len(line.rstrip()) - len(line.split()[-1]) for line in lines} == {len(head) - len("verdict")}
    assert lines[0].split()[1:] == ["random", "1,000", "500", "9", "40", "(", "61)", "2", "clean"]
    assert lines[1].split()[-1] == "violated"
    assert lines[2].split()[2:6] == ["0", "0", "0", "0"]
