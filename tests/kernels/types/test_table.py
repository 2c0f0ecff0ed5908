"""The type table against the files that it names."""

import importlib

import pytest

from kernels.base.layout import Misc, Type
from kernels.migrate import movable
from kernels.types.table import TYPES

FOLIOS = (Type.FILE, Type.ANON, Type.KSM)


def test_every_tag_and_every_subtype_has_one_row():
    assert [row.tag for row in TYPES if row.subtype is None] == list(Type)
    assert [row.subtype for row in TYPES if row.subtype is not None] == list(Misc)
    assert all(row.tag == Type.MISC for row in TYPES if row.subtype is not None)


@pytest.mark.parametrize("row", TYPES, ids=lambda row: row.name)
def test_a_row_names_a_module_that_exists(row):
    assert (row.home == "") == (row.why == "none here")
    if row.home:
        importlib.import_module(f"kernels.{row.home}")
    assert row.home or not row.movable


@pytest.mark.parametrize("row", [row for row in TYPES if row.subtype is not None or row.tag != Type.MISC], ids=lambda row: row.name)
def test_what_the_chains_take_and_what_moves_is_the_same(machine, row):
    word = row.tag | (row.subtype << 4 if row.subtype is not None else 5 << 4)
    assert bool(machine.is_movable(word)) == (row.movable and row.tag not in FOLIOS)
    assert bool(machine.is_counted(word)) == row.counted


@pytest.mark.parametrize("row", [row for row in TYPES if row.movable and row.tag not in FOLIOS], ids=lambda row: row.name)
def test_a_type_that_moves_brings_its_transitions(row):
    name = row.home.split(".")[1]
    home = importlib.import_module(f"kernels.{row.home}")
    for transition in ("isolate", "migrate", "putback"):
        assert hasattr(home, f"{transition}_{name}")
        assert hasattr(movable, f"{transition}_{name}"), "and the chain uses it"
