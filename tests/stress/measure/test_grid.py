"""The cells of the benchmark suite."""

import os

import pytest

from stress.measure import grid


@pytest.mark.parametrize("group", grid.GROUPS)
def test_names_are_unique_and_the_default_is_a_part_of_all(group):
    full = [spec.name for spec in grid.cells(group, "full")]
    default = [spec.name for spec in grid.cells(group, "default")]
    assert len(set(full)) == len(full)
    assert set(default) <= set(full)
    assert default == [spec.name for spec in grid.cells(group, "quick")]
    assert not set("()[]") & set("".join(full)), "asv selects cells by regular expressions"


def test_drawn_cells_stay_when_the_grid_grows(monkeypatch):
    before = grid.cells("allocation", "default")
    monkeypatch.setattr(grid, "ORDERS", (*grid.ORDERS, 4))
    after = grid.cells("allocation", "default")
    assert [spec for spec in after if "order 4" not in spec.name] == before
    assert len(grid.cells("allocation", "full")) > len(after)


@pytest.mark.parametrize(("processors", "counts"), [(1, (1,)), (2, (1, 2)), (3, (1, 2, 3)), (8, (1, 2, 4, 8)), (1024, (1, 2, 512))])
def test_workers_are_one_two_half_and_all_without_duplicates(monkeypatch, processors, counts):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(processors)))
    assert grid.worker_counts() == counts


def test_every_value_of_an_allocator_policy_is_a_cell(monkeypatch):
    monkeypatch.setitem(grid.POLICIES, "allocator", ("buddy", "bitfield"))
    names = [spec.name for spec in grid.cells("allocation", "default")]
    assert "order 0 pair, 1 worker" in names
    assert "order 0 pair, 1 worker, allocator=bitfield" in names


def test_mode_is_read_from_the_environment(monkeypatch):
    monkeypatch.delenv("PFNSTORM_BENCH", raising=False)
    assert grid.mode() == "default"
    monkeypatch.setenv("PFNSTORM_BENCH", "full")
    assert grid.mode() == "full"
    monkeypatch.setenv("PFNSTORM_BENCH", "fast")
    with pytest.raises(ValueError, match="fast"):
        grid.mode()
