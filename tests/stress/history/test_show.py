"""A comparison as text."""

import math

import pytest

from stress.history.judge import compare
from stress.history.series import LARGEST
from stress.history.show import MOST_ROWS, comparison_lines, percent, value_text, verdict_text, verdict_word
from tests.stress.history.kit import cell, history


@pytest.mark.parametrize(
    ("ratio", "text"), [(1.213, "+21.3 %"), (0.8, "-20.0 %"), (1.0, "+0.0 %"), (10.0, "10 x or more"), (0.05, "1/10 or less")]
)
def test_a_change_is_a_share(ratio, text):
    assert percent(math.log(ratio)) == text
    assert percent(LARGEST) == "10 x or more"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (2.41, "calibrations", "2.41"),
        (8.1e-9, "seconds", "8.1 ns"),
        (3e-4, "seconds", "300.0 us"),
        (5, "faults", "5 faults"),
        (0.25, "", "0.25"),
    ],
)
def test_a_value_has_its_unit(value, unit, text):
    assert value_text(value, unit) == text


def two_commits(changes, *, repeated=3):
    """A comparison of two commits after ten calm ones; changes: benchmark -> ratio."""
    runs = [(f"c{at}", 0, {cell(name): 2.0 + 0.01 * (at % 2) for name in changes}) for at in range(10)]
    runs += [("new", 0, {cell(name): 2.0 * ratio for name, ratio in changes.items()})]
    for number in range(1, repeated + 1):
        runs += [("c9", number, {cell(name): 2.0 for name in changes}), ("new", number, runs[10][2])]
    made = history(runs, [*(f"c{at}" for at in range(10)), "new"])
    return made, compare(made, ("c9", "new"))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"a.track_b": 1.0}, "no relevant change"),
        ({"a.track_b": 1.2}, "slower"),
        ({"a.track_b": 0.8}, "faster"),
        ({"a.track_b": 0.8, "a.track_c": 1.2}, "mixed"),
        ({"a.track_b": 1.035}, "no relevant change"),
    ],
)
def test_the_whole_comparison_is_a_word(changes, word):
    _, comparison = two_commits(changes)
    assert verdict_word(comparison) == word
    assert verdict_text(comparison).startswith(f"verdict: {word}: ")


def test_a_suspicion_leaves_the_comparison_undecided():
    assert verdict_word(two_commits({"a.track_b": 1.2}, repeated=0)[1]) == "undecided"


def test_a_small_loss_is_shown_and_has_low_relevance():
    made, comparison = two_commits({"a.track_b": 1.035})
    assert "1 loss (low relevance)" in verdict_text(comparison)
    assert "slower, confirmed" in comparison_lines(made, comparison, {})


def test_long_tables_are_cut_and_say_so():
    made, comparison = two_commits({f"a.B{at}.track_c": 1.3 for at in range(MOST_ROWS + 3)})
    lines = comparison_lines(made, comparison, {})
    assert "  and 3 more: --json has them all" in lines
    assert sum("a  B" in line for line in lines) == MOST_ROWS
