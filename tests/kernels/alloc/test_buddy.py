"""The buddy allocator of a zone: merging, splitting, stealing, and blocks that straddle pageblocks."""

import pytest

from kernels.base.layout import LC_ZONE, Bug, Migratetype, Type
from tests.kernels.kit import free_lists

UNMOVABLE, MOVABLE, RECLAIMABLE, ISOLATE = map(int, Migratetype)


def test_a_fresh_zone_is_one_block(machine):
    assert free_lists(machine) == [(0, 8, MOVABLE), (256, 8, MOVABLE)]


@pytest.mark.parametrize("order", range(9))
def test_split_and_merge(machine, order):
    m = machine
    pfn = m.buddy_alloc(0, order, MOVABLE)
    assert pfn == 0
    halves = [(1 << high, high, MOVABLE) for high in range(order, 8)]
    assert [each for each in free_lists(m) if each[0] < 256] == halves
    m.free_frozen_pages(pfn, order)
    m.drain()
    assert free_lists(m)[0] == (0, 8, MOVABLE)


def test_merging_stops_at_a_buddy_in_use_and_at_the_zone(machine):
    m = machine
    first, second = m.buddy_alloc(0, 0, MOVABLE), m.buddy_alloc(0, 0, MOVABLE)
    assert second == first ^ 1
    m.free_to_zone(first, 0, 2)
    assert m.word(first) == m.buddy_word(0)
    m.free_to_zone(second, 0, 2)
    assert m.word(first) == m.buddy_word(8), "256 frames a node: the buddy of order 8 is the other node's"


def test_nothing_left(machine):
    m = machine
    assert m.buddy_alloc(0, 8, MOVABLE) == 0
    assert m.buddy_alloc(0, 0, MOVABLE) == -1
    assert m.buddy_alloc(0, 9, MOVABLE) == -1
    m.free_frozen_pages(0, 8)


def test_a_steal_converts_the_blocks_it_takes(machine):
    m = machine
    pfn = m.buddy_alloc(0, 0, UNMOVABLE)
    assert m.counter("pageblock_steal") == 1
    assert {m.get_pageblock_migratetype(at) for at in range(256)} == {UNMOVABLE}, "the one block of the zone was taken whole"
    m.free_to_zone(pfn, 0, 2)


def fill_all_but(m, holes):
    """Take every frame of node 0 as movable singles, and give some back."""
    taken = [m.buddy_alloc(0, 0, MOVABLE) for _ in range(256)]
    m.give_back(holes)
    return sorted(set(taken) - set(holes))


def test_a_steal_from_a_half_free_pageblock_converts_it(machine):
    m = machine
    used = fill_all_but(m, [8, 9, 10, 11])
    assert m.buddy_alloc(0, 0, UNMOVABLE) == 8
    assert m.get_pageblock_migratetype(8) == UNMOVABLE
    assert [each[1:] for each in free_lists(m) if each[0] < 256] == [(0, UNMOVABLE), (1, UNMOVABLE)]
    m.give_back((*used, 8))


def test_a_steal_from_a_full_pageblock_takes_the_frame_alone(machine):
    m = machine
    used = fill_all_but(m, [8, 9])
    assert m.buddy_alloc(0, 0, RECLAIMABLE) == 8
    assert m.get_pageblock_migratetype(8) == MOVABLE
    m.give_back((*used, 8))


def test_fallback_takes_the_largest_block(machine):
    m = machine
    used = fill_all_but(m, [3, 16, 17, 18, 19])
    assert m.buddy_alloc(0, 0, UNMOVABLE) == 16
    m.give_back((*used, 16))


def test_fallback_order(machine):
    assert [machine.fallback_of(UNMOVABLE, rank) for rank in (0, 1)] == [RECLAIMABLE, MOVABLE]
    assert [machine.fallback_of(MOVABLE, rank) for rank in (0, 1)] == [RECLAIMABLE, UNMOVABLE]
    assert [machine.fallback_of(RECLAIMABLE, rank) for rank in (0, 1)] == [UNMOVABLE, MOVABLE]


def test_a_straddling_block_is_taken_apart(machine):
    m = machine
    m.spin_lock(0, LC_ZONE)
    assert m.move_freepages_block(5, ISOLATE) == 8
    m.spin_unlock(0)
    assert [each for each in free_lists(m) if each[2] == ISOLATE] == [(40, 3, ISOLATE)]
    assert m["zone_free"][0] == 248
    m.spin_lock(0, LC_ZONE)
    assert m.move_freepages_block(5, MOVABLE) == 8
    m.spin_unlock(0)


@pytest.mark.parametrize("isolated", [0, 1])
def test_a_block_freed_across_an_isolated_pageblock_is_taken_apart(machine, isolated):
    m = machine
    pfn = m.buddy_alloc(0, 4, MOVABLE)
    assert m.isolate_pageblock((pfn >> 3) + isolated)
    m.free_frozen_pages(pfn, 4)
    assert (pfn + 8 * isolated, 3, ISOLATE) in free_lists(m)
    assert m["zone_isolate_free"][0] == 8
    m.unisolate_pageblock((pfn >> 3) + isolated)


def test_neighbours_that_are_isolated_do_not_merge_with_others(machine):
    m = machine
    low, high = m.buddy_alloc(0, 3, MOVABLE), m.buddy_alloc(0, 3, MOVABLE)
    assert high == low ^ 8
    assert m.isolate_pageblock(low >> 3)
    m.free_frozen_pages(low, 3)
    m.free_frozen_pages(high, 3)
    assert {(low, 3, ISOLATE), (high, 3, MOVABLE)} <= set(free_lists(m))
    m.unisolate_pageblock(low >> 3)


def test_an_allocation_from_an_isolated_block_is_a_bug(machine):
    m = machine
    m["block_migratetype"][:32] = ISOLATE
    m.expect_bug(Bug.ISOLATED_ALLOC, lambda: m.buddy_alloc(0, 0, MOVABLE))


def test_a_free_block_whose_word_changed_is_a_bug(machine):
    m = machine
    m["memdesc"][0] = m.buddy_word(3)
    assert m.expect_bug(Bug.BUDDY_WORD, lambda: m.buddy_alloc(0, 0, MOVABLE))[1:] == (0, Type.BUDDY | 3 << 4, Type.BUDDY | 8 << 4)
