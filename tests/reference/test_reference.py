"""The oracles against themselves and the layout: a wrong oracle judges wrongly."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.base import layout as at
from tests.reference.bitmap import Bitmap
from tests.reference.buddy import OracleError, Zone
from tests.reference.memdesc import (
    NONE,
    WITH_COUNT,
    WITH_DESCRIPTOR,
    BuddyWord,
    DescWord,
    MiscWord,
    is_counted,
    is_folio,
    is_offline_head,
    pack,
    unpack,
)

EXAMPLES = settings(derandomize=True, deadline=None, max_examples=60)

WORDS = st.one_of(
    st.builds(DescWord, st.sampled_from(sorted(WITH_DESCRIPTOR)), st.integers(0, (1 << 59) - 1)),
    st.builds(BuddyWord, st.integers(0, 63)),
    st.builds(
        MiscWord,
        st.sampled_from(at.Misc),
        st.integers(0, 63),
        st.integers(0, 1023),
        st.booleans(),
        st.sampled_from(at.Offline),
        st.integers(0, 65535),
        st.integers(0, 32767),
    ),
)


@EXAMPLES
@given(WORDS)
def test_words_are_unpacked_as_they_were_packed(what):
    word = pack(what)
    assert 0 <= word < 1 << 63
    assert unpack(word) == what
    counted = isinstance(what, DescWord) and what.kind in WITH_COUNT
    assert is_counted(word) == counted
    assert is_folio(word) == (counted and what.kind != at.Type.COUNTED)
    assert is_offline_head(word) == (isinstance(what, MiscWord) and what.subtype == at.Misc.OFFLINE and not what.tail)


def test_the_layout_agrees():
    assert pack(NONE) == at.NONE_WORD
    assert pack(MiscWord(at.Misc.OFFLINE, order=3, node=1, tail=True)) & at.TAIL_BIT
    word = pack(MiscWord(at.Misc.OFFLINE, 2, 5, False, at.Offline.TRANSIT, 7, 9))
    assert (word >> at.STATE_SHIFT & at.STATE_MASK, word >> at.CPU_SHIFT & at.CPU_MASK) == (at.OFF_TRANSIT, 7)
    assert (word >> at.NODE_SHIFT & at.NODE_MASK, word >> at.OWNER_SHIFT & at.OWNER_MASK) == (5, 9)
    assert pack(BuddyWord(10)) >> at.BUDDY_ORDER_SHIFT & at.BUDDY_ORDER_MASK == 10
    assert pack(DescWord(at.Type.ANON, 77)) >> at.DESC_SHIFT == 77


@pytest.mark.parametrize("what", [BuddyWord(64), DescWord(at.Type.HWPOISON, 1), MiscWord(at.Misc.NONE, owner=1 << 15)])
def test_what_does_not_fit_is_refused(what):
    with pytest.raises(ValueError, match=r"fit|descriptor"):
        pack(what)


@EXAMPLES
@given(st.sets(st.integers(0, 511)), st.integers(0, 512))
def test_bitmap_of_512(positions, start):
    bitmap = Bitmap(positions)
    assert bitmap.weight() == len(positions)
    assert Bitmap.from_words(bitmap.words()).positions() == sorted(positions)
    assert all(-(1 << 63) <= word < 1 << 63 for word in bitmap.words())
    assert bitmap.next_set(start) == next((k for k in range(start, 512) if k in positions), 512)


@pytest.mark.slow
@EXAMPLES
@given(st.data())
def test_zone_keeps_its_frames(data):
    zone, taken, isolated = Zone.booted(64, 192, 4), {}, []
    for _ in range(data.draw(st.integers(1, 40))):
        step = data.draw(st.sampled_from(["take", "take", "give", "isolate", "unisolate"]))
        if step == "take":
            order, migratetype = data.draw(st.integers(0, 5)), data.draw(st.integers(0, 2))
            if choices := sorted(zone.choices(order, migratetype)):
                pfn = data.draw(st.sampled_from(choices))
                zone.allocated(pfn, order, migratetype)
                taken[pfn] = order
        elif step == "give" and taken:
            pfn = data.draw(st.sampled_from(sorted(taken)))
            zone.freed(pfn, taken.pop(pfn))
        elif step == "isolate":
            block = data.draw(st.integers(4, 11))
            assert zone.isolate(block) == (block not in isolated)
            isolated = sorted({*isolated, block})
        elif isolated:
            zone.unisolate(isolated.pop())
        zone.check()
        assert zone.nr_free() + zone.nr_isolate_free() + sum(2**order for order in taken.values()) == 128


def test_double_free_is_refused():
    zone = Zone.booted(0, 64, 3)
    with pytest.raises(OracleError, match="free already"):
        zone.freed(8, 2)


def test_all_freed_is_all_merged():
    zone = Zone.booted(0, 64, 6)
    before = dict(zone.free)
    pfns = []
    while choices := zone.choices(0, at.MT_MOVABLE):
        pfns.append(min(choices))
        zone.allocated(pfns[-1], 0, at.MT_MOVABLE)
    assert sorted(pfns) == list(range(64))
    for pfn in pfns[::2] + pfns[1::2]:
        zone.freed(pfn, 0)
    assert zone.free == before
