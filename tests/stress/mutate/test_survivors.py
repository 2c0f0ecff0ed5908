"""The table of explained mutants: checked key by key, and of mutants that exist."""

import pytest

from stress.errors import UserError
from stress.mutate.operators import mutants_of
from stress.mutate.survivors import Survivor, explained
from stress.mutate.woven import ROOT


def test_every_explanation_is_of_a_mutant_that_exists():
    stale = set(explained()) - {each.name for each in mutants_of(ROOT)[0]}
    assert not stale, "tests/mutants/survivors.toml explains mutants that no longer exist:\n  " + "\n  ".join(sorted(stale))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[[survivor]]\nmutants = ["a"]\nwhy = "equivalent"\nreason = "short"', "reason"),
        ('[[survivor]]\nmutants = ["a"]\nwhy = "bad luck"\nreason = "a reason that is long enough"', "why"),
        ('[[survivor]]\nmutants = ["a", "a"]\nwhy = "equivalent"\nreason = "a reason that is long enough"', "explained twice"),
        ('[[survivor]]\nmutants = []\nwhy = "equivalent"\nreason = "a reason that is long enough"', "mutants"),
        ("[[survivor", "toml"),
    ],
)
def test_a_mistake_in_the_table_is_one_line(tmp_path, text, complaint):
    path = tmp_path / "survivors.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=complaint) as caught:
        explained(path)
    assert "\n" not in str(caught.value)


def test_each_mutant_of_an_entry_is_explained_by_it(tmp_path):
    path = tmp_path / "survivors.toml"
    path.write_text('[[survivor]]\nmutants = ["a", "b"]\nwhy = "hardware"\nreason = "a reason that is long enough"')
    table = explained(path)
    assert set(table) == {"a", "b"}
    assert table["a"] is table["b"]
    assert explained(tmp_path / "nosuch.toml") == {}


@pytest.mark.parametrize(("why", "same"), [("equivalent", True), ("hardware", True), ("performance", False), ("seldom", False)])
def test_only_what_no_modelled_machine_shows_leaves_the_score(why, same):
    assert Survivor(mutants=("a",), why=why, reason="a reason that is long enough").no_model_differs is same
