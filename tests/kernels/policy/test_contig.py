"""Ranges of pageblocks: isolated, evacuated and taken whole, or left as they were when that fails."""

import numpy as np
import pytest

from kernels.base.layout import NONE_WORD, SH_OWNED, Migratetype, Refusal
from tests.kernels.kit import free_lists
from tests.kernels.map.test_pagecache import cached

MOVABLE, UNMOVABLE, ISOLATE = map(int, (Migratetype.MOVABLE, Migratetype.UNMOVABLE, Migratetype.ISOLATE))
BLOCK = 8


def test_a_mixed_block_is_emptied(machine):
    m = machine
    pfns = [m.touch(0, 8), int(m["folio_pfn"][cached(m, 0, 4)]), m.alloc_frozen_pages(0, 0, 1)]
    m.balloon_inflate(0, pfns[2], 0)
    m.touch(4, 8, order=2)
    m.lru_add_drain()
    block = pfns[0] >> 3
    assert m.isolate_and_evacuate(block) == 0
    assert m.on(1).isolate_and_evacuate(block) == -1
    assert m["zone_isolate_free"][0] == 8
    m.unisolate_pageblock(block)
    assert m.task_access(0, 8, 1) == m.task_access(4, 8, 1) == m.file_read(0, 0, 4, 0) == 0


def test_what_cannot_move_is_counted(machine):
    m = machine
    kernel = m.alloc_frozen_pages(0, 0, 1)
    pfn = m.touch(0, 8)
    m.lru_add_drain()
    assert kernel >> 3 == pfn >> 3
    assert m.isolate_and_evacuate(pfn >> 3) == 1
    assert m.pte(0, 8) >> 13 != pfn >> 3
    m.unisolate_pageblock(pfn >> 3)
    m.free_frozen_pages(kernel, 0)


# ------------------------------------------------------------------------------------------------------------- the range


def populated(m, nr_pages=48):
    """The frames of so many pages of a task; some of them wait in this CPU's LRU batch, and in another's."""
    return [(m.on(vpage % 2 * 2)).touch(0, vpage) for vpage in range(nr_pages)]


def around(pfns, nr_blocks):
    """A range of whole pageblocks, aligned to no more than that, with most of these frames in it."""
    first = min(pfns) // BLOCK * BLOCK
    return first, first + nr_blocks * BLOCK


def blocks_of(m):
    """What a range that was refused must leave as it was: types of pageblocks and the zone's count of isolated ones."""
    return m["block_migratetype"].copy(), m["zone_nr_isolate"].copy(), m["zone_pcp_disabled"].copy()


def assert_as_before(m, before):
    for was, now in zip(before, blocks_of(m), strict=True):
        assert (was == now).all()
    assert m["lru_disabled"][0] == 0
    assert not m["zone_isolate_free"].any()


def test_a_range_of_many_pageblocks_is_emptied_and_taken(machine):
    m = machine
    start, end = around(populated(m), 6)
    total, before = m.free_frames(), blocks_of(m)
    assert m.alloc_contig_range(start, end) == -1
    assert (m["memdesc"][start:end] == NONE_WORD).all()
    assert m.free_frames() == total - (end - start)
    assert_as_before(m, before)
    assert all(m.task_access(0, vpage, 1) == 0 and not start <= m.pte(0, vpage) >> 10 < end for vpage in range(48))
    m.free_contig_range(start, end - start)
    assert m.free_frames() == total


@pytest.mark.parametrize(("start", "end"), [(3, 9), (8, 19), (13, 40), (17, 18)])
def test_free_blocks_that_straddle_an_end_stay_free_outside(machine, start, end):
    m = machine
    total = m.free_frames()
    assert m.alloc_contig_range(start, end) == -1
    free = np.zeros(512, bool)
    for pfn, order, _ in free_lists(m):
        free[pfn : pfn + (1 << order)] = True
    assert (np.flatnonzero(~free) == np.arange(start, end)).all()
    m.free_contig_range(start, end - start)
    assert m.free_frames() == total


