"""The noise of a cell from its own differences."""

import math

import pytest

from stress.history.judge import ALPHA, MOST_PAIRS
from stress.history.noise import ENOUGH, LEAST_THRESHOLD, UNKNOWN, differences, noise_of, noises
from tests.stress.history.kit import cell, history

RUNS = [2.0, 2.02, 1.99, 2.01, 2.0, 2.02, 1.98, 2.01, 2.0, 2.01]


def series(values, again=()):
    """A cell that was measured once for each commit; again: values of repetitions of the last one."""
    runs = [(f"c{at}", 0, {cell(): value}) for at, value in enumerate(values)]
    runs += [(f"c{len(values) - 1}", number, {cell(): value}) for number, value in enumerate(again, 1)]
    return history(runs, [f"c{at}" for at in range(len(values))])


def test_differences_are_those_between_commits_and_between_runs_of_one():
    found = differences(series([2.0, 2.1], again=[2.2, 2.1]).cells[cell()], None)
    assert found == pytest.approx([math.log(2.2 / 2.1), math.log(2.1 / 2.2), math.log(2.1 / 2.0)])


def test_a_lasting_step_is_no_noise_and_a_spike_is():
    stepped = differences(series([*RUNS, *[1.3 * value for value in RUNS]]).cells[cell()], None)
    assert max(map(abs, stepped)) < 0.05
    spiked = differences(series([*RUNS, 2.6, *RUNS]).cells[cell()], None)
    assert sorted(map(abs, spiked))[-2] > 0.2


def test_what_is_judged_is_not_its_own_noise():
    made = series([*RUNS, 2.6])
    assert max(map(abs, differences(made.cells[cell()], None))) < 0.05, "the newest run: a spike or a level"
    spiked = series([*RUNS, 2.6, 2.0])
    assert max(map(abs, differences(spiked.cells[cell()], ("c8", "c11")))) > 0.2
    assert sum(abs(each) > 0.2 for each in differences(spiked.cells[cell()], ("c8", "c10"))) == 1, "the way back is noise"
    assert max(map(abs, differences(made.cells[cell()], ("c9", "c10")))) < 0.05
    assert max(map(abs, differences(made.cells[cell()], ("c2", "c10")))) < 0.05, (
        "the step to the newest commit, whatever it is compared with"
    )


def test_the_threshold_is_the_outer_fence():
    noise = noise_of([0.01, -0.02, 0.03, -0.04, 0.05], nr_own=5, pooled=False)
    assert noise.threshold == pytest.approx(0.04 + 3 * 0.02)
    assert noise_of([0.0] * 9, nr_own=9, pooled=False).threshold == LEAST_THRESHOLD


def test_a_slow_mode_that_was_met_is_expected_again():
    calm = noise_of([0.01, -0.01] * 10, nr_own=20, pooled=False)
    moody = noise_of([0.01, -0.01] * 8 + [0.4, -0.4, 0.4, -0.4], nr_own=20, pooled=False)
    assert moody.chance(0.2) > 0.08
    assert calm.chance(0.2) < 0.001
    assert moody.chance(0.0) == 1
    assert noise_of([1.0] * 9, nr_own=9, pooled=False).chance(1.5) == 0.5, "each run differs by as much"


def test_what_is_visible_is_just_improbable_enough():
    for found in ([0.01, -0.02] * 10, [0.01, -0.01] * 9 + [0.4, -0.4]):
        noise = noise_of(found, nr_own=20, pooled=False)
        visible = noise.visible(MOST_PAIRS, ALPHA)
        from scipy import stats

        assert 2 * stats.binom.sf(MOST_PAIRS // 2, MOST_PAIRS, noise.chance(visible)) <= ALPHA * 1.001
        assert visible >= noise.threshold


def test_few_runs_take_the_noise_of_their_group():
    noisy = {f"pairs.Noisy{at}.track_ratio": [2.0, 2.4, 2.0, 2.4] for at in range(5)}
    calm = {f"bulk.Calm{at}.track_ratio": [2.0, 2.01, 2.0, 2.01] for at in range(5)}
    few = {"pairs.Few.track_ratio": [2.0, 2.0], "bulk.Few.track_ratio": [2.0, 2.0], "other.Few.track_ratio": [2.0]}
    runs = [
        (f"c{at}", 0, {cell(name): values[at] for name, values in {**noisy, **calm, **few}.items() if at < len(values)}) for at in range(4)
    ]
    found = noises(history(runs, [f"c{at}" for at in range(4)]), None)
    assert all(each.pooled for each in found.values())
    assert found[cell("pairs.Few.track_ratio")].threshold > 0.15 > found[cell("bulk.Few.track_ratio")].threshold
    assert found[cell("other.Few.track_ratio")].threshold > found[cell("bulk.Few.track_ratio")].threshold, "that of all groups"


def test_enough_runs_are_a_noise_of_their_own():
    runs = RUNS[: ENOUGH + 1]
    assert not noises(series(runs), None)[cell()].pooled
    assert noises(series(runs[:-1]), None)[cell()].pooled


def test_without_any_run_the_noise_is_what_is_usual():
    assert noises(series([2.0]), None)[cell()] is UNKNOWN
