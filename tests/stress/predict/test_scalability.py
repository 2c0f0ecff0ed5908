"""The universal scalability law, fitted to points that it made."""

import numpy as np
import pytest

from stress.predict.scalability import fit, throughput

N = (1, 2, 4, 8, 16, 32)


def test_the_law_is_linear_without_losses_and_bends_back_with_coherency():
    assert list(throughput(N, 3.0, 0.0, 0.0)) == [3.0 * n for n in N]
    assert throughput(2, 1.0, 1.0, 0.0) == pytest.approx(1.0)  # all of it waits: no gain
    assert throughput(64, 1.0, 0.05, 0.01) < throughput(8, 1.0, 0.05, 0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("sigma", "kappa"), [(0.02, 0.001), (0.3, 0.0), (0.0, 0.01)])
def test_many_points_give_the_parameters_back(sigma, kappa):
    pytest.importorskip("scipy")
    rng = np.random.default_rng(3)
    rounds = {n: list(throughput(n, 5.0, sigma, kappa) * rng.normal(1, 0.01, 15)) for n in N}
    draws = np.array(fit(rounds).draws)
    assert np.median(draws, axis=0) == pytest.approx([5.0, sigma, kappa], rel=0.15, abs=0.01)
    for n in (64, 256):
        low, middle, high = fit(rounds).interval(n)
        assert low <= middle <= high
        assert 0.8 * low <= float(throughput(n, 5.0, sigma, kappa)) <= 1.25 * high


def test_two_points_are_met_and_the_interval_spans_contention_and_coherency():
    law = fit({1: [10.0] * 5, 2: [12.5] * 5})
    assert law.interval(1) == pytest.approx((10.0, 10.0, 10.0))
    assert law.interval(2) == pytest.approx((12.5, 12.5, 12.5))
    low, _, high = law.interval(64)
    all_sigma, all_kappa = float(throughput(64, 10.0, 0.6, 0.0)), float(throughput(64, 10.0, 0.0, 0.3))
    assert all_kappa <= low < 1.2 * all_kappa
    assert all_sigma / 3 < high <= all_sigma


def test_one_point_is_a_line():
    assert fit({1: [10.0]}).interval(8) == pytest.approx((80.0, 80.0, 80.0))


@pytest.mark.parametrize("rounds", [{}, {1: []}, {1: [2.0], 2: []}])
def test_no_rounds_are_refused(rounds):
    with pytest.raises(ValueError, match="no rounds"):
        fit(rounds)
