"""Descriptors without a count: their pool, their state word, their lists."""

import pytest

from kernels.base.layout import NONE_WORD, Bug, Type, Udesc
from kernels.base.layout import UL_SLAB_PARTIAL as LIST

KIND = Type.SLAB


def make(m, pfn, live=True):
    udesc = m.udesc_alloc(KIND, pfn, 7)
    if live:
        m.udesc_publish(KIND, udesc, pfn)
    return udesc


@pytest.fixture
def live(machine):
    """A machine with a live descriptor; its frame and the frame's word."""
    pfn = machine.alloc_frozen_pages(0, 0, 2)
    make(machine, pfn)
    yield machine, pfn, machine.word(pfn)
    machine["memdesc"][pfn] = NONE_WORD
    machine.free_frozen_pages(pfn, 0)


def state(m, udesc):
    word = int(m["u_word"][udesc])
    return Udesc(word & 7), word >> 23


def test_a_pool_that_runs_dry_and_is_filled_again(machine):
    m = machine
    taken = [m.udesc_alloc(KIND, pfn, 0) for pfn in range(m.mem.nr_udesc)]
    assert sorted(taken) == list(range(m.mem.nr_udesc))
    assert m.udesc_alloc(KIND, 0, 0) == -1
    m.udesc_free(taken[5])
    assert state(m, taken[5])[0] == Udesc.FREE
    assert m.udesc_alloc(KIND, 99, 3) == taken[5]
    assert (state(m, taken[5]), m["u_owner"][taken[5]]) == ((Udesc.PRIVATE, 99), 3)


def test_it_is_not_isolated_before_it_is_published(machine):
    m = machine
    pfn = m.alloc_frozen_pages(0, 0, 2)
    udesc = make(m, pfn, live=False)
    word = m.desc_word(KIND, udesc)
    assert m.word(pfn) == NONE_WORD
    assert not m.udesc_idle(word, pfn)
    assert not m.on(1).udesc_isolate(pfn, word)
    m.udesc_publish(KIND, udesc, pfn)
    assert m.word(pfn) == word
    assert m.udesc_idle(word, pfn)
    assert m.udesc_take(KIND, udesc)
    m["memdesc"][pfn] = NONE_WORD
    m.free_frozen_pages(pfn, 0)


def test_one_isolator_puts_it_back(live):
    m, pfn, word = live
    assert m.on(1).udesc_isolate(pfn, word)
    assert not m.on(2).udesc_isolate(pfn, word)
    assert not m.udesc_idle(word, pfn)
    assert m.on(1).udesc_isolated(pfn, word)
    assert m.on(1).udesc_putback(pfn, word)
    assert state(m, m.desc_at(pfn)) == (Udesc.LIVE, pfn)
    assert m.on(2).udesc_isolate(pfn, word)


def test_an_isolation_may_end_at_another_frame(live):
    m, pfn, word = live
    assert m.on(1).udesc_isolate(pfn, word)
    assert m.on(1).udesc_settle(pfn, word, pfn + 9)
    assert state(m, m.desc_at(pfn)) == (Udesc.LIVE, pfn + 9)
    assert not m.on(1).udesc_isolate(pfn, word), "the word of the frame that it has left"


def test_an_owner_takes_apart_what_is_live(live):
    m, pfn, word = live
    assert m.udesc_take(KIND, m.desc_at(pfn)), "the owner frees"
    assert not m.on(1).udesc_isolate(pfn, word)


def test_an_owner_leaves_what_is_isolated_to_its_isolator(live):
    m, pfn, word = live
    assert m.on(1).udesc_isolate(pfn, word)
    assert not m.udesc_take(KIND, m.desc_at(pfn)), "the isolator frees"
    assert not m.on(1).udesc_isolated(pfn, word)
    assert not m.on(1).udesc_settle(pfn, word, pfn)
    assert not m.on(1).udesc_putback(pfn, word)


def test_a_descriptor_of_another_life_is_not_isolated_through_an_old_word(live):
    m, pfn, word = live
    udesc, other = m.desc_at(pfn), m.alloc_frozen_pages(0, 0, 2)
    assert m.udesc_take(KIND, udesc)
    m.udesc_free(udesc)
    assert make(m, other) == udesc, "the descriptor is reused immediately"
    assert m.word(other) == word
    assert not m.on(1).udesc_isolate(pfn, word)
    assert m.on(1).udesc_isolate(other, word)
    m["memdesc"][other] = NONE_WORD
    m.free_frozen_pages(other, 0)


@pytest.mark.parametrize("action", ["take", "putback by another"])
def test_an_illegal_transition_is_a_bug(live, action):
    m, pfn, word = live
    udesc = m.desc_at(pfn)
    if action == "take":
        assert m.udesc_take(KIND, udesc)
        m.expect_bug(Bug.UDESC_STATE, lambda: m.udesc_take(KIND, udesc))
    else:
        assert m.on(1).udesc_isolate(pfn, word)
        m.expect_bug(Bug.UDESC_STATE, lambda: m.on(2).udesc_putback(pfn, word))


@pytest.mark.parametrize("order", [[0, 1, 2], [1, 0, 2], [2, 1, 0], [1, 2, 0]])
def test_a_list_in_any_order_of_removal(machine, order):
    m = machine
    udescs = [m.udesc_alloc(KIND, pfn, 0) for pfn in range(3)]
    for udesc in udescs:
        m.ulist_add(LIST, udesc)
    listed = udescs[::-1]
    for which in order:
        assert on_list(m) == listed
        m.ulist_del(LIST, udescs[which])
        listed.remove(udescs[which])
    assert on_list(m) == []
    assert not m["u_next"].any()
    assert not m["u_prev"].any()


def on_list(m):
    """The list from its head on, each link followed back."""
    found, link, before = [], int(m["u_head"][LIST]), 0
    while link:
        assert m["u_prev"][link - 1] == before
        found.append(link - 1)
        before, link = link, int(m["u_next"][link - 1])
    assert len(found) == m["u_listed"][LIST]
    return found
