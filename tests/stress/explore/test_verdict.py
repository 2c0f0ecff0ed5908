"""The verdict on a model: the first that applies, and its rows; and the verdict on all of them."""

from types import SimpleNamespace

import pytest

from stress.explore.diagnosis import Found
from stress.explore.failure import Failure
from stress.explore.session import StrategyTally
from stress.explore.verdict import ModelVerdict, full_table_of, table_of, unreached_lines, verdict_line

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
    assert (
        ModelVerdict(model, [blind, failed], broken_off=True).text()
        == "violated: WORD_CHANGED (I6) on cpu 0: memdesc 1, expected memdesc 2"
    )


def test_json_has_every_strategy_and_the_sums(model):
    failed = tallies(model, {}, {"states": {2, 3}, "failure": FAILURE})
    written = ModelVerdict(model, failed).to_json()
    assert written["model"] == model.name
    assert written["final_states"] == 3
    assert written["met"] == dict.fromkeys(model.meetings, 2)
    assert [each["failed_at"] for each in written["strategies"]] == [None, 41]
    assert written["strategies"][1]["failure"]["schedule"] == ((0, "load x"),)


def test_the_full_table_has_a_row_for_each_strategy(model):
    verdict = ModelVerdict(model, tallies(model, {}, {"failure": FAILURE}, {"nr_run": 0, "seconds": 0.0}))
    head, *lines = full_table_of([verdict])
    assert {len(line.rstrip()) - len(line.split()[-1]) for line in lines} == {len(head) - len("verdict")}
    assert lines[0].split()[1:] == ["random", "1,000", "500", "9", "40", "(", "61)", "2", "clean"]
    assert lines[1].split()[-1] == "violated"
    assert lines[2].split()[2:6] == ["0", "0", "0", "0"]


def verdict_on(name, *, failed=False, met=True, broken_off=False, complete=(), schedules=1000, strategies=("dpor", "random", "delay")):
    """A verdict on a model with one meeting."""
    made = [
        StrategyTally(each, schedules, states={1, 2}, complete=each in complete, met={"met": int(met)}, failure=FAILURE if failed else None)
        for each in strategies
    ]
    return ModelVerdict(SimpleNamespace(name=name, meetings=("met",)), made, broken_off=broken_off)


def verdicts_of_each_kind():
    return [
        verdict_on("good", complete=("dpor",)),
        verdict_on("late", strategies=()),
        verdict_on("blind", met=False),
        verdict_on("bad", failed=True),
        verdict_on("stopped", broken_off=True),
        verdict_on("fine"),
        verdict_on("worse", failed=True),
    ]


def test_the_table_has_a_row_for_each_model_the_worst_first():
    head, *rows = table_of(verdicts_of_each_kind())
    assert head.split() == ["model", "verdict", "schedules", "states", "complete"]
    assert [row.split()[0] for row in rows] == ["bad", "worse", "blind", "stopped", "late", "good", "fine"]
    assert rows[0].split() == ["bad", "violated", "3,000", "2"]
    assert rows[4].split() == ["late", "not", "reached", "0", "0"]
    assert rows[5].split() == ["good", "clean", "3,000", "2", "dpor"]


@pytest.mark.parametrize(
    ("complete", "shown"),
    [(("dpor",), "dpor"), (("dpor", "delay"), "dpor, delay"), (("dpor", "delay", "dfs", "preemption"), "dpor +3")],
)
def test_the_table_fits_80_columns_whatever_the_models(complete, shown):
    from stress.explore.models import known_models

    names = ("dpor", "delay", "dfs", "preemption")
    verdicts = [verdict_on(name, complete=complete, schedules=3_000_000, strategies=names) for name in known_models()]
    verdicts.append(verdict_on("late", strategies=()))
    lines = table_of(verdicts)
    assert max(map(len, lines)) <= 80
    assert all(line.endswith(f"2  {shown}") for line in lines[2:])


def test_models_that_were_not_reached_are_named_within_80_columns():
    assert unreached_lines([verdict_on("good")]) == []
    lines = unreached_lines([verdict_on("good"), *(verdict_on(f"late-{number}", strategies=()) for number in range(20))])
    assert max(map(len, lines)) <= 80
    text = " ".join(lines)
    assert "no time was left for 20 of 21 models" in text
    assert all(f"late-{number}" in text.replace(",", "").split() for number in range(20))


REPLAYS = {"bad": "see failures/bad-sc.json; pfnstorm replay failures/bad-sc.json", "worse": "see x"}


@pytest.mark.parametrize(
    ("kinds", "ended_by", "line"),
    [
        (("good", "fine"), "", "clean: 2 models, 1 complete, 6,000 schedules in 12 s"),
        (("good", "late"), "", "clean: 1 of 2 models, 1 complete, 3,000 schedules in 12 s"),
        (("fine", "blind"), "", "vacuous: blind: no schedule had met"),
        (("fine", "bad", "blind"), "", f"violated: bad: {REPLAYS['bad']}"),
        (("bad", "worse", "fine"), "", f"violated: bad (and 1 more): {REPLAYS['bad']}"),
        (("good", "stopped"), "by a signal: ", "interrupted: by a signal: 2 models, 1 complete, 6,000 schedules in 12 s, clean until then"),
        (("bad", "stopped"), "", f"violated: bad: {REPLAYS['bad']}"),
    ],
)
def test_the_last_line_is_the_worst_verdict(kinds, ended_by, line):
    verdicts = [each for each in verdicts_of_each_kind() if each.model.name in kinds]
    assert verdict_line(verdicts, len(verdicts), 12.3, REPLAYS, ended_by) == f"verdict: {line}"


def test_an_interrupted_command_says_what_was_violated_until_then():
    verdicts = [verdict_on("bad", failed=True), verdict_on("stopped", broken_off=True)]
    line = verdict_line(verdicts, 5, 12.3, REPLAYS, "by a signal: ")
    assert line.startswith("verdict: interrupted: by a signal: 2 of 5 models, 0 complete, 6,000 schedules in 12 s, violated: bad: see")
