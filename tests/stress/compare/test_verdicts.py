"""What rows show: when a value is called better, what is missing otherwise, and how often noise is called a difference."""

import random

import numpy as np
import pytest

from stress.compare.turns import in_turn
from stress.compare.verdicts import ALPHA, RowGroup
from stress.measure.ratio import Figure


def figure(ratios, name="f", more_is_better=False):
    return Figure(name, "ns", {"a": [1.0] * len(ratios), "b": list(ratios)}, more_is_better)


def shown(*figures, **changed):
    return list(RowGroup("rows", figures, "a", **changed).verdicts().values())


def test_a_cost_that_is_lower_in_every_round_is_better():
    assert shown(figure([0.5] * 6)) == ["b better"]
    assert shown(figure([2.0] * 6)) == ["a better"]
    assert shown(figure([2.0] * 6, more_is_better=True)) == ["b better"]


def test_noise_shows_nothing():
    assert shown(figure([0.5, 2.0] * 8)) == ["no difference shown"]


@pytest.mark.parametrize(("nr_rows", "needed"), [(1, 6), (2, 7), (10, 9), (40, 11), (100, 12)])
def test_the_more_rows_are_judged_together_the_more_rounds_they_need(nr_rows, needed):
    def rows(nr_rounds):
        return [figure([0.5] * nr_rounds, name=str(number)) for number in range(nr_rows)]

    assert set(shown(*rows(needed))) == {"b better"}
    assert set(shown(*rows(needed - 1))) == {f"needs {needed} rounds"}


def test_rounds_that_are_missing_are_stated_as_an_option():
    (_, needed) = [line for line in RowGroup("storms", [figure([0.5] * 5)], "a", rounds_factor=3).notes() if "--rounds" in line]
    assert needed.endswith("1 rows judged together need 6 rounds: --rounds 18")


def test_one_odd_round_is_tolerated_alone_and_not_among_many_rows():
    odd = figure([0.5] * 9 + [2.0])
    assert shown(odd) == ["b better"]
    noise = [figure([0.5, 2.0] * 5, name=str(number)) for number in range(9)]
    assert shown(odd, *noise)[0] == "no difference shown"


def test_rows_that_are_decided_make_it_easier_for_the_others():
    odd = figure([0.5] * 9 + [2.0])
    clear = [figure([0.5] * 10, name=str(number)) for number in range(9)]
    assert shown(odd, *clear)[0] == "b better", "Holm: nine rows are decided, and the last is judged alone"


def test_a_small_effect_is_no_preference():
    assert shown(figure([1.019] * 15)) == ["differs by less than 2 %"]
    assert shown(figure([1.021] * 15)) == ["a better"]


def test_short_storms_show_nothing_and_say_why():
    group = RowGroup("storms", [figure([0.5] * 15)], "a", too_short="they are short: --seconds 2")
    assert set(group.verdicts().values()) == {"storms too short"}
    assert "  no conclusions: they are short: --seconds 2" in group.notes()
    assert not any("better" in line for line in group.notes())


def test_a_base_of_zero_is_not_judged():
    zero = Figure("z", "%", {"a": [0.0, 1.0], "b": [1.0, 1.0]})
    group = RowGroup("rows", [zero, figure([0.5] * 6)], "a")
    assert list(group.verdicts().values()) == ["no base", "b better"]
    assert group.nr_judged == 1


# ------------------------------------------------------------------------------------------------------ a value with itself

NR_ROWS = 40


def noise(rng, nr):
    """What a shared host does to a cost of 8.1 ns: bursts of 14 ns that last ten measurements on average, and jitter."""
    slow = np.cumsum(rng.random(nr) < 0.1) % 2
    return np.where(slow, 14.0, 8.1) * rng.lognormal(0, 0.1, nr)


def simulated(seed, nr_rounds, *, effect=1.0, nr_rows=NR_ROWS):
    """Rows of a comparison as they are measured, one after the other; the cost of "b" is `effect` times that of "a"."""
    rng = np.random.default_rng(seed)
    random.seed(seed)
    host = iter(noise(rng, nr_rounds * nr_rows * 2))
    taken = [{"a": [], "b": []} for _ in range(nr_rows)]
    for _ in range(nr_rounds):
        for row in taken:
            for value in in_turn(["a", "b"]):
                row[value].append(next(host) * (effect if value == "b" else 1))
    return RowGroup("rows", [Figure(str(number), "ns", row) for number, row in enumerate(taken)], "a")


@pytest.mark.slow
@pytest.mark.parametrize(("nr_rounds", "wrong_alone"), [(3, 0.25), (5, 0.0625), (15, 0.035)])
def test_a_value_compared_with_itself_is_not_called_better(nr_rounds, wrong_alone):
    groups = [simulated(seed, nr_rounds) for seed in range(20)]
    better = [[text for text in group.verdicts().values() if text.endswith("better")] for group in groups]
    assert sum(map(len, better)) <= ALPHA * NR_ROWS * len(groups)
    assert sum(map(bool, better)) <= 4, "of 20 comparisons one is wrong on average; five or more: 0.3 %"
    ratios = [each.ratio("b", "a") for group in groups for each in group.figures]
    excluding = np.mean([not ratio.low <= 1 <= ratio.high for ratio in ratios])
    assert excluding == pytest.approx(wrong_alone, abs=0.03), "the coverage of each interval alone, without correction"


@pytest.mark.slow
def test_a_real_difference_is_found_in_the_same_noise():
    groups = [simulated(seed, 25, effect=0.8, nr_rows=10) for seed in range(20)]
    verdicts = [text for group in groups for text in group.verdicts().values()]
    assert verdicts.count("b better") > len(verdicts) / 2
    assert verdicts.count("a better") == 0
