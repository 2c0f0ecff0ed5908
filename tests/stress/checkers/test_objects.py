"""Broken by hand: descriptors, their counts, their locks, and what was freed."""

import pytest

from kernels.base import layout as at
from tests.stress.checkers.corruption import Cases, anon_folio, anon_pte, cached_folio, counted_block

pytestmark = pytest.mark.slow

CASES = Cases()
breaks = CASES.breaks


@breaks("descriptors", "I4", "differs from the descriptor's type")
def type_changed_under_its_words(arrays, view):
    arrays["folio_type"][anon_folio(view)] = at.T_FILE


@breaks("descriptors", "I4", "does not cover a frame")
def descriptor_of_another_frame(arrays, view):
    arrays["folio_pfn"][anon_folio(view)] += 1


@breaks("descriptors", "I5", "is not 1 << its order")
def put_would_free_a_stranger(arrays, view):
    arrays["folio_order"][anon_folio(view)] += 1


@breaks("descriptors", "I4", "does not exist")
def word_beyond_the_descriptors(arrays, view):
    pfn = view["folio_pfn"][anon_folio(view)]
    arrays["memdesc"][pfn] = at.T_ANON | view.nr_desc << at.DESC_SHIFT
    return pfn


@breaks("descriptors", "I5", "last put could not free")
def counted_descriptor_of_two_frames(arrays, view):
    arrays["folio_order"][counted_block(view)] = 1
    return view["folio_pfn"][counted_block(view)]


@breaks("descriptors", "I1", "neither free nor in use")
def descriptor_leaked(arrays, view):
    arrays["desc_top"][0] -= 1


@breaks("descriptors", "I2", "free twice")
def descriptor_freed_twice(arrays, view):
    arrays["desc_stack"][0] = arrays["desc_stack"][1]


@breaks("refcounts", "I3", "differs from the number of its holders")
def leaked_reference(arrays, view):
    arrays["refcount"][anon_folio(view)] += 1


@breaks("refcounts", "I3", "frozen and never unfrozen")
def never_unfrozen(arrays, view):
    arrays["refcount"][cached_folio(view)] = 0


@breaks("refcounts", "I3", "refcount of a free descriptor")
def reference_on_a_free_descriptor(arrays, view):
    arrays["refcount"][view.pooled_descs[0]] = 1


@breaks("refcounts", "I3", "mapcount differs")
def mapcount_off(arrays, view):
    arrays["mapcount"][anon_folio(view)] -= 1


@breaks("refcounts", "F-1", "refcount of an Offline frame was written")
def counted_although_offline(arrays, view):
    arrays["header"][at.PARAM["policy_offline"]] = at.OFFLINE_ZERO
    arrays["flags"][counted_block(view)] |= at.FL_OFFLINE
    return arrays["folio_pfn"][counted_block(view)]


@breaks("refcounts", "I3", "pincount differs")
def pin_never_taken_back(arrays, view):
    arrays["pincount"][anon_folio(view)] += 1


@breaks("freed", "I8", "free descriptor is locked")
def freed_with_the_lock_bit(arrays, view):
    arrays["flags"][view.pooled_descs[0]] = at.FL_LOCKED


@breaks("freed", "I8", "has a mapcount")
def freed_with_a_mapcount(arrays, view):
    arrays["mapcount"][view.pooled_descs[0]] = 1


@breaks("freed", "I8", "pin refers to a free descriptor")
def freed_under_a_pin(arrays, view):
    arrays["pin_desc"][view.pins.at[0]] = view.pooled_descs[0]


@breaks("freed", "I8", "LRU batch entry refers to a free descriptor")
def freed_in_a_batch(arrays, view):
    arrays["lru_batch"][0], arrays["lru_batched"][0] = view.pooled_descs[0], 1


@breaks("freed", "I8", "not part of a folio")
def freed_under_a_mapping(arrays, view):
    place, _ = anon_pte(view)
    pfn = view.free_heads[0]
    arrays["pte"][place] = int(pfn) << at.PTE_PFN_SHIFT | at.PTE_PRESENT
    return pfn


@breaks("locks", "I9", "lock is held")
def lock_kept(arrays, view):
    arrays["lock_word"][3] = 2


@breaks("locks", "I9", "folio is locked")
def folio_lock_kept(arrays, view):
    arrays["flags"][anon_folio(view)] |= at.FL_LOCKED


@breaks("locks", "I9", "under writeback at rest")
def writeback_never_ended(arrays, view):
    arrays["flags"][cached_folio(view)] |= at.FL_WRITEBACK


@breaks("locks", "I9", "waits for a lock")
def waiter_left(arrays, view):
    arrays["cpu_waits"][1] = 4


@breaks("locks", "I12", "inside a TLB section")
def section_never_left(arrays, view):
    arrays["section"][1] |= 3


@CASES.parametrize
def test_is_caught(arrays, view, checker, invariant, message, case):
    CASES.expect(arrays, view, checker, invariant, message, case)