def test_a_folio_that_straddles_the_start_is_moved_whole(machine):
    m = machine
    head = m.touch(0, 8, order=3)
    m.lru_add_drain()
    assert m.alloc_contig_range(head + 3, head + 12) == -1
    moved = m.pte(0, 8) >> 10
    assert moved != head
    assert moved % 8 == 0
    m.free_contig_range(head + 3, 9)


def test_a_folio_larger_than_a_pageblock_is_moved_whole(machine):
    """Its head is below the pageblock that is wanted."""
    m = machine
    desc = m.get_folio(0, 0, 0, 4)  # a file's folio of 16 pages
    head = int(m["folio_pfn"][desc])
    m.folio_put(desc)
    m.lru_add_drain()
    assert m.alloc_contig_range(head + 8, head + 16) == -1
    moved = m.load_entry(0, 0) - 1
    assert m["folio_order"][moved] == 4
    assert m["folio_pfn"][moved] not in range(head - 15, head + 16)
    assert m.file_read(0, 0, 15, 0) == 0
    m.free_contig_range(head + 8, 8)


def test_what_does_not_move_refuses_the_range_before_anything_moves(machine):
    m = machine
    pfns = populated(m, 16)
    kernel = m.alloc_frozen_pages(0, 0, UNMOVABLE)
    start, end = kernel // BLOCK * BLOCK - BLOCK, kernel // BLOCK * BLOCK + BLOCK
    m["memdesc"][kernel] = 6 << 4  # kmalloc
    before = blocks_of(m)
    assert m.alloc_contig_range(start, end) == Refusal.UNMOVABLE
    assert_as_before(m, before)
    assert [m.pte(0, vpage) >> 10 for vpage in range(16)] == pfns
    m["memdesc"][kernel] = NONE_WORD
    m.free_frozen_pages(kernel, 0)


@pytest.mark.parametrize("which", [0, 2, 5], ids=["first", "between", "last"])
def test_a_pageblock_that_another_cpu_isolated_refuses_the_range(machine, which):
    m = machine
    start, end = around(populated(m), 6)
    assert m.on(1).isolate_pageblock((start >> 3) + which)
    before = blocks_of(m)
    assert m.alloc_contig_range(start, end) == Refusal.ISOLATED
    for was, now in zip(before, blocks_of(m), strict=True):
        assert (was == now).all()
    m.on(1).unisolate_pageblock((start >> 3) + which)
    assert m.alloc_contig_range(start, end) == -1
    m.free_contig_range(start, end - start)


@pytest.mark.slow
def test_a_reference_refuses_the_range_and_everything_is_put_back(machine):
    """I15, I18: what moved has moved, what did not is where it was, and every pageblock is of its old type."""
    m = machine
    pfns = populated(m)
    start, end = around(pfns, 6)
    kept = next(vpage for vpage in range(48) if start <= pfns[vpage] < end)
    m.drain()
    desc = m.try_get_pfn(pfns[kept])
    before, total = blocks_of(m), m.free_frames()
    assert m.alloc_contig_range(start, end) == Refusal.REFERENCED
    assert_as_before(m, before)
    assert m.pte(0, kept) >> 10 == pfns[kept]
    assert m.free_frames() == total
    assert (m["lru_isolated"] == 0).all()
    m.folio_put(desc)
    assert all(m.task_access(0, vpage, 1) == 0 for vpage in range(48))
    assert m.alloc_contig_range(start, end) == -1
    m.free_contig_range(start, end - start)


@pytest.mark.slow
def test_no_memory_refuses_the_range(machine):
    m = machine
    pfns = populated(m, 16)
    start, end = around(pfns, 2)
    m.drain()
    m["zone_min"][:], m["zone_low"][:] = 1 << 20, 1 << 20
    before = blocks_of(m)
    assert m.alloc_contig_range(start, end) == Refusal.NOMEM
    assert_as_before(m, before)
    m["zone_min"][:], m["zone_low"][:] = 4, 8


