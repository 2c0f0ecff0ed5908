"""Splitting a large folio."""

import pytest

from kernels.base.layout import FL_LRU, Type
from tests.kernels.map.test_pagecache import cached


def pieces_of(m, pfn, order):
    return [m.desc_at(pfn + k) for k in range(1 << order)]


def split(m, desc):
    assert m.folio_trylock(desc)
    result = m.split_folio(desc)
    m.folio_unlock(desc)
    return result


@pytest.mark.parametrize("order", [1, 3])
def test_anonymous(machine, order):
    m = machine
    pfn = m.touch(0, 8, order=order)
    m.lru_add_drain()
    desc = m.gup_fast(0, 8, 0)
    assert split(m, desc) == 0
    m.folio_put(desc)
    pieces = pieces_of(m, pfn, order)
    assert pieces[0] == desc
    assert len(set(pieces)) == 1 << order
    for k, piece in enumerate(pieces):
        assert (m.refs(piece), m["mapcount"][piece], m["folio_order"][piece], m["folio_pfn"][piece]) == (1, 1, 0, pfn + k)
        assert m["folio_index"][piece] == 8 + k
        assert m["flags"][piece] & FL_LRU
        assert m.task_access(0, 8 + k, 1) == 0
    assert m["lru_count"][0] == 1 << order
    m.zap_range(0, 8, 1 << order)
    assert m.free_frames() == 512


def test_pieces_without_a_mapping_are_freed(machine):
    m = machine
    pfn = m.touch(0, 8, order=2)
    m.lru_add_drain()
    desc = m.gup_fast(0, 8, 0)
    m.zap_range(0, 9, 2)
    assert split(m, desc) == 0
    m.folio_put(desc)
    assert [m.word(pfn + k) & 15 == Type.ANON for k in range(4)] == [True, False, False, True]
    m.zap_range(0, 8, 4)
    assert m.free_frames() == 512


def test_file(machine):
    m = machine
    desc = cached(m, 0, 4, 2)
    m.file_write(0, 0, 6, 0)
    vpage = m.mem.anon_pages + 5
    pfn = m.touch(0, vpage, write=0) - 1
    assert m.filemap_get_entry(0, 4) == desc
    assert split(m, desc) == 0
    m.folio_put(desc)
    pieces = pieces_of(m, pfn, 2)
    assert [m.refs(piece) for piece in pieces] == [1, 2, 1, 1]
    for k, piece in enumerate(pieces):
        assert m.filemap_get_entry(0, 4 + k) == piece
        m.folio_put(piece)
        assert m.file_read(0, 0, 4 + k, 0) == 0
    assert m.file_access(0, vpage) == 0


@pytest.mark.parametrize("kind", ["anon", "file"])
@pytest.mark.meets("split_refused_by_reference")
def test_an_extra_reference_refuses_and_changes_nothing(machine, kind):
    m = machine
    if kind == "anon":
        pfn = m.touch(0, 8, order=2)
    else:
        cached(m, 0, 4, 2)
        pfn = m.touch(0, m.mem.anon_pages + 4, write=0)
    m.lru_add_drain()
    desc = m.try_get_pfn(pfn)
    assert m.on(1).try_get_pfn(pfn + 1) == desc
    before = [m[field].copy() for field in ("refcount", "mapcount", "memdesc", "cache", "folio_order")]
    assert split(m, desc) == -11
    assert all(
        (m[field] == old).all() for field, old in zip(("refcount", "mapcount", "memdesc", "cache", "folio_order"), before, strict=True)
    )
    assert m.counter("met_split_refused_by_reference") == 1
    m.folio_put_refs(desc, 2)
