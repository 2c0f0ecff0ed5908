"""Words as pure functions, against the oracle's records, over everything that fits into them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.base.layout import NONE_WORD, Misc, Offline, Type
from tests.kernels import kit
from tests.reference import memdesc as oracle

ORDERS, NODES, CPUS, BALLOONS = st.integers(0, 10), st.integers(0, 1023), st.integers(0, 65535), st.integers(0, 32767)


@pytest.fixture(scope="module")
def m(built):
    return kit.make_machine()


@pytest.mark.parametrize("kind", sorted(oracle.WITH_DESCRIPTOR))
@pytest.mark.parametrize("desc", [0, 1, 77, (1 << 40) - 1])
def test_words_that_lead_to_a_descriptor(m, kind, desc):
    word = m.desc_word(kind, desc)
    assert word == oracle.pack(oracle.DescWord(kind, desc))
    assert (m.word_type(word), m.word_desc(word)) == (kind, desc)
    assert_predicates(m, word)


@pytest.mark.parametrize("order", range(11))
def test_buddy_words(m, order):
    word = m.buddy_word(order)
    assert word == oracle.pack(oracle.BuddyWord(order))
    assert (m.word_type(word), m.buddy_order(word)) == (Type.BUDDY, order)
    assert_predicates(m, word)


@pytest.mark.parametrize("subtype", Misc)
@pytest.mark.parametrize(("order", "nid"), [(0, 0), (10, 0), (0, 1023), (10, 1023), (3, 5)])
@pytest.mark.parametrize("tail", [0, 1])
def test_words_without_a_descriptor(m, subtype, order, nid, tail):
    word = m.misc_word(subtype, order, nid, tail)
    assert word == oracle.pack(oracle.MiscWord(subtype, order, nid, bool(tail)))
    assert (m.word_type(word), m.word_order(word)) == (Type.MISC, order)
    assert_predicates(m, word)


def test_the_word_between_two_owners(m):
    assert m.misc_word(Misc.NONE, 0, 0, 0) == oracle.pack(oracle.NONE) == NONE_WORD
    assert_predicates(m, NONE_WORD)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(ORDERS, NODES, BALLOONS, st.sampled_from(Offline), CPUS, st.sampled_from(Offline))
def test_a_move_keeps_what_it_does_not_change(m, order, nid, owner, first, cpu, second):
    word = m.on(cpu).with_state(m.misc_word(Misc.OFFLINE, order, nid, 0) | owner << 48, first)
    assert word == oracle.pack(oracle.MiscWord(Misc.OFFLINE, order, nid, False, first, cpu, owner))
    assert (m.offline_state(word), m.word_order(word), m.offline_owner(word)) == (first, order, owner)
    moved = m.on(65535 - cpu).with_state(word, second)
    assert moved == oracle.pack(oracle.MiscWord(Misc.OFFLINE, order, nid, False, second, 65535 - cpu, owner))
    assert m.is_offline_head(moved)


def assert_predicates(m, word):
    assert bool(m.is_counted(word)) == oracle.is_counted(word)
    assert bool(m.is_folio(word)) == oracle.is_folio(word)
    assert bool(m.is_offline_head(word)) == oracle.is_offline_head(word)
