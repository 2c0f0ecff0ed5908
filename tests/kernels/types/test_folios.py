"""Isolation of folios by pfn."""

import pytest

from kernels.base.layout import FL_ISOLATED, FL_LRU, FL_WRITEBACK, Reason


@pytest.fixture
def folio(machine):
    """(machine, pfn, descriptor) of an anonymous page on the LRU."""
    pfn = machine.touch(0, 3)
    machine.lru_add_drain()
    return machine, pfn, machine.desc_at(pfn)


def isolate(m, pfn):
    return m.on(1).isolate_folio(pfn, m.word(pfn), Reason.COMPACTION)


def test_isolated_by_one(folio):
    m, pfn, desc = folio
    assert isolate(m, pfn) == desc
    assert m["flags"][desc] & (FL_ISOLATED | FL_LRU) == FL_ISOLATED
    assert m.refs(desc) == 2
    assert isolate(m.on(2), pfn) == -1
    m.on(1).folio_putback(desc)
    m.on(1).lru_add_drain()
    assert m["flags"][desc] & (FL_ISOLATED | FL_LRU) == FL_LRU
    assert m.refs(desc) == 1
    assert m["lru_isolated"][0] == 0


@pytest.mark.meets("pin_refused_migration")
def test_a_pin_refuses(folio):
    m, pfn, desc = folio
    m.gup_fast(0, 3, 1)
    assert isolate(m, pfn) == -1
    assert m.counter("met_pin_refused_migration") == 1
    assert m["flags"][desc] & (FL_ISOLATED | FL_LRU) == FL_LRU
    m.unpin_folio(desc)


def test_writeback_and_tails_are_left_alone(folio):
    m, pfn, desc = folio
    m.folio_set(desc, FL_WRITEBACK)
    assert isolate(m, pfn) == -1
    m.folio_clear(desc, FL_WRITEBACK)
    large = m.touch(4, 8, order=2)
    m.lru_add_drain()
    assert isolate(m, large + 1) == -1
    assert m.refs(m.desc_at(large)) == 4


@pytest.mark.meets("lru_batch_held_reference")
def test_a_batch_refuses(machine):
    m = machine
    pfn = m.touch(0, 3)
    assert isolate(m, pfn) == -1
    assert m.refs(m.desc_at(pfn)) == 2


def test_a_word_that_is_no_longer_true(folio):
    m, pfn, _ = folio
    word = m.word(pfn)
    m.zap_range(0, 3, 1)
    assert m.on(1).isolate_folio(pfn, word, 0) == -1
