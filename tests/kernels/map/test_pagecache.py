"""Lockless lookup: entries, siblings, the re-load and the range."""

import pytest

from kernels.base.layout import FL_UPTODATE


def cached(m, file=0, index=0, order=0):
    """A folio in the cache, without a reference of its own."""
    desc = m.create_folio(0, file, index, order)
    assert desc >= 0
    m.lru_add_drain()
    m.folio_put(desc)
    return desc


def test_found_with_a_reference(machine):
    m = machine
    desc = cached(m, 0, 4, 2)
    assert m["flags"][desc] & FL_UPTODATE
    assert [m.filemap_get_entry(0, index) for index in range(3, 9)] == [-1, desc, desc, desc, desc, -1]
    assert m.refs(desc) == 4 + 4
    m.folio_put_refs(desc, 4)
    assert m.filemap_get_entry(1, 4) == -1


def test_range_empty(machine):
    m = machine
    cached(m, 0, 4, 1)
    assert [bool(m.cache_range_empty(0, index, 1)) for index in (2, 3, 4, 5, 6, 15)] == [True, False, False, False, True, False]


def test_cleared_at_all_its_indices_and_no_others(machine):
    m = machine
    before, desc, after = cached(m, 0, 3), cached(m, 0, 4, 2), cached(m, 0, 8)
    entries = m["cache"].copy()
    m.cache_clear(0, 4, 2)
    assert [m.load_entry(0, index) - 1 for index in range(3, 9)] == [before, -1, -1, -1, -1, after]
    m.cache_store(0, 4, 2, desc)
    assert (m["cache"] == entries).all()


def test_a_frozen_folio_is_retried_and_given_up(machine):
    m = machine
    desc = cached(m)
    assert m.ref_freeze(desc, 1)
    assert m.filemap_get_entry(0, 0) == -1
    assert m.counter("met_speculation_on_frozen") == 64
    m.ref_unfreeze(desc, 1)


@pytest.mark.meets("lookup_reload_changed")
def test_a_sibling_that_a_split_has_not_reached_proves_nothing(machine):
    """B8: the re-load goes through the old sibling to the old head, whose order is already 0: only the check of the range fails."""
    m = machine
    desc = cached(m, 0, 4, 2)
    m["folio_order"][desc] = 0
    assert m.filemap_get_entry(0, 6) == -1
    assert m.counter("spec_undone_by_recheck") == 64
    assert m.refs(desc) == 4
    m["folio_order"][desc] = 2


def test_a_sibling_of_a_sibling_is_nothing(machine):
    machine["cache"][2] = 3 << 1 | 1
    machine["cache"][3] = 2 << 1 | 1
    assert machine.load_entry(0, 2) == 0
