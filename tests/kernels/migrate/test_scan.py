"""What a scanner derives from one word: a candidate or not, how far to step, and why a range cannot be emptied."""

import pytest

from kernels.base.layout import (
    FL_ISOLATED,
    FL_LOCKED,
    FL_WRITEBACK,
    NONE_WORD,
    Misc,
    Refusal,
    Type,
)
from tests.kernels.map.test_pagecache import cached


def step(m, pfn):
    return m.scan_step(pfn, m.word(pfn))


def candidates(m, base_pfn, nr_frames):
    nr_candidates = m.fill_candidates(base_pfn, nr_frames)
    found = [k for k in range(512) if m.test_bit(m.bitmap_base(0), k)]
    assert len(found) == nr_candidates
    return found


def test_free_blocks_are_stepped_over(machine):
    m = machine
    pfn = m.buddy_alloc(0, 0, 1)
    assert [step(m, at) for at in (0, 1, 2, 4, 8, 128, 256)] == [-1, -1, -2, -4, -8, -128, -256]
    m.free_to_zone(pfn, 0, 2)


@pytest.mark.parametrize("order", [0, 2])
@pytest.mark.parametrize("kind", ["anon", "file"])
def test_a_folio_is_a_candidate_by_its_head(machine, kind, order):
    m = machine
    head = m.touch(0, 8, order=order) if kind == "anon" else int(m["folio_pfn"][cached(m, 0, 4, order)])
    m.lru_add_drain()
    assert step(m, head) == 1 << order
    if order:
        assert step(m, head + 1) == -1
    assert [m.head_of(head + k) for k in range(1 << order)] == [head] * (1 << order)
    assert candidates(m, head & ~7, 8) == [head & 7]


def test_an_offline_block_is_one_while_it_is_inflated(machine):
    m = machine
    pfn = m.alloc_frozen_pages(0, 2, 1)
    m.balloon_inflate(0, pfn, 2)
    assert [step(m, pfn + k) for k in range(3)] == [4, -1, -1]
    assert m.on(1).isolate_offline(pfn, m.word(pfn))
    assert step(m, pfn) == -4, "isolated: stepped over as a whole"
    assert candidates(m, pfn, 8) == []
    m.on(1).putback_offline(pfn)
    m.balloon_deflate(0, 0)


def test_a_stale_descriptor_does_no_worse_than_one_step(machine):
    m = machine
    pfn = m.alloc_frozen_pages(0, 0, 1)
    m["memdesc"][pfn] = m.desc_word(Type.ANON, 17)  # of another frame
    m["folio_pfn"][17], m["folio_order"][17] = pfn + 64, 60
    assert step(m, pfn) == -1
    m["folio_pfn"][17] = pfn
    assert step(m, pfn) == 1 << 10, "no more than the largest order"
    assert m.head_of(pfn) == pfn
    m["memdesc"][pfn], m["folio_order"][17] = NONE_WORD, 0
    m.free_frozen_pages(pfn, 0)


def test_frames_that_are_stepped_over_are_counted_as_scanned(machine):
    m = machine
    assert candidates(m, 0, 256) == []
    assert m.counter("compact_migrate_scanned") == 256
    pfn = m.touch(0, 8)
    m.drain()
    assert candidates(m, pfn, 1) == [0]
    assert candidates(m, 256, 1) == [], "the bitmap starts empty"
    assert m.counter("compact_migrate_scanned") == 256 + 1 + 256


# ------------------------------------------------------------------------------------------------- what is in the way


@pytest.fixture
def page(machine):
    """A machine with an anonymous page on the LRU; its frame and its descriptor."""
    pfn = machine.touch(0, 8)
    machine.lru_add_drain()
    return machine, pfn, machine.desc_at(pfn)


def test_the_first_frame_that_nothing_moves(page):
    m, pfn, _ = page
    kernel = m.alloc_frozen_pages(0, 0, 0)
    end = max(pfn, kernel) + 1
    assert m.unmovable_frame(0, end) == -1, "between two owners: on its way"
    m["memdesc"][kernel] = Misc.KMALLOC_LARGE << 4
    assert m.unmovable_frame(0, end) == kernel
    assert m.unmovable_frame(kernel + 1, end) == -1
    m["memdesc"][kernel] = NONE_WORD
    m.free_frozen_pages(kernel, 0)


def test_a_hugetlb_folio_may_go_once_it_is_in_the_pool(machine):
    m = machine
    desc = m.huge_add_surplus(0, m.alloc_frozen_pages(0, 3, 1))
    m["huge_surplus"][0] = 0
    pfn = int(m["folio_pfn"][desc])
    assert m.what_is_there(pfn) == Refusal.UNMOVABLE
    m.folio_put(desc)
    assert m.may_go(m.word(pfn))
    assert m.unmovable_frame(pfn, pfn + 8) == -1
    m.dissolve_free_huge_page(pfn >> 3)


def test_a_page_without_other_references_is_movable(page):
    m, pfn, _ = page
    assert m.what_is_there(pfn) == Refusal.MOVABLE
    m.zap_range(0, 8, 1)
    assert m.what_is_there(pfn) == Refusal.IN_FLIGHT, "on a per-CPU list"
    m.drain()
    assert m.what_is_there(pfn) == Refusal.IN_FLIGHT


@pytest.mark.parametrize("flag", [FL_LOCKED, FL_ISOLATED, FL_WRITEBACK])
def test_a_page_that_another_has_claimed_is_referenced(page, flag):
    m, pfn, desc = page
    m.folio_set(desc, flag)
    assert m.what_is_there(pfn) == Refusal.REFERENCED
    m.folio_clear(desc, flag)


@pytest.mark.parametrize("kind", ["anon", "file"])
def test_a_reference_beyond_those_of_its_users_is_in_the_way(machine, kind):
    m = machine
    if kind == "anon":
        pfn = m.touch(0, 8)
    else:
        cached(m, 0, 4)
        pfn = m.touch(2, m.mem.anon_pages + 4, write=0)
    m.lru_add_drain()
    assert m.what_is_there(pfn) == Refusal.MOVABLE
    desc = m.try_get_pfn(pfn)
    assert m.what_is_there(pfn) == Refusal.REFERENCED
    m.folio_put(desc)


def test_a_page_in_a_batch_says_so(machine):
    m = machine
    pfn = m.on(1).touch(0, 8)
    assert m.what_is_there(pfn) == Refusal.LRU_BATCH
    m.on(1).lru_add_drain()
    assert m.what_is_there(pfn) == Refusal.MOVABLE


def test_a_tail_of_an_offline_block_may_go_with_it(machine):
    m = machine
    pfn = m.alloc_frozen_pages(0, 2, 1)
    m.balloon_inflate(0, pfn, 2)
    assert [m.what_is_there(pfn + k) for k in range(4)] == [Refusal.MOVABLE] * 4
    assert m.unmovable_frame(pfn, pfn + 4) == -1
    m.balloon_deflate(0, 0)
