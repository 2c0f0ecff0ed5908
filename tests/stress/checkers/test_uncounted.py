"""Broken by hand: descriptors without a count, the objects in zspages and slabs, page tables that are frames."""

import numpy as np
import pytest

from kernels.base import layout as at
from tests.stress.checkers.corruption import Cases, stamp_at

pytestmark = pytest.mark.slow

CASES = Cases()
breaks = CASES.breaks


def frame_of(view, kind):
    return np.flatnonzero((view.word_type == kind) & (view.word_udesc >= 0))[0]


def used_handle(view):
    """A handle in use, and its object."""
    handle = np.flatnonzero(view["zs_obj"] > 0)[0]
    return handle, int(view["zs_obj"][handle]) - 1


def table(view):
    """An upper entry in use, and its table's frame."""
    slot = np.flatnonzero(view["upper"] > 0)[0]
    return slot, int(view["upper"][slot]) - 1


@breaks("uncounted", "I16", "isolated at rest")
def isolator_forgot(arrays, view):
    pfn = frame_of(view, at.T_MOVABLE)
    arrays["u_word"][view.word_udesc[pfn]] ^= at.U_LIVE ^ at.U_ISOLATED
    return pfn


@breaks("uncounted", "I16", "in use at rest")
def reader_never_left(arrays, view):
    arrays["u_lock"][view.word_udesc[frame_of(view, at.T_MOVABLE)]] = 1


@breaks("uncounted", "I1", "leaked")
def uncounted_descriptor_leaked(arrays, view):
    arrays["udesc_top"][0] -= 1


@breaks("uncounted", "I2", "free twice")
def uncounted_descriptor_freed_while_in_use(arrays, view):
    arrays["udesc_stack"][0] = view.word_udesc[frame_of(view, at.T_SLAB)]


@breaks("uncounted", "I2", "does not exist")
def word_beyond_the_descriptors(arrays, view):
    pfn = frame_of(view, at.T_PAGETABLE)
    arrays["memdesc"][pfn] = at.T_PAGETABLE | view.nr_udesc << at.DESC_SHIFT
    return pfn


@breaks("objects", "I13", "another handle's header or stamp")
def header_of_another_handle(arrays, view):
    _, obj = used_handle(view)
    words = max(at.OBJECT_WORDS, view.param("words_per_frame") >> 1 + view["zs_class"][used_handle(view)[0]] % at.NR_ZS_CLASSES)
    arrays["contents"][stamp_at(view, obj >> at.OBJ_SHIFT, (obj & at.OBJ_MASK) * words)] += 2
    return obj >> at.OBJ_SHIFT


@breaks("objects", "I13", "differs from the last write")
def version_that_was_never_written(arrays, view):
    handle, obj = used_handle(view)
    arrays["zs_version"][handle] += 1
    return obj >> at.OBJ_SHIFT


@breaks("objects", "I13", "does not point to a zspage of its class")
def handle_into_the_void(arrays, view):
    arrays["zs_obj"][used_handle(view)[0]] = (int(view.free_heads[0]) << at.OBJ_SHIFT) + 1


