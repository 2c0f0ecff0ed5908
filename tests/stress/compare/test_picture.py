"""The pictures of a comparison."""

import copy

import pytest

from stress.compare.picture import QUESTIONS, check_questions, plot
from stress.compare.saved import as_saved
from stress.errors import UserError
from tests.stress.compare.canned import COMPARISON


def part(*axes):
    """The comparison with some of its axes."""
    whole = copy.deepcopy(COMPARISON)
    whole["axes"] = {axis: whole["axes"][axis] for axis in axes}
    return whole


def test_an_axis_without_a_question_is_refused_before_measuring():
    with pytest.raises(UserError, match="batch; axes that have a picture: migration, offline, refcount"):
        check_questions(["batch"])
    check_questions(["batch", "offline"])


@pytest.mark.slow
def test_every_question_is_drawn_and_says_what_the_rounds_show(tmp_path):
    pytest.importorskip("matplotlib")
    plot(as_saved(COMPARISON), tmp_path / "out.svg")
    drawn = (tmp_path / "out.svg").read_text(encoding="utf-8")
    said = ("bitmap", "folios", "8 of 512", "no count", "3.00 times", "7 atomics, 0.9 lines", "frozen-bit", "no difference shown")
    assert [text for text in (*said, "a processor, 2 cores", "96.1 % intervals") if text not in drawn] == []


@pytest.mark.slow
@pytest.mark.parametrize("axis", QUESTIONS)
def test_a_question_alone_and_without_its_figures(axis, tmp_path):
    pytest.importorskip("matplotlib")
    plot(as_saved(part(axis)), tmp_path / "one.svg")
    empty = part(axis)
    empty["axes"][axis]["figures"] = []
    plot(as_saved(empty), tmp_path / "empty.svg")
