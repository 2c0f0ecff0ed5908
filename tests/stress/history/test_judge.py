"""Verdicts on two commits: simulations with two-mode noise, and single cases."""

import math

import numpy as np
import pytest
from scipy import stats

from stress.history.judge import (
    ALPHA,
    FEWEST_PAIRS,
    HIDDEN,
    MOST_PAIRS,
    PAIRS,
    ChangeSize,
    Relevance,
    Shown,
    adjusted,
    compare,
    other_pairs,
    p_of_pairs,
    relevance_of,
    size_of,
)
from stress.history.noise import CellNoise
from tests.stress.history.kit import NoisyHost, cell, history

#: spread of a run, and how often it meets the slow mode: what is left of both when the time is taken as a ratio to a calibration, and worse
NASTY = [(0.005, 0.01), (0.01, 0.01), (0.012, 0.0), (0.03, 0.03), (0.05, 0.3), (0.004, 0.02)]
#: calibrated ratios differ by under 4 % between ten runs (the expected range of ten is 3.1 spreads)
CALM = [(0.003, 0.0), (0.006, 0.0), (0.01, 0.0), (0.012, 0.0), (0.013, 0.0), (0.002, 0.0)]
OLD, NEW = "old", "new"


def judged(host, nr_commits, nr_again, losses=()):
    """Two commits as `make bench` judges them: the suspected cells are repeated, in alternation, as the command does."""
    before = [f"c{number}" for number in range(nr_commits)]
    runs = [(commit, 0, host.run()) for commit in before] + [(OLD, 0, host.run())]
    runs += [(OLD, number, host.run()) for number in range(101, 101 + nr_again)] + [(NEW, 0, host.run(losses))]
    order, chosen = [*before, OLD, NEW], None
    for number in range(1, MOST_PAIRS + 2):
        made = history(runs, order)
        comparison = compare(made, (OLD, NEW))
        if chosen is None or number > PAIRS:
            chosen = {each.cell for each in comparison.shown(Shown.SUSPECTED)}
        if not chosen or number > MOST_PAIRS:
            break
        for commit in (OLD, NEW):
            values = host.run(losses if commit == NEW else ())
            runs.append((commit, number, {each: values[each] for each in chosen}))
    return comparison


HISTORIES = [(10, 0), (0, 10), (0, 0), (25, 3)]  # commits before both; A/A runs of the older one


def false_alarms(nr_comparisons, nr_cells, nr_commits, nr_again):
    """Comparisons of one program with itself that are a loss; a third of the cells has a slow mode that comes and goes."""
    comparisons = [judged(NoisyHost(NASTY, nr_cells, seed), nr_commits, nr_again) for seed in range(nr_comparisons)]
    nr_spikes = sum(len(each.shown(Shown.SPIKE)) for each in comparisons)
    assert nr_spikes > nr_comparisons, "hardly a spike was met: the test shows nothing"
    return [seed for seed, each in enumerate(comparisons) if each.is_loss]


@pytest.mark.slow
@pytest.mark.parametrize(("nr_commits", "nr_again"), HISTORIES)
def test_runs_of_one_program_are_no_loss(nr_commits, nr_again):
    assert false_alarms(20, 60, nr_commits, nr_again) == []


@pytest.mark.nightly
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("nr_commits", "nr_again"), HISTORIES)
def test_hundreds_of_comparisons_of_one_program_have_no_loss(nr_commits, nr_again):
    assert false_alarms(100, 120, nr_commits, nr_again) == []


@pytest.mark.slow
@pytest.mark.parametrize(("nr_commits", "nr_again"), [(10, 0), (0, 10), (0, 0)])
@pytest.mark.parametrize("kind", range(len(CALM)))
def test_a_loss_of_20_percent_is_found_each_time(kind, nr_commits, nr_again):
    for seed in range(10):
        host = NoisyHost(CALM, 24, f"{seed}:{kind}", heavy=False)
        lost = list(host.cells)[kind + 6]
        comparison = judged(host, nr_commits, nr_again, {lost})
        assert comparison.is_loss, seed
        assert [each.cell for each in comparison.shown(Shown.CONFIRMED)] == [lost], seed
        assert lost not in [each.cell for each in comparison.hidden()], seed
        assert len(comparison.hidden()) <= 1, seed


