"""Every key of a scenario file is described; docs/scenarios.md is what the models say."""

import tomllib

import pytest
from pydantic import BaseModel, ConfigDict, Field

import stress.run.scenario_keys as module
from kernels.base.layout import MEETINGS, NUMBERS, POLICIES
from stress.roles import ROLES
from stress.run.scenario_keys import EXAMPLE, PAGE, listing, render, scenario_tables
from stress.storm.scenario import Fragmentation, Machine, Mix, Scenario, shipped_scenarios

TABLES = {"top of the file": Scenario, "[machine]": Machine, "[fragmentation]": Fragmentation, "[[workers]]": Mix}


def test_every_key_of_every_model_has_a_row_with_a_meaning():
    tables = {table.title: table for table in scenario_tables()}
    assert set(tables) == set(TABLES)
    for title, model in TABLES.items():
        assert [key.name for key in tables[title].keys] == list(model.model_fields)
        assert all(len(key.meaning) > 8 for key in tables[title].keys)


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("top of the file", ("summary", "text", "", "required")),
        ("top of the file", ("meetings", "list of text", "", "-")),
        ("top of the file", ("roles", "table of numbers", "0 to 1e+09", "-")),
        ("[[workers]]", ("roles", "table of numbers", "0 to 1e+09", "required")),
        ("top of the file", ("workers", "list of tables", "", "-")),
        ("top of the file", ("fragmentation", "table", "", "-")),
        ("top of the file", ("floor_per_minute", "integer", "at least 0", "50")),
        ("[machine]", ("frame_bytes", "integer", "64 to 4096", "4096")),
        ("[machine]", ("workers", "integer", "at least 1", "-")),
        ("[machine]", ("memory", "text", "", "-")),
        ("[machine]", ("fill", "number", "0.1 to 4", "0.8")),
        ("[fragmentation]", ("holes", "true or false", "", "true")),
    ],
)
def test_a_row_has_type_bounds_and_default(table, row):
    (keys,) = (each.keys for each in scenario_tables() if each.title == table)
    (key,) = (key for key in keys if key.name == row[0])
    assert (key.name, key.kind, key.bounds, key.default) == row


def test_the_listing_has_every_row_below_its_table():
    lines = listing()
    for table in scenario_tables():
        at = lines.index(f"{table.title}: {table.meaning}")
        assert lines[at + 1].split()[0] == "key"
        assert [line.split()[0] for line in lines[at + 2 : at + 2 + len(table.keys)]] == [key.name for key in table.keys]


def test_the_page_is_what_the_models_say():
    assert PAGE.read_text() == render(), "python -m stress.run.scenario_keys --write"


def test_a_new_key_changes_the_page(monkeypatch):
    class Larger(BaseModel):
        model_config = ConfigDict(extra="forbid")
        depth: int = Field(default=3, le=7, ge=1, description="how deep | it goes")
        machine: Machine = Field(default=Machine(), description="what is modelled")

    before = render()
    monkeypatch.setattr(module, "Scenario", Larger)
    assert "| `depth` | integer | 1 to 7 | 3 | how deep \\| it goes |" in render()
    assert "`depth`" not in before


def test_the_page_has_all_that_a_scenario_may_name():
    page = render()
    names = [*POLICIES, *(value for values in POLICIES.values() for value in values), *NUMBERS, *MEETINGS, *shipped_scenarios()]
    assert [name for name in names if f"| `{name}` |" not in page] == []


def test_the_example_is_a_scenario():
    scenario = Scenario.model_validate(tomllib.loads(EXAMPLE), context={"roles": tuple(role.name for role in ROLES)})
    assert scenario.name == "example"
    assert EXAMPLE in render()


def test_the_command_prints_and_writes(capsys, monkeypatch, tmp_path):
    assert module.main([]) == 0
    assert capsys.readouterr().out == render()
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "PAGE", tmp_path / "page.md")
    assert module.main(["--write"]) == 0
    assert (tmp_path / "page.md").read_text() == render()
    assert capsys.readouterr().out == ""
