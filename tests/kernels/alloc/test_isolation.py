"""Isolation of pageblocks, and capture of free blocks."""

import pytest

from kernels.base.layout import LC_ZONE, SH_OWNED, Migratetype
from tests.kernels.kit import free_lists

UNMOVABLE, MOVABLE, RECLAIMABLE, ISOLATE = map(int, Migratetype)


@pytest.mark.parametrize("order", range(4))
def test_nothing_of_an_isolated_block_is_allocated(machine, order):
    m = machine
    inside = m.alloc_on_node(0, order, MOVABLE)
    block = inside >> 3
    assert m.isolate_pageblock(block)
    assert not m.on(1).isolate_pageblock(block), "two isolators exclude each other"
    assert m["block_allocated"][block] == m.nr_allocated_in_block(block) == 1 << order
    taken = []
    while (pfn := m.alloc_frozen_pages(0, 0, MOVABLE)) >= 0:
        taken.append(pfn)
    assert len(taken) > 256, "both nodes were used up"
    assert block not in {pfn >> 3 for pfn in taken}
    m.free_frozen_pages(inside, order)
    assert m["zone_isolate_free"][0] == 8
    m.unisolate_pageblock(block)
    assert m["block_migratetype"][block] == MOVABLE
    for pfn in taken:
        m.free_frozen_pages(pfn, 0)
    assert m.free_frames() == 512


def test_the_old_type_comes_back(machine):
    m = machine
    pfn = m.buddy_alloc(0, 0, UNMOVABLE)
    assert m.isolate_pageblock(pfn >> 3)
    m.unisolate_pageblock(pfn >> 3)
    assert m.get_pageblock_migratetype(pfn) == UNMOVABLE


def test_the_count_of_a_block_that_is_free_is_zero(machine):
    m = machine
    frames = [m.buddy_alloc(0, 3, MOVABLE) for _ in range(2)]
    for pfn in frames:
        assert m.isolate_pageblock(pfn >> 3)
    for pfn in frames:
        m.free_frozen_pages(pfn, 3)
    allocated = [m.nr_allocated_in_block(pfn >> 3) for pfn in sorted(frames)]
    for pfn in frames:
        m.unisolate_pageblock(pfn >> 3)
    assert allocated == [0, 0]


def test_a_block_inside_a_larger_free_block_has_nothing_allocated(machine):
    m = machine
    assert [m.nr_allocated_in_block(block) for block in (0, 1, 31)] == [0, 0, 0]


def capture(m, pfn, order):
    m.spin_lock(pfn // 256, LC_ZONE)
    captured = m.capture_free_block(pfn, order)
    m.spin_unlock(pfn // 256)
    return captured


def test_capture_wants_the_block_as_it_was_found(machine):
    m = machine
    assert not capture(m, 0, 3)
    assert not capture(m, 8, 3)
    used = m.buddy_alloc(0, 3, MOVABLE)
    assert capture(m, 64, 6)
    assert (64, 6, MOVABLE) not in free_lists(m)
    assert m["zone_free"][0] == 256 - 8 - 64
    m.free_to_zone(64, 6, 3)
    m.free_to_zone(used, 3, SH_OWNED)


@pytest.mark.meets("capture_in_isolated_block_refused")
def test_nothing_of_an_isolated_block_is_captured(machine):
    m = machine
    used = m.buddy_alloc(0, 0, MOVABLE)
    assert m.isolate_pageblock(used >> 3)
    assert not capture(m, used ^ 1, 0), "free, of that order, and isolated"
    assert m.counter("met_capture_in_isolated_block_refused") == 1
    m.unisolate_pageblock(used >> 3)
    assert capture(m, used ^ 1, 0)
    assert m.counter("met_capture_in_isolated_block_refused") == 1
    m.free_to_zone(used ^ 1, 0, 3)
    m.free_to_zone(used, 0, SH_OWNED)


def test_capture_respects_the_watermark(machine):
    machine["zone_min"][0] = 100
    used = machine.buddy_alloc(0, 7, MOVABLE)
    assert not capture(machine, 128, 7)
    machine.free_to_zone(used, 7, SH_OWNED)