def test_a_free_huge_page_is_dissolved(machine):
    m = machine
    pfn = m.alloc_frozen_pages(0, 3, MOVABLE)
    desc = m.huge_add_surplus(0, pfn)
    m["huge_surplus"][0] = 0  # one of the pool's
    assert m.alloc_contig_range(pfn, pfn + 8) == Refusal.UNMOVABLE, "in use"
    m.folio_put(desc)
    assert m.alloc_contig_range(pfn, pfn + 8) == -1
    assert m["huge_nr"][0] == m["huge_free"][0] == 0
    m.free_contig_range(pfn, 8)


def test_one_range_after_the_other_is_tried(machine):
    m = machine
    held = [m.buddy_alloc(0, 0, UNMOVABLE) for _ in range(2)]
    for pfn in held:
        m["memdesc"][pfn] = 6 << 4
    block = held[0] >> 3
    first = m.alloc_contig_pages(0, 4, block // 4)
    assert first // BLOCK % 4 == 0
    assert not first <= held[0] < first + 4 * BLOCK
    assert m.counter("contig_refused_unmovable") == 1
    assert m.counter("contig_tried") == m.counter("contig_succeeded") == 1
    assert m["waits"].sum() == 1
    m.free_contig_range(first, 4 * BLOCK)
    for pfn in held:
        m["memdesc"][pfn] = NONE_WORD
        m.free_to_zone(pfn, 0, SH_OWNED)


def test_a_try_that_fails_says_why(machine):
    m = machine
    held = [(nid * 256 + 4 * BLOCK * k, nid) for nid in range(2) for k in range(8)]
    for pfn, _ in held:
        assert m.alloc_contig_range(pfn, pfn + 1) == -1
        m["memdesc"][pfn] = 6 << 4
    assert m.alloc_contig_pages(0, 4, 3) == -1
    assert m.counter("contig_failed_unmovable") == 1
    assert m.counter("contig_refused_unmovable") == m.counter("contig_ranges") == 16
    for pfn, _ in held:
        m["memdesc"][pfn] = NONE_WORD
        m.free_contig_range(pfn, 1)


@pytest.mark.slow
def test_ranges_that_others_have_isolated_are_tried_again_and_reported(machine):
    m = machine
    first_blocks = [nid * 32 + 4 * k for nid in range(2) for k in range(8)]
    for block in first_blocks:
        assert m.set_migratetype_isolate(block)
    assert m.alloc_contig_pages(0, 4, 3) == -1
    assert m.counter("contig_failed_no_range") == 1
    assert m.counter("contig_ranges") == 0
    m.unset_migratetype_isolate(first_blocks[5])
    first = m.alloc_contig_pages(0, 4, 3)
    assert first == first_blocks[5] * BLOCK
    m.free_contig_range(first, 4 * BLOCK)
    for block in first_blocks:
        if block != first_blocks[5]:
            m.unset_migratetype_isolate(block)


# -------------------------------------------------------------------------------------------------------- LRU batches


def test_another_cpus_batch_is_emptied_and_stays_empty_while_disabled(machine):
    m = machine
    pfn = m.on(1).touch(0, 8)
    desc = m.desc_at(pfn)
    assert m.refs(desc) == 2
    m.lru_cache_disable()
    assert m.refs(desc) == 1
    other = m.desc_at(m.on(1).touch(0, 9))
    assert m.refs(other) == 1
    assert m["lru_batched"].sum() == 0
    m.lru_cache_enable()
    assert m.refs(m.desc_at(m.on(1).touch(0, 10))) == 2


# --------------------------------------------------------------------------------------------- nodes for movable memory


def test_nothing_that_stays_is_allocated_on_a_movable_node(built):
    from tests.kernels.kit import audit, make_machine

    m = make_machine(movable_nodes=1)
    held = []
    while (pfn := m.on(1).alloc_pages(1, 0, UNMOVABLE)) >= 0:
        held.append(pfn)
    assert held
    assert max(held) < 256
    assert m["zone_free"][1] == 256
    movable = m.on(1).alloc_pages(1, 0, MOVABLE)
    assert movable >= 256
    for pfn in [*held, movable]:
        m.free_frozen_pages(pfn, 0)
    audit(m)
