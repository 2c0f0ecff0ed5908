"""Targets of a migration: what a free scanner captures and gives back, and what the allocator hands out instead."""

import pytest

from kernels.base.layout import CC_CAPACITY, CC_WANTED, Migratetype, Type
from tests.kernels.kit import free_lists

FROM_SCANNER, FROM_ALLOCATOR = 0, 1
UNMOVABLE, MOVABLE, _, ISOLATE = map(int, Migratetype)
LAST = 31  # pageblock of node 0, where its free scanner begins


@pytest.fixture
def filled(machine):
    """A machine, and a function that takes all of node 0 but these frames."""
    m, taken = machine, []

    def fill(*free):
        m["zone_min"][0] = m["zone_low"][0] = 0
        taken[:] = set(m.exhaust(0)) - set(free)
        m.give_back(free)

    yield m, fill
    m.cc_release()
    assert m["cc_pages"][0] == 0
    m.give_back(taken)
    assert m.free_frames() == 512


def captured(m):
    """Frames on this CPU's stacks, by order."""
    return {order: m["cc_frames"][order * CC_CAPACITY :][:count].tolist() for order, count in enumerate(m["cc_count"][:CC_WANTED]) if count}


def wanted(m):
    return m["cc_count"][CC_WANTED]


def test_captured_frames_are_in_no_free_list_and_go_back(filled):
    m, fill = filled
    fill(*range(240, 244), 246, 251)
    before = free_lists(m)
    m.want_targets(100)
    m.isolate_freepages(0)
    assert captured(m) == {0: [251, 246], 2: [240]}
    assert m["cc_pages"][0] == m.counter("compact_isolated") == 6
    assert m["zone_free"][0] == 0
    assert not m.has_targets()
    m.cc_release()
    assert free_lists(m) == before


def test_a_refill_ends_with_enough_and_the_next_one_continues_there(filled):
    m, fill = filled
    fill(249, 251, 253, 255)
    m.want_targets(2)
    m.isolate_freepages(0)
    assert m.has_targets()
    assert captured(m) == {0: [249, 251]}
    assert m["zone_free_pfn"][0] == 252
    m.want_targets(4)
    m.isolate_freepages(0)
    assert captured(m) == {0: [249, 251, 253, 255]}


def test_the_free_scanner_stays_above_the_migrate_scanner(filled):
    m, fill = filled
    fill(160, 168, 176)
    m["zone_migrate_pfn"][0] = 168
    m.want_targets(100)
    m.isolate_freepages(0)
    assert captured(m) == {0: [176]}
    assert m["zone_free_pfn"][0] == 168


def test_pageblocks_without_a_free_frame_are_scanned_at_fewer_frames(filled):
    m, fill = filled
    fill()
    m["zone_migrate_pfn"][0] = (LAST - 5) << 3
    m.want_targets(1)
    m.isolate_freepages(0)
    assert m.counter("compact_free_scanned") == 8 + 4 + 2 + 1 + 1


def test_what_a_free_scanner_passes_by(filled):
    m, fill = filled
    fill(*range(240, 248), *range(248, 252), 200, 208)
    m["block_migratetype"][200 >> 3] = UNMOVABLE
    assert [bool(m.suitable_target(block)) for block in (200 >> 3, 208 >> 3, 240 >> 3, 248 >> 3)] == [False, True, False, True]
    m["block_migratetype"][200 >> 3] = MOVABLE
    assert m.isolate_pageblock(208 >> 3)
    assert not m.suitable_target(208 >> 3)
    m.unisolate_pageblock(208 >> 3)
    assert m.isolate_freepages_block(240, 1) == 248, "free as a whole"
    assert captured(m) == {}


def test_a_larger_block_is_split_for_a_smaller_folio(filled):
    m, fill = filled
    fill(*range(248, 252))
    m.want_targets(4)
    m.isolate_freepages(0)
    assert captured(m) == {2: [248]}
    assert m.cc_pop(3) == -1
    assert m.cc_pop(0) == 248
    assert captured(m) == {0: [249], 1: [250]}
    assert m["cc_pages"][0] == 3
    m.cc_push(248, 0)


def test_a_full_stack_gives_to_the_zone(filled):
    m, fill = filled
    fill(248)
    m.want_targets(1)
    m.isolate_freepages(0)
    assert m.cc_pop(0) == 248
    m["cc_count"][0] = CC_CAPACITY
    m.cc_push(248, 0)
    m["cc_count"][0] = 0
    assert m["cc_pages"][0] == 0
    assert m["zone_free"][0] == 1


# ----------------------------------------------------------------------------------------------- for one object to move


def test_captured_frames_are_used_up_and_taken_back(filled):
    m, fill = filled
    fill(248, 250)
    m.want_targets(2)
    first, second = (m.alloc_target_frames(0, 0, FROM_SCANNER) for _ in range(2))
    assert {first, second} == {248, 250}
    assert wanted(m) == 0
    assert m.alloc_target_frames(0, 0, FROM_SCANNER) == -1, "nothing is captured on another node"
    m.free_target_frames(first, 0, FROM_SCANNER)
    assert (wanted(m), captured(m)) == (1, {0: [first]})
    assert m["zone_free"][0] == 0, "it is kept for the next folio"
    m.free_target_frames(second, 0, FROM_SCANNER)


def test_allocated_targets_may_be_on_another_node(filled):
    m, fill = filled
    fill()
    pfn = m.alloc_target_frames(0, 2, FROM_ALLOCATOR)
    assert pfn >= 256
    assert m.get_pageblock_migratetype(pfn) == MOVABLE
    m.free_target_frames(pfn, 2, FROM_ALLOCATOR)
    assert (wanted(m), captured(m)) == (0, {})


@pytest.mark.parametrize("targets", [FROM_SCANNER, FROM_ALLOCATOR])
@pytest.mark.parametrize("put", ["unused", "speculated"])
def test_a_target_folio(filled, targets, put):
    m, fill = filled
    src = m.desc_at(m.touch(0, 8, order=1))
    m.drain()
    fill(248, 249)
    m.want_targets(2)
    descriptors = m["desc_top"][0] + m["desc_cached"].sum()
    dst = m.alloc_target_folio(src, targets)
    pfn = int(m["folio_pfn"][dst])
    assert pfn == 248
    assert (m["folio_order"][dst], m["folio_type"][dst], m.refs(dst)) == (1, Type.ANON, 1)
    assert (m["mapping"][dst], m["flags"][dst], m["mapcount"][dst]) == (0, 0, 0), "C11: nothing of the source before the move"
    assert m.alloc_target_folio(src, FROM_SCANNER) == -1
    if put == "speculated":
        assert m.on(1).try_get_pfn(pfn) == dst
    m.free_target_folio(dst, targets)
    if put == "speculated":
        assert m.word(pfn) == m.desc_word(Type.ANON, dst)
        assert m.on(1).folio_put(dst)
    assert captured(m) == ({1: [248]} if (targets, put) == (FROM_SCANNER, "unused") else {})
    assert m["desc_top"][0] + m["desc_cached"].sum() == descriptors
    m.cc_release()
    m.drain()
    assert m["zone_free"][0] == 2
    m.zap_range(0, 8, 2)


def test_no_target_takes_no_descriptor(filled):
    m, fill = filled
    src = m.desc_at(m.touch(0, 8))
    m.drain()
    fill()
    descriptors = m["desc_top"][0] + m["desc_cached"].sum()
    assert m.alloc_target_folio(src, FROM_SCANNER) == -1
    assert m["desc_top"][0] + m["desc_cached"].sum() == descriptors
    m.zap_range(0, 8, 1)
