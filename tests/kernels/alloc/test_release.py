"""Speculative references, puts that free, LRU batches, counted allocations."""

import pytest

from kernels.base.layout import FL_BATCHED, FL_ISOLATED, FL_LRU, LRU_BATCH, NONE_WORD, Bug, Type
from tests.kernels.page.test_folio import make_folio


def test_a_reference_through_the_word(machine):
    m = machine
    desc, pfn = make_folio(m, 2)
    assert m.on(1).try_get_pfn(pfn + 3) == desc
    assert m.refs(desc) == 2
    assert not m.on(1).folio_put(desc)
    assert m.folio_put(desc)
    assert m.try_get_pfn(pfn + 3) == -1
    assert (m.counter("spec_tried"), m.counter("spec_kept")) == (1, 1)


@pytest.mark.parametrize("word", [NONE_WORD, 1, 5, 6])
def test_uncounted_words_lead_nowhere(machine, word):
    m = machine
    pfn = m.alloc_frozen_pages(0, 0, 1)
    m["memdesc"][pfn] = word
    assert m.try_get_pfn(pfn) == -1
    assert m.counter("spec_tried") == 0
    m["memdesc"][pfn] = NONE_WORD
    m.free_frozen_pages(pfn, 0)


@pytest.mark.meets("speculation_on_frozen")
def test_a_frozen_folio_refuses(machine):
    m = machine
    desc, pfn = make_folio(m)
    assert m.ref_freeze(desc, 1)
    assert m.try_get_pfn(pfn) == -1
    assert m.counter("met_speculation_on_frozen") == 1
    m.ref_unfreeze(desc, 1)
    m.folio_put(desc)


def test_a_stale_word_whose_descriptor_has_another_life(machine):
    """The descriptor is reused immediately: the reference is taken, the word has changed, and the reference is put."""
    m = machine
    desc, old_pfn = make_folio(m)
    word = m.word(old_pfn)
    m.folio_put(desc)
    pin = m.alloc_frozen_pages(0, 0, 1)  # the frame goes elsewhere
    again, pfn = make_folio(m)
    assert again == desc
    assert pfn != old_pfn
    assert m.on(1).try_get_through(old_pfn, word) == -1
    assert m.refs(desc) == 1
    assert (m.counter("spec_undone_by_recheck"), m.counter("spec_held_last_reference")) == (1, 0)
    m.folio_put(desc)
    m.free_frozen_pages(pin, 0)


@pytest.mark.parametrize("order", [0, 3])
@pytest.mark.meets("put_last_after_recheck")
def test_a_failed_recheck_may_hold_the_last_reference(machine, order):
    """The speculator's half of try_get_through, step by step: its put frees the folio after its owner's put."""
    m = machine
    free = m.free_frames()
    desc, old_pfn = make_folio(m)
    word = m.word(old_pfn)
    m.folio_put(desc)
    again, pfn = make_folio(m, order)
    assert again == desc
    assert m.on(1).ref_try_get(desc)
    assert not m.folio_put(desc), "the owner leaves first"
    assert m.on(1).recheck_through(old_pfn if old_pfn != pfn else old_pfn + 300, word, desc) == -1
    assert m.counter("met_put_last_after_recheck") == 1
    assert m.free_frames() == free


@pytest.mark.parametrize("kind", [Type.SLAB, Type.MOVABLE])
def test_a_last_put_on_something_else_is_a_bug(machine, kind):
    m = machine
    desc, _ = make_folio(m)
    m["folio_type"][desc] = kind
    m.expect_bug(Bug.NOT_FREEABLE, lambda: m.folio_put(desc))


@pytest.mark.parametrize(("field", "value"), [("flags", FL_ISOLATED), ("mapcount", 1)])
def test_a_last_put_on_something_busy_is_a_bug(machine, field, value):
    m = machine
    desc, _ = make_folio(m)
    m[field][desc] = value
    m.expect_bug(Bug.BAD_FREE, lambda: m.folio_put(desc))


def test_batches_hold_references(machine):
    m = machine
    descs = [make_folio(m)[0] for _ in range(LRU_BATCH)]
    for number, desc in enumerate(descs, 1):
        m.folio_add_lru(desc)
        if number < LRU_BATCH:
            assert m.lru_batch_holds(desc)
            assert m.refs(desc) == 2
    assert m["lru_batched"][0] == 0, "a full batch drains itself"
    assert m["lru_count"][0] == LRU_BATCH
    for desc in descs:
        assert m["flags"][desc] == FL_LRU
        assert m.folio_put(desc)
    assert m["lru_count"][0] == 0


def test_a_batch_may_hold_the_last_reference(machine):
    m = machine
    free = m.free_frames()
    desc, pfn = make_folio(m)
    m.folio_add_lru(desc)
    assert not m.folio_put(desc)
    assert m["flags"][desc] == FL_BATCHED
    m.lru_add_drain()
    assert m.word(pfn) & 15 != Type.ANON
    assert m.free_frames() == free


@pytest.mark.parametrize("order", range(5))
def test_a_counted_allocation_without_a_speculator(machine, order):
    m = machine
    desc = m.alloc_counted_pages(0, order, 0)
    pfn = int(m["folio_pfn"][desc])
    assert m.word(pfn) == m.desc_word(Type.COUNTED, desc)
    m.free_counted_pages(desc, order)
    assert m.free_frames() == 512


@pytest.mark.parametrize("order", range(5))
def test_a_counted_allocation_that_a_speculator_has_left(machine, order):
    m = machine
    desc = m.alloc_counted_pages(0, order, 0)
    assert m.on(1).try_get_pfn(m["folio_pfn"][desc]) == desc
    assert not m.on(1).folio_put(desc)
    m.free_counted_pages(desc, order)
    assert m.free_frames() == 512


@pytest.mark.parametrize("order", range(5))
@pytest.mark.meets("speculation_on_free_pages")
def test_a_counted_allocation_that_a_speculator_holds_loses_nothing(machine, order):
    """A1: the owner frees the frames after the first one, the speculator's put the first one."""
    m = machine
    desc = m.alloc_counted_pages(0, order, 0)
    pfn = int(m["folio_pfn"][desc])
    assert m.on(1).try_get_pfn(pfn) == desc
    m.free_counted_pages(desc, order)
    assert m.word(pfn) == m.desc_word(Type.COUNTED, desc)
    assert m.free_frames() == 511
    assert m.on(1).folio_put(desc)
    assert m.free_frames() == 512


@pytest.mark.meets("reference_from_before_inflation")
def test_a_word_from_before_its_frame_was_inflated(machine):
    """The reference is taken on another life of the descriptor, and undone: the frame is a balloon's now."""
    m = machine
    desc, old_pfn = make_folio(m)
    word = m.word(old_pfn)
    m.folio_put(desc)
    assert m.alloc_frozen_pages(0, 0, 1) == old_pfn
    m.balloon_inflate(0, old_pfn, 0)
    again, _ = make_folio(m)
    assert again == desc
    offline = m.word(old_pfn)
    assert m.on(1).try_get_through(old_pfn, word) == -1
    assert (m.refs(desc), m.word(old_pfn)) == (1, offline)
    m.folio_put(desc)
    assert m.balloon_deflate(0, 0) == 1
