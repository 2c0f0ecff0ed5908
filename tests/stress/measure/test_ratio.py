"""Intervals of a median, the sign test, and paired ratios."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stress.measure.ratio import Figure, coverage, in_order, interval, rounds_for, sign_p


@given(st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=40))
def test_an_interval_holds_its_median_and_lies_within_the_rounds(rounds):
    found = interval(rounds)
    assert min(rounds) <= found.low <= found.median <= found.high <= max(rounds)


def test_no_rounds_are_no_interval():
    with pytest.raises(ValueError, match="no rounds"):
        interval([])


@pytest.mark.parametrize("nr_rounds", range(1, 13))
def test_the_coverage_is_exact(nr_rounds):
    """Every way in which so many rounds can be above and below a median of 0: all are equally likely."""
    distances = np.arange(1, nr_rounds + 1)
    found = [interval(distances * signs) for signs in itertools.product((-1, 1), repeat=nr_rounds)]
    assert np.mean([each.low <= 0 <= each.high for each in found]) == coverage(nr_rounds)
    assert {each.coverage for each in found} == {coverage(nr_rounds)}


@pytest.mark.parametrize(
    ("nr_rounds", "covered", "low", "high"),
    [(3, 0.75, 1, 3), (5, 0.9375, 1, 5), (6, 0.9688, 1, 6), (15, 0.9648, 4, 12), (30, 0.9572, 10, 21), (100, 0.9648, 40, 61)],
)
def test_ends_and_coverage_are_those_of_published_tables(nr_rounds, covered, low, high):
    found = interval(range(1, nr_rounds + 1))
    assert (found.low, found.high) == (low, high)
    assert found.coverage == pytest.approx(covered, abs=5e-5)


def test_thousands_of_rounds_have_an_interval_too():
    found = interval(range(10_000))
    assert 0.95 <= found.coverage < 0.952
    assert 90 < found.median - found.low < 110, "1.96 standard deviations of 50 rounds"


@given(st.lists(st.floats(0.5, 2), min_size=6, max_size=40))
def test_the_sign_test_and_the_interval_agree(ratios):
    found = interval(ratios)
    assert (sign_p(np.array(ratios)) <= 0.05) == (not found.low <= 1 <= found.high)


def test_rounds_equal_to_1_are_no_evidence():
    assert sign_p(np.ones(20)) == 1
    assert sign_p(np.array([2.0] * 10)) == 2 / 1024
    assert sign_p(np.array([2.0] * 9 + [1.0])) == 2 * 11 / 1024


@pytest.mark.parametrize("probability", [0.05, 0.05 / 8, 0.001])
def test_fewer_rounds_cannot_be_as_improbable(probability):
    nr_rounds = rounds_for(probability)
    assert sign_p(np.full(nr_rounds, 2.0)) <= probability < sign_p(np.full(nr_rounds - 1, 2.0))


def test_drift_that_hits_both_cancels():
    drift = np.linspace(1, 3, 30)
    ratio = Figure("f", "ns", {"a": list(10 * drift), "b": list(11 * drift)}).ratio("a", "b")
    assert ratio.low == pytest.approx(10 / 11)
    assert ratio.high == pytest.approx(10 / 11)


def test_a_base_of_zero_is_no_ratio():
    figure = Figure("f", "%", {"a": [1.0, 1.0], "b": [0.0, 1.0]})
    assert figure.ratio("a", "b") is None
    assert not figure.contradicts_medians("a", "b")


def test_a_ratio_can_contradict_the_medians():
    figure = Figure("f", "ns", {"a": [1.0, 10.0, 20.0], "b": [1.1, 11.0, 9.0]})
    assert figure.ratio("b", "a").median == pytest.approx(1.1)
    assert figure.median("b") < figure.median("a")
    assert figure.contradicts_medians("b", "a")
    assert not Figure("f", "ns", {"a": [1.0, 2.0], "b": [2.0, 4.0]}).contradicts_medians("b", "a")


def test_the_median_of_an_even_number_of_rounds_is_between_the_two_in_the_middle():
    assert Figure("f", "ns", {"a": [1.0, 2.0, 4.0, 9.0]}).median("a") == 3


def test_values_stand_in_the_policy_s_order():
    assert list(in_order({"b": [1.0], "a": [2.0]}, ("a", "b"))) == ["a", "b"]