@breaks("objects", "I13", "slab object differs")
def slab_object_overwritten(arrays, view):
    obj = int(view.slab_objects.value[0])
    words = max(at.OBJECT_WORDS, view.param("words_per_frame") // at.SLAB_OBJECTS)
    arrays["contents"][stamp_at(view, obj >> at.OBJ_SHIFT, (obj & at.OBJ_MASK) * words + 1)] += 1
    return obj >> at.OBJ_SHIFT


@breaks("objects", "I1", "number of handles")
def object_that_no_handle_leads_to(arrays, view):
    handle, obj = used_handle(view)
    arrays["zs_obj"][handle] = 0
    return obj >> at.OBJ_SHIFT


@breaks("objects", "I1", "slab's count of objects")
def slab_object_forgotten(arrays, view):
    arrays["slab_count"][view.slab_objects.owner[-1]] -= 1
    return view.slab_objects.value[-1] >> at.OBJ_SHIFT


@breaks("objects", "I9", "not on its list")
def list_emptied(arrays, view):
    arrays["u_head"][:] = 0


@breaks("objects", "I9", "u_listed differs")
def list_miscounted(arrays, view):
    arrays["u_listed"][0] += 1


@breaks("objects", "I9", "is broken")
def list_link_astray(arrays, view):
    head = view["u_head"][view["u_head"] > 0][0] - 1
    arrays["u_prev"][head] = view.nr_udesc


@breaks("pagetables", "I10", "a page table of its own")
def entry_leads_astray(arrays, view):
    slot, _ = table(view)
    arrays["upper"][slot] = view.free_heads[0] + 1
    return view.free_heads[0]


@breaks("pagetables", "I10", "is not one")
def table_forgotten(arrays, view):
    slot, pfn = table(view)
    arrays["upper"][slot] = 0
    return pfn


@breaks("pagetables", "I11", "RCU section")
def section_never_ended(arrays, view):
    arrays["rcu_seq"][0] |= 1


@breaks("pagetables", "I13", "page table's version or mirror")
def table_write_lost(arrays, view):
    slot, pfn = table(view)
    arrays["upper_oracle"][slot] += 1
    return pfn


@breaks("pagetables", "I13", "another owner's stamp")
def table_overwritten(arrays, view):
    _, pfn = table(view)
    arrays["contents"][stamp_at(view, pfn, at.STAMP_OWNER)] += 1
    return pfn


@breaks("inventories", "I1", "boot reserved is not Reserved")
def reserved_frame_freed(arrays, view):
    arrays["header"][at.PARAM["reserved_frames"]] += 1


@breaks("inventories", "I1", "does not match its kind")
def percpu_frame_became_another(arrays, view):
    place = view.held.at[view["held_kind"][view.held.at] == 4][0]
    arrays["memdesc"][view["held_pfn"][place]] = at.M_VMALLOC << at.SUBTYPE_SHIFT
    return view["held_pfn"][place]


@breaks("pools", "I3", "differs from its number of fragments")
def fragment_lost(arrays, view):
    slot = np.flatnonzero(view["net_slot"])[0]
    arrays["net_slot"][slot] = 0
    return view["net_slot"][slot] - 1


@breaks("pools", "I3", "in a frame of no page pool")
def fragment_astray(arrays, view):
    arrays["net_slot"][np.flatnonzero(view["net_slot"] == 0)[0]] = view.free_heads[0] + 1
    return view.free_heads[0]


@breaks("pools", "I1", "recycled twice or with fragments")
def recycled_too_early(arrays, view):
    slot = np.flatnonzero(view["net_slot"])[0]
    arrays["net_frame"][view.recycled.at[0]] = view["net_slot"][slot] - 1


@breaks("pools", "I1", "cache has a frame of no page pool")
def pool_keeps_a_free_frame(arrays, view):
    arrays["net_frame"][view.recycled.at[0]] = view.free_heads[0]
    return view.free_heads[0]


@breaks("pools", "I13", "another owner's stamp")
def pool_frame_overwritten(arrays, view):
    pfn = frame_of(view, at.T_NETPOOL)
    arrays["contents"][stamp_at(view, pfn, at.STAMP_OWNER)] += 1
    return pfn


@breaks("pools", "I1", "poisoned frame is in use again")
def poisoned_frame_handed_out(arrays, view):
    pfn = view.poisoned.value[0]
    arrays["memdesc"][pfn] = at.NONE_WORD
    return pfn


@breaks("hugetlb", "I2", "two owners")
def huge_folio_in_the_pool_twice(arrays, view):
    arrays["huge_held"][view.huge_held.at[0]] = view.huge_pool.value[0]


@breaks("hugetlb", "I2", "leaked")
def huge_folio_forgotten(arrays, view):
    arrays["huge_count"][view.huge_held.owner[-1]] -= 1
    return view["folio_pfn"][view.huge_held.value[-1]]


@breaks("hugetlb", "I2", "not a hugetlb folio")
def pool_of_something_else(arrays, view):
    arrays["huge_desc"][view.huge_pool.at[0]] = view.pooled_descs[0]


@breaks("hugetlb", "I2", "still has FL_HUGETLB")
def huge_descriptor_not_cleaned(arrays, view):
    arrays["flags"][view.pooled_descs[0]] = at.FL_HUGETLB


@breaks("hugetlb", "I2", "huge_nr differs")
def huge_folios_miscounted(arrays, view):
    arrays["huge_nr"][0] += 1


@breaks("hugetlb", "I2", "outside 0..huge_nr")
def surplus_of_nothing(arrays, view):
    arrays["huge_surplus"][0] = view["huge_nr"][0] + 1


@breaks("hugetlb", "I3", "FL_HUGE_FREE is set")
def held_and_called_free(arrays, view):
    arrays["flags"][view.huge_held.value[0]] |= at.FL_HUGE_FREE


@CASES.parametrize
def test_is_caught(arrays, view, checker, invariant, message, case):
    CASES.expect(arrays, view, checker, invariant, message, case)