@pytest.mark.slow
def test_a_cell_whose_noise_hides_a_loss_is_listed():
    host = NoisyHost([(0.005, 0.0), (0.02, 0.3)], 40, 1)
    hidden = judged(host, 12, 0).hidden()
    noisy = {each for each, (_, slow) in host.cells.items() if slow}
    assert len(hidden) >= 15
    assert {each.cell for each in hidden} <= noisy
    assert all(each.visible > HIDDEN for each in hidden)


def steady(value, nr_commits=10, name="pairs.Pair.track_ratio"):
    return [(f"c{number}", 0, {cell(name): value * (1 + 0.004 * (number % 3))}) for number in range(nr_commits)]


def commits(runs):
    return list(dict.fromkeys(commit for commit, _, _ in runs))


def test_a_loss_of_the_newest_commit_alone_is_unconfirmed():
    runs = [*steady(2.0), (NEW, 0, {cell(): 2.6})]
    comparison = compare(history(runs, commits(runs)), ("c9", NEW))
    assert [each.shown for each in comparison.verdicts] == [Shown.SUSPECTED]
    assert not comparison.is_loss


def repeated(values_of_new, value_of_old=2.0):
    runs = [*steady(2.0), (NEW, 0, {cell(): 2.6})]
    for number, value in enumerate(values_of_new, 1):
        runs += [("c9", number, {cell(): value_of_old}), (NEW, number, {cell(): value})]
    return compare(history(runs, commits(runs)), ("c9", NEW))


def test_a_loss_that_repetitions_show_is_confirmed():
    comparison = repeated([2.6, 2.59, 2.61])
    (verdict,) = comparison.shown(Shown.CONFIRMED, slower=True)
    assert verdict.change == pytest.approx(math.log(1.3), abs=0.01)
    assert verdict.p <= ALPHA
    assert comparison.is_loss


def test_one_spike_among_the_repetitions_does_not_hide_a_loss():
    (verdict,) = repeated([2.6, 2.0, 2.61]).verdicts
    assert verdict.shown is Shown.SUSPECTED, "three pairs are too few now: the cell is known to be noisy"
    assert repeated([2.6, 2.0, 2.61, 2.6, 2.6, 2.59, 2.6]).is_loss


def test_a_spike_that_repetitions_do_not_show_is_no_change():
    comparison = repeated([2.0, 2.01, 2.0])
    assert [each.shown for each in comparison.verdicts] == [Shown.SPIKE]
    assert not comparison.is_loss


def test_two_spikes_of_four_runs_are_no_loss():
    assert not repeated([2.6, 2.0, 2.0]).is_loss


def test_a_gain_is_confirmed_and_is_no_loss():
    runs = [*steady(2.0), (NEW, 0, {cell(): 1.5})]
    for number in range(1, 4):
        runs += [("c9", number, {cell(): 2.0}), (NEW, number, {cell(): 1.5})]
    comparison = compare(history(runs, commits(runs)), ("c9", NEW))
    assert [each.cell for each in comparison.shown(Shown.CONFIRMED, slower=False)] == [cell()]
    assert not comparison.is_loss


def test_an_older_commit_that_was_fast_by_chance_does_not_make_a_loss():
    runs = [*steady(2.0), ("fast", 0, {cell(): 1.5}), (NEW, 0, {cell(): 2.0})]
    for number in range(1, 4):
        runs += [("fast", number, {cell(): 2.0}), (NEW, number, {cell(): 2.0})]
    assert not compare(history(runs, commits(runs)), ("fast", NEW)).shown(Shown.CONFIRMED)


def test_an_older_commit_that_was_slow_by_chance_does_not_hide_a_loss():
    runs = [*steady(2.0), ("slow", 0, {cell(): 2.6}), (NEW, 0, {cell(): 2.6})]
    assert [each.shown for each in compare(history(runs, commits(runs)), ("slow", NEW)).verdicts] == [Shown.SUSPECTED]


def test_later_commits_at_the_new_level_confirm_a_loss_since_an_older_one():
    runs = [*steady(2.0), *[(f"d{number}", 0, {cell(): 2.6}) for number in range(4)]]
    assert compare(history(runs, commits(runs)), ("c9", "d3")).is_loss
    assert not compare(history(runs, commits(runs)), ("c9", "d1")).is_loss, "one other run of the new level is too few"


def test_commits_in_between_that_are_at_the_old_level_do_not_refute_a_loss_of_the_newest():
    runs = [*steady(2.0), (NEW, 0, {cell(): 2.6})]
    assert [each.shown for each in compare(history(runs, commits(runs)), ("c5", NEW)).verdicts] == [Shown.SUSPECTED]


