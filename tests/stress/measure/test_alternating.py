"""The statistics of slices on a simulated host with two modes, and processes that are slow as a whole."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stress.measure.alternating import Slices, calibrated, fast_ns

CELL_NS, CALIBRATION_NS, SLOWDOWN = 10.0, 6.0, 1.6
NOISE = 0.02
WITHIN = 0.03  # of the true figure, whatever the host does


def host(seed, slow_share, *, nr_processes=5, per_process=30, slow_processes=0, cell_slowdown=SLOWDOWN):
    """Slices of a host that is slow for a share of the time; in some processes the cell alone takes 1.5 times as long."""
    random = np.random.default_rng(seed)
    processes = []
    for process in range(nr_processes):
        slow = random.random(per_process) < slow_share
        noise = 1 + NOISE * np.abs(random.normal(size=(per_process, 2)))
        cell = CELL_NS * np.where(slow, cell_slowdown, 1) * (1.5 if process < slow_processes else 1)
        calibration = CALIBRATION_NS * np.where(slow, SLOWDOWN, 1)
        processes.append(np.stack([cell, calibration], axis=1) * noise)
    return Slices.of(processes)


def ratio(slices, known_ns=CALIBRATION_NS):
    return calibrated(slices, fast_ns(slices.calibration_ns, known_ns)).ratio


@given(seed=st.integers(0, 1000), slow_share=st.floats(0, 1))
@settings(deadline=None, derandomize=True, max_examples=100)
def test_ratio_does_not_depend_on_the_share_of_time_in_the_slow_mode(seed, slow_share):
    assert ratio(host(seed, slow_share)) == pytest.approx(CELL_NS / CALIBRATION_NS, rel=WITHIN)


@given(seed=st.integers(0, 1000), slow_share=st.floats(0, 0.9))
@settings(deadline=None, derandomize=True, max_examples=50)
def test_ratio_holds_where_the_slow_mode_slows_the_cell_more_than_its_calibration(seed, slow_share):
    assert ratio(host(seed, slow_share, cell_slowdown=1.9)) == pytest.approx(CELL_NS / CALIBRATION_NS, rel=WITHIN)


@pytest.mark.parametrize("slow_processes", [0, 1, 2, 3])
def test_ratio_holds_while_some_processes_are_slow_as_a_whole(slow_processes):
    assert ratio(host(1, 0.3, slow_processes=slow_processes)) == pytest.approx(CELL_NS / CALIBRATION_NS, rel=WITHIN)


def test_a_mean_would_not():
    """Otherwise the host that is simulated here would prove nothing."""
    quiet, busy = host(1, 0.1), host(1, 0.9)
    assert busy.cell_ns.mean() / quiet.cell_ns.mean() > 1.4


def test_a_cell_that_is_slower_is_seen_in_any_mode():
    for slow_share in (0.0, 0.5, 1.0):
        before, after = host(1, slow_share), host(2, slow_share)
        slower = Slices(after.cell_ns * 1.2, after.calibration_ns, after.process)
        assert ratio(slower) / ratio(before) == pytest.approx(1.2, rel=WITHIN)


def test_only_the_slow_mode_gives_no_cost_and_says_so():
    result = calibrated(host(1, 1.0), fast_ns(host(1, 1.0).calibration_ns, CALIBRATION_NS))
    assert math.isnan(result.cost_ns)
    assert result.slow_share == 1.0
    assert result.ratio == pytest.approx(CELL_NS / CALIBRATION_NS, rel=WITHIN)


@pytest.mark.parametrize("slow_share", [0.0, 0.25, 0.75])
def test_cost_is_that_of_the_fast_mode_and_the_share_is_counted(slow_share):
    slices = host(3, slow_share)
    result = calibrated(slices, fast_ns(slices.calibration_ns))
    assert result.cost_ns == pytest.approx(CELL_NS, rel=WITHIN)
    assert result.slow_share == pytest.approx(slow_share, abs=0.1)


def test_known_fast_mode_counts_only_where_it_is_faster():
    assert fast_ns(np.full(20, 5.0), 6.0) == 5.0
    assert fast_ns(np.full(20, 9.0), 6.0) == 6.0
    assert fast_ns(np.full(20, 9.0)) == 9.0


def test_slices_are_paired_and_not_empty():
    with pytest.raises(ValueError, match="slices"):
        Slices(np.ones(3), np.ones(2), np.zeros(3, np.int64))
    with pytest.raises(ValueError, match="0 slices"):
        Slices(np.ones(0), np.ones(0), np.zeros(0, np.int64))


def test_one_slice_is_enough_for_a_test():
    result = calibrated(Slices(np.array([8.0]), np.array([4.0]), np.zeros(1, np.int64)), 4.0)
    assert (result.ratio, result.cost_ns, result.slow_share) == (2.0, 8.0, 0.0)
