"""Reclaim of clean, unused file folios."""

import pytest

from kernels.base.layout import FL_REFERENCED
from tests.kernels.map.test_pagecache import cached


def test_oldest_first(machine):
    m = machine
    for index in range(4):
        cached(m, 0, index)
    assert m.shrink_node(0, 2) == 2
    assert (m["cache"][:4] != 0).tolist() == [False, False, True, True]
    assert m.counter("pgsteal") == 2


def test_mapped_pages_are_unmapped(machine):
    m = machine
    cached(m, 0, 4, 2)
    vpage = m.mem.anon_pages + 5
    for space in (0, 2):
        m.touch(space, vpage, write=0)
    m["flags"][:] &= ~FL_REFERENCED
    assert m.shrink_node(0, 4) == 4
    assert m.pte(0, vpage) == m.pte(2, vpage) == 0
    assert m.file_access(0, vpage) == -1
    assert m.free_frames() == 512


@pytest.mark.parametrize("why", ["dirty", "referenced", "locked", "held"])
def test_what_is_kept(machine, why):
    m = machine
    desc = cached(m, 0, 4)
    if why == "dirty":
        m.file_write(0, 0, 4, 0)
    if why == "referenced":
        m.file_read(0, 0, 4, 0)
    if why == "locked":
        m.on(1).folio_lock(desc)
    if why == "held":
        m.on(1).filemap_get_entry(0, 4)
    assert m.reclaim_one(1) == 0
    assert m.counter("pgrotated") == 1
    assert m.load_entry(0, 4) == desc + 1
    if why == "locked":
        m.on(1).folio_unlock(desc)
    if why == "held":
        m.on(1).folio_put(desc)
    m.lru_add_drain()
    assert m["lru_count"][1] == 1
    assert not m["lru_isolated"].any()


def test_a_referenced_folio_has_a_second_chance(machine):
    m = machine
    cached(m, 0, 4)
    m.file_read(0, 0, 4, 0)
    assert m.reclaim_one(1) == 0
    m.lru_add_drain()
    assert m.reclaim_one(1) == 1
    assert m.reclaim_one(1) == -1


def test_an_allocation_that_needs_it(machine):
    m = machine
    for index in range(16):
        cached(m, 0, index)
    taken = [pfn for nid in (0, 1) for pfn in iter(lambda nid=nid: m.alloc_on_node(nid, 0, 1), -1)]
    pfn = m.alloc_pages(0, 0, 1)
    assert pfn >= 0
    assert m.counter("pgsteal") > 0
    for each in (*taken, pfn):
        m.free_frozen_pages(each, 0)


@pytest.mark.parametrize(("missing", "freed"), [(0, 0), (1, 9), (20, 16)])
def test_background_reclaim_is_from_below_the_low_watermark_to_the_high_one(machine, missing, freed):
    m = machine
    for index in range(16):
        cached(m, 0, index)
    m["zone_low"][0] = m["zone_free"][0] + missing
    m["zone_high"][0] = m["zone_low"][0] + 8
    assert m.balance_node(0) == freed
    assert m.counter("pgsteal") == freed


def test_a_folio_that_is_frozen_on_its_list_is_left_there(machine):
    m = machine
    desc = cached(m, 0, 4)
    assert m.ref_freeze(desc, 1)
    assert m.reclaim_one(1) == -1
    m.ref_unfreeze(desc, 1)
    assert m["lru_count"][1] == 1
    assert not m["lru_isolated"].any()
    assert m.reclaim_one(1) == 1