def test_repetitions_of_one_number_are_a_pair():
    runs = [*steady(2.0, 1), (NEW, 0, {cell(): 2.0})]
    runs += [("c0", 7, {cell(): 1.0}), ("c0", 8, {cell(): 3.0}), (NEW, 8, {cell(): 3.0}), (NEW, 9, {cell(): 1.0})]
    made = history(runs, commits(runs))
    pairs, nr_repeated = other_pairs(made.cells[cell()], ("c0", NEW))
    assert pairs == [0.0, 0.0]
    assert nr_repeated == FEWEST_PAIRS


def test_what_only_one_commit_has_is_not_compared():
    runs = [("a", 0, {cell(): 1.0, cell("pairs.Gone.track_ratio"): 1.0}), ("b", 0, {cell(): 1.0})]
    comparison = compare(history(runs, "ab"), ("a", "b"))
    assert [each.cell for each in comparison.verdicts] == [cell()]
    assert comparison.missing == [cell("pairs.Gone.track_ratio")]


def test_informative_benchmarks_are_not_judged_and_stand_beside():
    share = cell("pairs.Pair.track_slow_share")
    runs = [(commit, 0, {cell(): 1.0, share: value, cell("pairs.Pair.track_cost"): 1e-9}) for commit, value in (("a", 0.1), ("b", 0.9))]
    (verdict,) = compare(history(runs, "ab"), ("a", "b")).verdicts
    assert verdict.slow_shares == (0.1, 0.9)


def test_a_figure_that_was_zero_can_be_a_loss():
    runs = [(f"c{number}", 0, {cell(): 0.0}) for number in range(10)] + [(NEW, 0, {cell(): 0.5})]
    for number in range(1, 4):
        runs += [("c9", number, {cell(): 0.0}), (NEW, number, {cell(): 0.5})]
    assert compare(history(runs, commits(runs)), ("c9", NEW)).is_loss


@pytest.mark.parametrize(
    ("percent", "threshold_percent", "size"),
    [(1, 1, "very small"), (20, 15, "medium"), (20, 2, "large"), (50, 2, "very large"), (5, 2, "small"), (3, 2, "very small")],
)
def test_size_is_that_of_the_change_and_that_beyond_the_noise(percent, threshold_percent, size):
    assert size_of(math.log1p(percent / 100), math.log1p(threshold_percent / 100)).text == size
    assert size_of(-math.log1p(percent / 100), math.log1p(threshold_percent / 100)).text == size


@pytest.mark.parametrize(
    ("sizes", "relevance"),
    [
        ([], Relevance.NONE),
        ([ChangeSize.SMALL] * 4, Relevance.LOW),
        ([ChangeSize.VERY_SMALL] * 5, Relevance.MEDIUM),
        ([ChangeSize.SMALL] * 20, Relevance.HIGH),
        ([ChangeSize.MEDIUM], Relevance.MEDIUM),
        ([ChangeSize.MEDIUM] * 3, Relevance.HIGH),
        ([ChangeSize.LARGE], Relevance.HIGH),
        ([ChangeSize.VERY_LARGE], Relevance.HIGH),
    ],
)
def test_relevance(sizes, relevance):
    assert relevance_of(sizes) is relevance


def test_most_pairs_have_to_agree():
    noise = CellNoise(0.02, 0.01, np.empty(0), 0, pooled=True)
    assert p_of_pairs([1.0, 1.0, 0.0], noise) < 1e-6
    assert p_of_pairs([1.0, 0.0, 0.0], noise) == 1
    assert p_of_pairs([1.0, -1.0], noise) == 1
    assert p_of_pairs([-1.0, -1.0], noise) == p_of_pairs([1.0, 1.0], noise) < 1e-6


def test_p_values_are_those_of_chance():
    """Of pairs that are drawn from the noise itself, a tenth has a p-value below a tenth: exactly so, for an odd number of pairs."""
    noise = CellNoise(2.0, 1.0, np.empty(0), 0, pooled=True)
    drawn = stats.t.rvs(3, size=(4000, 3), random_state=np.random.default_rng(1))
    below = np.mean([p_of_pairs(list(row), noise) < 0.1 for row in drawn])
    assert 0.08 < below < 0.12


def test_many_suspects_need_smaller_p_values():
    assert adjusted([]) == []
    assert adjusted([0.0005])[0] <= ALPHA
    assert adjusted([0.0005, *[0.5] * 9])[0] > ALPHA
