"""Words as pure functions, over everything that fits into them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.base.layout import NONE_WORD, Misc, Offline, Type
from tests.kernels import kit

DESCRIPTORS = (Type.FILE, Type.ANON, Type.KSM, Type.COUNTED)


@pytest.fixture(scope="module")
def m(built):
    return kit.make_machine()


@pytest.mark.parametrize("kind", Type)
def test_types(m, kind):
    word = m.desc_word(kind, 77)
    assert m.word_type(word) == kind
    assert m.word_desc(word) == 77
    assert bool(m.is_counted(word)) == (kind in DESCRIPTORS)
    assert bool(m.is_folio(word)) == (kind in DESCRIPTORS[:3])
    assert not m.is_offline_head(word)


@pytest.mark.parametrize("order", range(11))
def test_buddy_words(m, order):
    assert m.word_type(m.buddy_word(order)) == Type.BUDDY
    assert m.buddy_order(m.buddy_word(order)) == order


def test_none_is_nobodys(m):
    assert not m.is_counted(NONE_WORD)
    assert not m.is_offline_head(NONE_WORD)
    assert m.word_type(NONE_WORD) == Type.MISC


@pytest.mark.parametrize("subtype", Misc)
def test_misc_words(m, subtype):
    head, tail = m.misc_word(subtype, 3, 1, 0), m.misc_word(subtype, 3, 1, 1)
    assert head != tail
    assert m.word_order(head) == m.word_order(tail) == 3
    assert bool(m.is_offline_head(head)) == (subtype == Misc.OFFLINE)
    assert not m.is_offline_head(tail)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    st.integers(0, 10),
    st.integers(0, 1023),
    st.integers(0, 32767),
    st.sampled_from(Offline),
    st.integers(0, 65535),
    st.sampled_from(Offline),
)
def test_an_offline_word_keeps_what_a_move_does_not_change(m, order, nid, owner, first, cpu, second):
    word = m.on(cpu).with_state(m.misc_word(Misc.OFFLINE, order, nid, 0) | owner << 48, first)
    assert m.offline_state(word) == first
    moved = m.on(65535 - cpu).with_state(word, second)
    assert m.is_offline_head(moved)
    assert (m.offline_state(moved), m.word_order(moved), m.offline_owner(moved)) == (second, order, owner)
    assert m.on(cpu).with_state(moved, first) == word
