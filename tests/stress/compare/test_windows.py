"""Loads, the pageblocks that are migrated, and that each interface moves each load."""

import functools
from types import SimpleNamespace

import numpy as np
import pytest

from kernels.base.layout import POLICIES, T_ANON
from stress.compare.windows import AXES, BATCH, BATCHINGS, FOLIO, FOLIOS, LOADS, Windows, loads_of

PAGEBLOCK_ORDER = 3
DENSE, SPARSE = LOADS[0], LOADS[1]  # every frame in use, every eighth


def test_an_axis_has_the_loads_that_it_affects():
    assert loads_of("migration") == LOADS
    assert all(load.offline for load in loads_of("offline"))
    batched = loads_of(BATCH)
    assert {load.interface for load in batched} == set(POLICIES["migration"])
    assert not any(load.offline for load in batched)
    assert len({load.name for load in batched}) == len(batched)


def test_numa_balancing_moves_folios_and_no_offline_blocks():
    anon, offline = (next(load for load in LOADS if load.offline is each) for each in (False, True))
    assert anon.values("migration") == (*POLICIES["migration"], FOLIOS, FOLIO)
    assert offline.values("migration") == POLICIES["migration"]
    assert anon.values(BATCH) == tuple(BATCHINGS)


def machine_of(in_use, window_blocks=1):
    """Windows over a machine of 16 pageblocks of 8 frames, of which these hold anonymous folios."""
    memdesc = np.zeros(16 << PAGEBLOCK_ORDER, np.int64)
    memdesc[in_use] = T_ANON
    machine = Windows.__new__(Windows)  # no segment is made, and no kernel is compiled
    machine.mem = SimpleNamespace(pageblock_order=PAGEBLOCK_ORDER, arrays={"memdesc": memdesc})
    machine.window_blocks = window_blocks
    return machine


def test_full_pageblocks_are_moved_and_those_with_targets_are_not():
    full, partly = list(range(8, 16)), [32, 33]
    assert machine_of(full + partly)._blocks(DENSE) == [1]
    assert machine_of(partly)._blocks(DENSE) == [4]  # none is full: all are moved
    assert machine_of([8, 32, 33])._blocks(SPARSE) == [1, 4]  # one frame of eight is all that this load puts there


@pytest.mark.parametrize(
    ("window_blocks", "runs"),
    [(1, [(1, 1), (2, 1), (3, 1), (9, 1), (15, 1)]), (2, [(1, 2), (3, 2), (9, 2), (15, 1)]), (4, [(1, 4), (9, 4), (15, 1)])],
)
def test_windows_cover_each_block_once_and_end_with_the_machine(window_blocks, runs):
    assert machine_of([], window_blocks)._runs([1, 2, 3, 9, 15]) == runs


# -------------------------------------------------------------------------------------------------------------- a machine


@functools.cache
def windows(span):
    return Windows(frame_bytes=64, nr_spaces=2, window_blocks=span)


CASES = [(axis, load, value) for axis in AXES for load in loads_of(axis) for value in load.values(axis)]


@pytest.mark.slow
@pytest.mark.parametrize(("axis", "load", "value"), CASES, ids=[f"{load.name}-{value}" for _, load, value in CASES])
def test_every_interface_moves_every_load(axis, load, value):
    machine = windows(BATCHINGS.get(value, {}).get("window_blocks", 1))
    machine.choose(axis, load, value)
    present = machine.fill(load)
    migrated = machine.migrate(load, value)
    assert present / 8 <= migrated <= 2 * present
    machine.empty(load)
    ns = machine.stage_ns(axis, load, value)
    assert sum(ns.values()) > 0
    assert min(ns.values()) >= -1e-9
