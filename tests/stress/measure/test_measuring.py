"""What is measured and counted, and that a policy really changes what is done."""

import functools

import pytest

from stress.compare import counts
from stress.compare.windows import AXES, BATCHINGS, FOLIO, FOLIOS, Windows, loads_of

pytestmark = pytest.mark.slow


@functools.cache
def counted(axis="migration"):
    return counts.counts(axis)


@functools.cache
def windows(span):
    return Windows(frame_bytes=64, nr_spaces=2, window_blocks=span)


CASES = [(axis, load, value) for axis in AXES for load in loads_of(axis) for value in load.values(axis)]


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


def test_an_offline_block_needs_no_descriptor_by_bitmap_and_one_by_list():
    by_value = counted()["offline, 512 of 512"]
    lines = {value: sum(stage["lines"] for stage in stages.values()) for value, stages in by_value.items()}
    assert lines["list"] - lines["bitmap"] > 1


def test_a_folio_costs_the_same_atomics_by_either():
    by_value = counted()["anon, 512 of 512"]
    atomics = {value: sum(stage["atomics"] for stage in stages.values()) for value, stages in by_value.items()}
    assert atomics["list"] == pytest.approx(atomics["bitmap"], abs=0.2)
    assert atomics[FOLIOS] < atomics["list"], "NUMA balancing starts from a mapping and needs no speculative reference"
    assert atomics[FOLIO] > atomics[FOLIOS], "a flush each"


def test_an_offline_frame_without_a_count_costs_the_fewest_atomics():
    (by_value,) = counted("offline").values()
    atomics = {value: sum(stage["atomics"] for stage in stages.values()) for value, stages in by_value.items()}
    assert atomics["none"] < atomics["zero"] < atomics["counted"]


def test_only_the_bitmap_scans_before_it_isolates():
    for load, by_value in counted().items():
        assert by_value["bitmap"]["scan"]["accesses"] > 0, load
        assert by_value["list"]["scan"]["accesses"] == 0, load
