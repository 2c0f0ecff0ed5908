"""Ratios and what they show."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.measure.ratio import Figure, in_order, interval


@given(st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=40))
def test_an_interval_holds_its_median_and_lies_within_the_rounds(rounds):
    found = interval(rounds)
    assert min(rounds) <= found.low <= found.median <= found.high <= max(rounds)


def test_no_rounds_are_no_interval():
    with pytest.raises(ValueError, match="no rounds"):
        interval([])


def test_the_interval_covers_the_true_median_about_as_often_as_it_says():
    random = np.random.default_rng(5)
    draws = [interval(random.lognormal(0, 0.5, 25)) for _ in range(150)]
    covered = sum(found.low <= 1 <= found.high for found in draws)
    assert 130 <= covered <= 150, "95 % of 150 is 142"


def test_drift_that_hits_both_cancels():
    drift = np.linspace(1, 3, 30)
    figure = Figure("f", "ns", {"a": list(10 * drift), "b": list(11 * drift)})
    ratio = figure.ratio("a", "b")
    assert ratio.low == pytest.approx(10 / 11)
    assert ratio.high == pytest.approx(10 / 11)
    assert figure.shown("a", "b") == "a better"


def test_what_is_shown_depends_on_whether_more_is_better():
    rounds = {"a": [2.0] * 5, "b": [1.0] * 5}
    assert Figure("cost", "ns", rounds).shown("a", "b") == "b better"
    assert Figure("speed", "ops/s", rounds, more_is_better=True).shown("a", "b") == "a better"


def test_noise_shows_nothing():
    assert Figure("f", "ns", {"a": [1.0, 2.0, 1.0, 2.0], "b": [2.0, 1.0, 2.0, 1.0]}).shown("a", "b") == "no difference shown"


def test_a_base_of_zero_is_no_ratio():
    figure = Figure("f", "%", {"a": [1.0, 1.0], "b": [0.0, 1.0]})
    assert figure.ratio("a", "b") is None
    assert figure.shown("a", "b") == "no base"


def test_values_stand_in_the_policy_s_order():
    assert list(in_order({"b": [1.0], "a": [2.0]}, ("a", "b"))) == ["a", "b"]
