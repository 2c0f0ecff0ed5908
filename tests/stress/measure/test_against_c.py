"""The verdicts of `make limits`: costs and speed-ups against their bounds."""

import numpy as np
import pytest

from stress.measure.against_c import judge, table
from stress.measure.forked import RINGS

NAMES = ("hot", "random", "random_tested", "alloc", *RINGS)
HOT, SCALING = "get + put, hot (ns)", "get + put, two workers (scaling)"


def rounds(changed=()):
    """Nine rounds in which both programs take 10 ns for everything, but for what is changed."""
    keys = [f"{program}{name} {workers}" for program in ("", "c ") for name in NAMES for workers in ("0", "1", "01")]
    return {key: np.full(9, 10.0) for key in keys} | {key: np.resize(values, 9) for key, values in dict(changed).items()}


def verdict(name, taken):
    return next(each for each in judge(taken) if each.name == name)


def test_as_fast_as_c_passes_everything():
    assert all(each.passed for each in judge(rounds()))
    assert {each.ratio for each in judge(rounds())} == {1.0}


def test_a_cost_above_its_bound_fails_alone():
    failed = [each.name for each in judge(rounds({"hot 0": 13.0, "hot 1": 13.0, "hot 01": 13.0})) if not each.passed]
    assert failed == [HOT]


@pytest.mark.parametrize(("ours", "passed"), [(11.4, True), (11.6, False)])
def test_the_bound_of_a_hot_pair_is_15_percent(ours, passed):
    assert verdict(HOT, rounds({"hot 0": ours})).passed is passed


def test_a_cost_whose_interval_reaches_below_the_bound_passes():
    found = verdict(HOT, rounds({"hot 0": [10.0, 12.0, 12.0]}))
    assert found.ratio == 1.2
    assert found.low <= 1.15
    assert found.passed


@pytest.mark.parametrize(("both", "passed"), [(11.0, True), (12.0, False)])
def test_two_workers_may_lose_a_tenth(both, passed):
    found = verdict(SCALING, rounds({"hot 01": both}))
    assert found.passed is passed
    assert found.ours == pytest.approx(10 / both)


def test_processors_need_not_be_equally_fast():
    found = verdict(SCALING, rounds({"hot 0": 5.0, "hot 1": 15.0}))
    assert found.ours == 1.0


def test_a_walk_in_the_cache_is_shown_and_has_no_bound():
    found = verdict("walk of a list, first level of cache (ns)", rounds({"list_hot 0": 99.0}))
    assert (found.bound, found.passed, found.ratio) == ("-", True, 9.9)
    (line,) = [line for line in table([found]).splitlines() if line.startswith("walk")]
    assert not line.endswith(("pass", "FAIL"))


def test_verdicts_and_table_state_the_coverage_of_their_rounds():
    verdicts = judge(rounds())
    assert {each.coverage for each in verdicts} == {1 - 2 * 10 / 512}, "nine rounds, one left out at each end"
    assert "96.1 %" in table(verdicts).splitlines()[0]


def test_the_table_marks_what_failed():
    lines = table(judge(rounds({"hot 0": 20.0}))).splitlines()
    assert [line.split()[-1] for line in lines if line.startswith("get + put, hot")] == ["FAIL"]
    assert [line.split()[-1] for line in lines if line.startswith("allocate + free, order 0")] == ["pass"]
