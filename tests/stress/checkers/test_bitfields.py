"""Broken by hand: the bits, counts, trees and reservations of a machine under allocator = bitfield."""

import numpy as np
import pytest

from kernels.base import layout as at
from stress.checkers import check_all
from tests.stress.checkers.corruption import Cases

pytestmark = pytest.mark.slow

CASES = Cases()
breaks = CASES.breaks


@pytest.fixture(scope="module")
def used(used_bits):
    return used_bits


def chunk_in_use(view):
    """A pageblock with free frames and others, which is not isolated."""
    clear = view.clear_bits.sum(axis=1)
    return np.flatnonzero((clear > 0) & (clear < view.clear_bits.shape[1]) & (view["chunk_word"] & at.CHUNK_ISOLATED == 0))[0]


def reserved_tree(view):
    return np.flatnonzero(view["tree_word"] >> at.TREE_OWNER_SHIFT)[0]


def test_a_used_machine_is_clean(arrays):
    class Machine:
        pass

    machine = Machine()
    machine.arrays = arrays
    assert check_all(machine) == []


def test_the_used_machine_has_something_of_everything(view):
    assert view.has_bitfield
    assert len(view.free_heads) > 50
    assert (view["chunk_word"] & at.CHUNK_ISOLATED != 0).any()
    assert not len(view.pcp.at)
    chunk_in_use(view), reserved_tree(view)


@breaks("bitfields", "I17", "Buddy word")
def buddy_word_of_another_allocator(arrays, view):
    pfn = view.free_heads[3]
    arrays["memdesc"][pfn] = at.T_BUDDY
    return pfn


@breaks("bitfields", "I17", "counts other than the clear bits")
def claim_kept(arrays, view):
    chunk = chunk_in_use(view)
    arrays["chunk_word"][chunk] -= 1
    return chunk << view.param("pageblock_order")


@breaks("bitfields", "I16", "refuses claims")
def isolation_flag_left(arrays, view):
    chunk = chunk_in_use(view)
    arrays["chunk_word"][chunk] |= at.CHUNK_ISOLATED
    return chunk << view.param("pageblock_order")


@breaks("bitfields", "I17", "bits without a meaning")
def count_overflowed(arrays, view):
    arrays["chunk_word"][chunk_in_use(view)] |= 1 << 20


@breaks("bitfields", "I2", "bit without a frame")
def bit_of_no_frame_is_clear(arrays, view):
    arrays["bitfield"][at.BITFIELD_WORDS + 3] = 0
    return 1 << view.param("pageblock_order")


@breaks("bitfields", "I17", "zone_free, with what CPUs")
def share_of_a_cpu_lost(arrays, view):
    arrays["reserve_word"][at.RESERVE_DELTA] += 1


@breaks("bitfields", "I17", "zone_isolate_free, with")
def isolated_frames_miscounted(arrays, view):
    arrays["zone_isolate_free"][1] += 1


@breaks("bitfields", "I17", "invalid migratetype")
def tree_of_no_kind(arrays, view):
    arrays["tree_word"][2] |= at.TREE_KIND_MASK


@breaks("bitfields", "I17", "takes its frames elsewhere")
def reservation_forgotten(arrays, view):
    tree = reserved_tree(view)
    arrays["reserve_word"][(view["tree_word"][tree] >> at.TREE_OWNER_SHIFT) - 1] = 0


@breaks("bitfields", "I17", "frame of another node")
def reservation_on_another_node(arrays, view):
    slot = np.flatnonzero(view["reserve_word"].reshape(-1, at.RESERVE_STRIDE)[:, at.MT_MOVABLE])[0]
    arrays["reserve_word"][slot * at.RESERVE_STRIDE + at.MT_MOVABLE] = view.nr_frames + 1


@breaks("conservation", "I1", "leaked")
def bit_set_of_a_free_frame(arrays, view):
    pfn = view.free_heads[0]
    arrays["bitfield"][pfn // 8 * at.BITFIELD_WORDS] |= 1 << pfn % 8
    return pfn


@breaks("conservation", "I2", "more than one place")
def bit_clear_of_a_frame_in_use(arrays, view):
    pfn = np.flatnonzero(view.owned)[0]
    arrays["bitfield"][pfn // 8 * at.BITFIELD_WORDS] &= ~(1 << pfn % 8)
    return pfn


@CASES.parametrize
def test_is_caught(arrays, view, checker, invariant, message, case):
    CASES.expect(arrays, view, checker, invariant, message, case)
