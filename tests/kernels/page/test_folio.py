"""Descriptors, words and the lock bit."""

import pytest

from kernels.base.layout import DESC_CACHE, FL_DIRTY, FL_LOCKED, FL_LRU, NONE_WORD, Bug, Type


def make_folio(m, order=0, kind=Type.ANON, refs=1, mapping=0, index=0):
    pfn = m.alloc_frozen_pages(0, order, 1)
    desc = m.folio_prepare(kind, pfn, order, mapping, index)
    m.folio_publish(desc, refs)
    return desc, pfn


def test_descriptors_are_unique_and_come_back(machine):
    m = machine
    taken = [m.desc_alloc() for _ in range(3 * DESC_CACHE)]
    assert len(set(taken)) == len(taken)
    assert m["desc_top"][0] + m["desc_cached"][0] + len(taken) == m.mem.nr_desc
    for desc in taken:
        m.on(1).desc_free(desc)
    assert m["desc_top"][0] + m["desc_cached"].sum() == m.mem.nr_desc
    held = [*m["desc_stack"][: m["desc_top"][0]]] + [
        d for cpu in range(3) for d in m["desc_cache"][cpu * DESC_CACHE :][: m["desc_cached"][cpu]]
    ]
    assert sorted(held) == list(range(m.mem.nr_desc))


def test_a_pool_that_runs_dry_is_a_bug(machine):
    machine["desc_top"][0] = 3
    machine.expect_bug(Bug.OVERFLOW, machine.desc_alloc)


@pytest.mark.parametrize("order", [0, 1, 3, 5])
def test_a_folio_begins_and_ends(machine, order):
    m = machine
    before = m.free_frames()
    desc, pfn = make_folio(m, order)
    assert {m.word(pfn + k) for k in range(1 << order)} == {m.desc_word(Type.ANON, desc)}
    assert m.refs(desc) == 1
    assert [bool(m.folio_covers(desc, at)) for at in (pfn - 1, pfn, pfn + (1 << order) - 1, pfn + (1 << order))] == [
        False,
        True,
        True,
        False,
    ]
    assert m.folio_put(desc)
    assert {m.word(pfn + k) for k in range(1 << order)} <= {NONE_WORD, m.buddy_word(order), m.buddy_word(8)}
    assert m.free_frames() == before


def test_no_reference_is_taken_before_it_is_published(machine):
    m = machine
    pfn = m.alloc_frozen_pages(0, 0, 1)
    desc = m.folio_prepare(Type.ANON, pfn, 0, 0, 0)
    assert m.word(pfn) == NONE_WORD
    assert m.try_get_pfn(pfn) == -1
    m.set_words(pfn, 0, m.desc_word(Type.ANON, desc))
    assert m.try_get_pfn(pfn) == -1, "the word leads to a count of zero"
    m.ref_unfreeze(desc, 1)
    assert m.try_get_pfn(pfn) == desc
    m.folio_put_refs(desc, 2)


def test_retiring_a_word_that_changed_is_a_bug(machine):
    m = machine
    desc, pfn = make_folio(m, 1)
    m["memdesc"][pfn + 1] = NONE_WORD
    assert m.expect_bug(Bug.WORD_CHANGED, lambda: m.folio_put(desc))[1] == pfn + 1


def test_flags(machine):
    m = machine
    desc, _ = make_folio(m)
    m.folio_set(desc, FL_DIRTY | FL_LRU)
    assert m.folio_test(desc, FL_DIRTY)
    m.folio_clear(desc, FL_DIRTY)
    assert not m.folio_test(desc, FL_DIRTY)
    assert m.folio_test_clear(desc, FL_LRU)
    assert not m.folio_test_clear(desc, FL_LRU), "only one CPU clears it"
    m.folio_put(desc)


def test_the_lock_bit(machine):
    m = machine
    desc, _ = make_folio(m)
    assert m.folio_trylock(desc)
    assert not m.on(1).folio_trylock(desc)
    m.folio_unlock(desc)
    m.on(1).folio_lock(desc)
    assert m["flags"][desc] == FL_LOCKED
    assert m.expect_bug(Bug.BAD_FREE, lambda: m.folio_put(desc))[2] == FL_LOCKED


def test_unlocking_what_is_not_locked_is_a_bug(machine):
    m = machine
    desc, _ = make_folio(m)
    m.expect_bug(Bug.UNLOCK_UNLOCKED, lambda: m.folio_unlock(desc))
