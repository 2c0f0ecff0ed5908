"""Axes: which there are, what their values set, and a value compared with itself."""

import pytest

from kernels.base.layout import POLICIES
from stress.compare.axes import ComparedAxis, axes_of
from stress.compare.windows import BATCH, BATCHINGS
from stress.errors import UserError


def test_without_names_every_policy_that_has_a_choice_is_compared():
    assert {axis.name for axis in axes_of(())} == {name for name, values in POLICIES.items() if len(values) > 1} | {BATCH}
    assert axes_of(("refcount", "migration", "refcount")) == (ComparedAxis("refcount"), ComparedAxis("migration"))
    with pytest.raises(UserError, match=r"--axis weather: .* axes: migration"):
        axes_of(("weather",))


def test_offline_blocks_are_of_one_size_under_all_values():
    assert {policies["balloon_order"] for policies in ComparedAxis("offline").settings().values()} == {"0"}


@pytest.mark.parametrize("word", ["migration=list", "offline=zero", f"{BATCH}={next(iter(BATCHINGS))}"])
def test_a_value_compared_with_itself_has_two_names_and_sets_the_same(word):
    (axis,) = axes_of((word,))
    assert str(axis) == word
    first, second = axis.settings().values()
    assert first == second == ComparedAxis(axis.name).settings()[axis.twin]


@pytest.mark.parametrize("word", ["migration=", "migration=zero", "migration=list=list"])
def test_a_value_that_the_policy_lacks_is_refused(word):
    with pytest.raises(UserError, match=f"--axis {word}: no such value of migration; values: bitmap, list"):
        axes_of((word,))
