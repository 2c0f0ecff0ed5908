"""A model as a net: what counts as a finding."""

import pytest

from stress.explore.diagnosis import Found
from stress.mutate.explore_net import MET_MIN, never_met, shown


def test_a_meeting_that_no_longer_happens_is_found_unless_it_was_rare():
    assert never_met({"a": MET_MIN, "b": MET_MIN - 1, "c": 500}, {"a": 0, "b": 0, "c": 1}) == ["a"]
    assert never_met({}, {"a": 0}) == []


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Found("bug", "SHADOW"), "SHADOW"),
        (Found("at-rest", "conservation"), "conservation"),
        (Found("race", "refcount"), "race refcount"),
        (Found("deadlock"), "deadlock"),
    ],
)
def test_a_failure_is_shown_in_a_word_or_two(found, text):
    assert shown(found) == text
