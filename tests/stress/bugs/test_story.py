"""Stories: checked key by key, and what catches a bug."""

import json

import pytest

from stress.bugs.story import Story, read_story, scenario_text, seeded_bugs
from stress.errors import UserError

STORY = {
    "title": "a title that says it",
    "recreates": "A1",
    "interleaving": "one does this and another does that",
    "invariant": "I1",
    "expect": ["conservation", "bug:SHADOW", "stalled"],
}


def test_a_story_says_what_catches_it():
    story = Story.model_validate(STORY | {"proves": ["conservation"]})
    assert story.is_caught_by({"conservation", "lru"})
    assert not story.is_caught_by({"bug:SHADOW"})  # caught, but the checker that it is to prove said nothing
    assert Story.model_validate(STORY).is_caught_by({"stalled"})
    assert not Story.model_validate(STORY).is_caught_by({"lru"})


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"expect": ["bug:NOSUCH"]}, "unknown code 'NOSUCH'"),
        ({"expect": ["nosuch"]}, "unknown net 'nosuch'"),
        ({"proves": ["lru"]}, "proves lru but does not expect it"),
        ({"silence": ["SHADOW"]}, "expects bug:SHADOW but silences it"),
        ({"mood": "good"}, "mood"),
        ({"storm": {"pageblock_order": 5}}, r"storm\.pageblock_order needs \[roles\]"),
    ],
)
def test_a_story_with_a_mistake_is_refused_in_one_line(tmp_path, changed, complaint):
    path = tmp_path / "a.toml"
    table = STORY | changed
    storm = table.pop("storm", {})
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    path.write_text("\n".join([*lines, "[storm]", *(f"{key} = {value}" for key, value in storm.items())]))
    with pytest.raises(UserError, match=complaint) as caught:
        read_story(path)
    assert "\n" not in str(caught.value)


def test_bugs_that_are_not_there_are_said_to_be_missing(tmp_path):
    with pytest.raises(UserError, match="not part of this installation"):
        seeded_bugs(folder=tmp_path / "nosuch")
    with pytest.raises(UserError, match=r"unknown bug 'nosuch'; `pfnstorm bugs --list` shows all"):
        seeded_bugs(["nosuch"])
    with pytest.raises(UserError, match=r"did you mean freed_locked or "):
        seeded_bugs(["freed_lock"])


def test_a_story_with_roles_is_a_scenario():
    assert "anon = 2" in scenario_text(Story.model_validate(STORY | {"roles": {"anon": 2.0}}))


@pytest.mark.parametrize(("check", "chaos", "flavour"), [("rest", 0, "fast"), ("full", 0, "checked"), ("rest", 0.01, "checked")])
def test_full_checks_and_chaos_need_the_checked_flavour(check, chaos, flavour):
    assert Story.model_validate(STORY | {"storm": {"check": check, "chaos": chaos}}).storm.flavour == flavour
