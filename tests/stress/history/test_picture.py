"""Which cells the picture of a history shows."""

from stress.history.picture import CURVES, main_cells
from tests.stress.history.kit import cell, history

COMMITS = [f"{number:08x}" for number in range(8)]
OFTEN, RARE = cell("pairs.Pair.track_ratio"), cell("other.Other.track_ratio")


def measured(*cells):
    """A history in which each cell has a value in so many of the commits."""
    return history([(commit, 0, {each: 1.0 for each, nr in cells if at < nr}) for at, commit in enumerate(COMMITS)], COMMITS)


def test_a_cell_of_one_commit_is_no_curve():
    assert main_cells(measured((OFTEN, 8), (RARE, 1)), []) == [OFTEN]
    assert main_cells(measured((OFTEN, 8), (RARE, 2)), []) == sorted([OFTEN, RARE])


def test_without_any_curve_what_there_is_is_drawn():
    assert main_cells(measured((RARE, 1)), []) == [RARE]


def test_each_group_has_its_turn():
    many = [(cell("pairs.Pair.track_ratio", str(number)), 8) for number in range(2 * CURVES)]
    found = main_cells(measured(*many, (RARE, 8)), [])
    assert len(found) == CURVES
    assert RARE in found
