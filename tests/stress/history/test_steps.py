"""Levels and lasting changes."""

import math

import pytest

from stress.history.overview import lasting_changes
from stress.history.series import LARGEST, change
from stress.history.steps import levels, new_levels
from tests.stress.history.kit import NoisyHost, cell, history

RUNS = [2.0, 2.02, 1.99, 2.01, 2.0, 2.02]
SLOWER = [1.3 * value for value in RUNS]


def made(*values):
    return history([(f"c{at}", 0, {cell(): value}) for at, value in enumerate(values)], [f"c{at}" for at in range(len(values))])


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (1, 1, 0),
        (1, 2, math.log(2)),
        (2, 1, -math.log(2)),
        (0, 1, LARGEST),
        (1, 0, -LARGEST),
        (0, 0, 0),
        (1e-9, 1e9, LARGEST),
        (1, -1, -LARGEST),
    ],
)
def test_a_change_is_the_logarithm_of_a_ratio(before, after, expected):
    assert change(before, after) == pytest.approx(expected)


def begins(*values, again=()):
    """The numbers of the commits at which a level begins; again: repetitions of the last one."""
    last = f"c{len(values) - 1}"
    runs = [(f"c{at}", 0, {cell(): value}) for at, value in enumerate(values)]
    runs += [(last, number, {cell(): value}) for number, value in enumerate(again, 1)]
    series = history(runs, [f"c{at}" for at in range(len(values))]).cells[cell()]
    return sorted(int(commit[1:]) for commit in new_levels(series, 0.05))


def test_levels_leave_spikes_out():
    assert [level.at for level in levels([*RUNS, 5.0, *RUNS], 0.05)] == [[*range(6), *range(7, 13)]]
    assert begins(*RUNS, *SLOWER) == [6]
    assert begins(*RUNS, 5.0, *SLOWER) == [7]
    assert begins(*RUNS, 5.0, *RUNS) == []
    assert begins(*RUNS, *SLOWER[:3], *RUNS) == [], "a slow mode that came and went"
    assert begins(*RUNS, *SLOWER, *RUNS) == [6, 12]


def test_the_newest_commit_begins_a_level_by_its_repetitions_or_may_do_so():
    assert begins(*RUNS, 2.6) == [6], "a spike or a level: not known yet"
    assert begins(*RUNS, 2.6, 2.6) == [6, 7], "the same"
    assert begins(*RUNS, 2.6, again=[2.6, 2.61]) == [6]
    assert begins(*RUNS, 2.6, again=[2.0, 2.01]) == []
    assert begins(*RUNS, 2.01) == []


def test_lasting_changes_name_their_commit_and_size():
    (found,) = lasting_changes(made(*RUNS, *SLOWER, *[value * 1.01 for value in SLOWER]))
    assert (found.before, found.commit) == ("c5", "c6")
    assert found.change == pytest.approx(math.log(1.3), abs=0.01)
    assert found.p < 0.001


def test_a_spike_or_a_single_run_is_no_lasting_change():
    assert lasting_changes(made(*RUNS, 2.6, *RUNS)) == []
    assert lasting_changes(made(*RUNS, *RUNS, 2.6)) == []
    assert lasting_changes(made(2.0, 2.6)) == []


@pytest.mark.slow
def test_a_history_of_noise_has_no_lasting_change():
    for seed in range(5):
        host = NoisyHost([(0.01, 0.0), (0.02, 0.02), (0.05, 0.3), (0.02, 0.05)], 60, seed, heavy=seed % 2)
        order = [f"c{at}" for at in range(25)]
        assert lasting_changes(history([(commit, 0, host.run()) for commit in order], order)) == [], seed
