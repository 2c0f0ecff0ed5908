"""Files: read, written, written back, truncated."""

import pytest

from kernels.base.layout import FL_DIRTY, FL_WRITEBACK, INCARNATION_SHIFT
from tests.kernels.map.test_pagecache import cached


def test_a_write_survives_writeback_and_reclaim(machine):
    m = machine
    for _ in range(3):
        assert m.file_write(0, 0, 5, 0) == 0
    assert m["file_oracle"][5] == 3
    assert m.file_writeback(0, 5) == 1
    assert m["disk"][5] == 3
    assert m.file_writeback(0, 5) == 0, "clean"
    m.lru_add_drain()
    assert m.shrink_node(0, 8) >= 1
    assert m["cache"][5] == 0
    assert m.file_read(0, 0, 5, 0) == 0


@pytest.mark.parametrize("order", [0, 2])
def test_read_in_by_folios(machine, order):
    m = machine
    assert m.file_read(0, 0, 6, order) == 0
    assert (m["cache"][:16] != 0).sum() == 1 << order
    assert m.counter("pgmajfault") == 1
    assert m.file_read(0, 0, 6, order) == 0
    assert m.counter("pgmajfault") == 1


def test_the_slower_of_two_creators_discards_its_folio(machine):
    m = machine
    desc = cached(m, 0, 4, 2)
    assert m.create_folio(0, 0, 6, 0) == -1
    assert m.filemap_get_entry(0, 6) == desc
    m.folio_put(desc)
    assert m.free_frames() == 508


@pytest.mark.parametrize("dirty", [False, True])
def test_truncate(machine, dirty):
    m = machine
    cached(m, 0, 4, 2)
    if dirty:
        m.file_write(0, 0, 5, 0)
    vpage = m.mem.anon_pages + 5
    m.touch(2, vpage, write=0)
    incarnation = m["file_oracle"][5] >> INCARNATION_SHIFT
    assert m.file_truncate(0, 6) == 4
    assert m.pte(2, vpage) == 0
    assert not m["cache"].any()
    assert m["disk"][5] == 0
    assert m["file_oracle"][5] >> INCARNATION_SHIFT == incarnation + 1
    assert m.file_truncate(0, 6) == 0
    assert m.free_frames() == 512


def test_truncate_with_a_reader(machine):
    m = machine
    desc = cached(m, 0, 4)
    assert m.on(1).filemap_get_entry(0, 4) == desc
    assert m.file_truncate(0, 4) == 1
    assert m.filemap_get_entry(0, 4) == -1
    assert not m.still_cached(desc, 0)
    assert m.on(1).folio_put(desc), "the reader's put is the last"
    assert m.free_frames() == 512


def test_truncate_refuses_writeback(machine):
    m = machine
    desc = cached(m, 0, 4)
    m.folio_set(desc, FL_WRITEBACK)
    assert m.file_truncate(0, 4) == 0
    m.folio_clear(desc, FL_WRITEBACK)
    assert m.refs(desc) == 1


def test_writeback_of_a_folio_under_writeback(machine):
    m = machine
    desc = cached(m, 0, 4)
    m.file_write(0, 0, 4, 0)
    m.folio_set(desc, FL_WRITEBACK)
    assert m.file_writeback(0, 4) == 0
    assert m.folio_test(desc, FL_DIRTY), "it stays dirty"
    m.folio_clear(desc, FL_WRITEBACK)
    assert m.file_writeback(0, 4) == 1
