"""Frames settled: every word of flags has a class, unflagged frames are distinguished, and free blocks are the buddy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kernels.base.layout import MT_MOVABLE, MT_RECLAIMABLE, MT_UNMOVABLE
from stress.snapshot.flags import BITS, CLASSES, NAMES, classify, free_blocks, object_orders
from stress.snapshot.frames import settle
from stress.snapshot.recording import read_recording
from tests.stress.snapshot import conftest as at
from tests.stress.snapshot.test_recording import heads_only

#: combinations that /proc/kpageflags has been seen with, or that its source says it can have
SEEN = [
    ([], "unflagged"), (["BUDDY"], "free"), (["NOPAGE"], "hole"), (["RESERVED"], "reserved"), (["RESERVED", "UPTODATE"], "reserved"),
    (["RESERVED", "ZERO_PAGE", "MMAP"], "reserved"), (["RESERVED", "MMAP"], "reserved"),
    (["OFFLINE"], "offline"), (["PGTABLE"], "page_table"),
    (["SLAB"], "slab"), (["SLAB", "COMPOUND_HEAD"], "slab"), (["SLAB", "COMPOUND_TAIL", "ANON"], "slab"), (["SLAB", "KSM"], "slab"),
    (["COMPOUND_HEAD"], "kernel_block"), (["COMPOUND_TAIL"], "kernel_block"), (["COMPOUND_HEAD", "HUGE"], "hugetlb"),
    (["COMPOUND_TAIL", "HUGE", "MMAP", "ANON"], "hugetlb"), (["LRU", "UPTODATE", "MMAP", "ANON", "SWAPBACKED"], "anon"),
    (["LRU", "UPTODATE", "MMAP", "ANON", "SWAPBACKED", "COMPOUND_TAIL", "THP"], "anon"), (["UPTODATE", "MMAP", "ANON"], "anon"),
    (["LRU", "MMAP", "ANON", "UNEVICTABLE", "MLOCKED"], "anon"), (["LRU", "MMAP", "ANON", "SWAPCACHE"], "anon"),
    (["LRU", "MMAP", "ANON", "KSM"], "anon"), (["LRU", "UPTODATE"], "file"), (["LRU", "UPTODATE", "REFERENCED", "ACTIVE", "MMAP"], "file"),
    (["LRU", "UPTODATE", "DIRTY", "SWAPBACKED", "UNEVICTABLE"], "file"), (["LRU", "WRITEBACK", "RECLAIM"], "file"),
    (["LRU", "COMPOUND_HEAD", "THP"], "file"), (["HWPOISON"], "poisoned"), (["HWPOISON", "LRU", "ANON"], "poisoned"),
    (["MMAP"], "kernel_mapped"), (["UPTODATE", "LOCKED"], "kernel_mapped"),
]  # fmt: skip


@pytest.mark.parametrize(("bits", "name"), SEEN)
def test_every_combination_that_was_seen_has_its_class(bits, name):
    word = np.array([sum(1 << BITS[bit] for bit in bits)], np.uint64)
    assert CLASSES[int(classify(word)[0])].name == name


def test_a_bit_that_is_not_known_yet_is_memory_that_stays():
    assert CLASSES[int(classify(np.array([1 << 60], np.uint64))[0])].name == "kernel_mapped"


@given(arrays.arrays(np.bool_, 64), st.integers(1, 5))
def test_free_blocks_are_those_of_a_buddy(free, pageblock_order):
    first, order = free_blocks(free, np.zeros(64 >> pageblock_order, np.bool_), pageblock_order, 6)
    assert np.bincount(order, minlength=7).tolist() == at.blocks_of(free, 6)
    assert np.left_shift(1, order).sum() == free.sum()
    assert not (first & (np.left_shift(1, order) - 1)).any()


def test_a_free_block_does_not_span_types():
    _, order = free_blocks(np.ones(32, np.bool_), np.array([True, False, False, False]), 3, 5)
    assert sorted(order.tolist()) == [3, 3, 4]


def test_orders_are_those_of_regular_compound_pages():
    flags = np.zeros(32, np.uint64)
    at.compound(flags, 8, 3, at.LRU)
    at.compound(flags, 16, 1, at.LRU)
    flags[18] = at.LRU | at.TAIL  # three frames
    flags[24] = at.LRU | at.TAIL  # a tail whose head has gone
    orders = object_orders(flags, classify(flags), 3)
    assert orders[8] == 3
    assert (orders[9:16] == -1).all()
    assert (np.delete(orders, range(8, 16)) == 0).all()


def test_every_frame_of_the_recording_is_settled(write, zone):
    frames = settle(read_recording(write()))
    counted = frames.counted()
    flags, counts = zone
    assert sum(counted.values()) == sum(frames.by_flags.values()) == at.NR_FRAMES
    assert counted["free"] == (flags & at.BUDDY != 0).sum()
    assert counted["slab"] == (flags & at.SLAB != 0).sum()
    assert counted["page_table"] == (flags == at.PGTABLE).sum()
    assert counted["anon"] == (flags & at.ANON != 0).sum() + 4, "four frames were mapped between the two readings"
    assert counted["on_pcp"] == 40
    assert frames.pcp_high == 44
    assert counted["kernel"] == (flags == 0).sum() - 44
    assert (counted["hugetlb"], counted["offline"], counted["poisoned"], counted["reserved"], counted["hole"]) == (512, 4, 1, 10, 100)
    assert np.bincount(frames.free_orders, minlength=11).tolist() == at.blocks_of(flags & at.BUDDY != 0)
    anon, file = frames.settled == NAMES.index("anon"), frames.settled == NAMES.index("file")
    assert frames.nr_clipped == (anon & (counts == 0)).sum() + ((anon | file) & (counts > 4)).sum() > 0
    assert frames.mapped[counts == 3].tolist() == [3] * (counts == 3).sum()
    assert frames.orders[20 * 512] == frames.orders[21 * 512] == 9


def test_blocks_with_the_most_unmovable_memory_are_those_that_pagetypeinfo_counts(write):
    migratetypes = settle(read_recording(write())).migratetypes
    assert np.flatnonzero(migratetypes != MT_MOVABLE).tolist() == [3, 17]
    assert sorted(migratetypes[[3, 17]]) == [MT_UNMOVABLE, MT_RECLAIMABLE]
    alone = settle(read_recording(write(meta={"pagetypeinfo_before": None}))).migratetypes
    assert {3, 12, 17} <= set(np.flatnonzero(alone == MT_UNMOVABLE))


def test_free_blocks_follow_from_heads_and_buddyinfo(write, zone):
    flags = np.concatenate((np.zeros(at.START, np.uint64), heads_only(zone[0])))
    frames = settle(read_recording(write(flags_before=flags)))
    assert frames.counted()["free"] == (zone[0] & at.BUDDY != 0).sum()


def test_the_recorded_machine_is_settled_as_its_flags_say(real):
    """Totals per class against the flags, and free blocks against the kernel's own count of them."""
    recording = read_recording(real)
    frames = settle(recording)
    word = recording.flags
    lru = word & np.uint64(1 << 5) != 0
    anon = (word & np.uint64(1 << 12) != 0) & (word & np.uint64(1 << 7) == 0)
    assert frames.by_flags["free"] == (word & np.uint64(1 << 10) != 0).sum()
    assert frames.by_flags["slab"] == (word & np.uint64(1 << 7) != 0).sum()
    assert frames.by_flags["anon"] == anon.sum()
    assert frames.by_flags["file"] == (lru & ~anon).sum()
    assert frames.by_flags["unflagged"] == (word == 0).sum()
    assert sum(frames.counted().values()) == len(word)
    found = np.bincount(frames.free_orders, minlength=11)
    assert np.abs(found - recording.buddyinfo_before).max() <= 100, "a few frames came and went between the two readings"
    assert found[9:].tolist() == recording.buddyinfo_before[9:]
    assert len(NAMES) > len(frames.counted())
