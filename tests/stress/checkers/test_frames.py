"""Broken by hand: the places of frames, their memdesc words, the inventories of roles."""

import numpy as np
import pytest

from kernels.base import layout as at
from stress.checkers import all_checkers
from tests.stress.checkers.corruption import Cases, anon_folio, counted_block

pytestmark = pytest.mark.slow

CASES = Cases()
breaks = CASES.breaks


@breaks("bounds", "bounds", "header: memdesc has 1024 records")
def header_of_another_machine(arrays, view):
    arrays["header"][at.PARAM["frames_per_node"]] += 8


def too_deep(field):
    def count_above_its_capacity(arrays, view):
        arrays[field][0] = np.iinfo(arrays[field].dtype).max

    count_above_its_capacity.__name__ += f"_{field}"
    return count_above_its_capacity


for field in (
    *("desc_cached", "lru_batched", "held_count", "balloon_pages", "pin_count", "slab_count", "net_cached", "poison_count", "huge_count"),
    *("huge_free", "contig_held", "pcp_nr", "cc_count", "desc_top", "udesc_top"),
):
    breaks("bounds", "bounds", f"{field} is outside")(too_deep(field))


@breaks("conservation", "I1", "frame is leaked")
def leaked_from_a_pcp_list(arrays, view):
    owner, pfn = view.pcp.owner[-1], view.pcp.value[-1]
    arrays["pcp_nr"][owner // at.PCP_LISTS * at.PCP_STRIDE + owner % at.PCP_LISTS] -= 1
    return pfn


@breaks("conservation", "I1", "frame is leaked")
def only_the_head_of_a_counted_block_is_known(arrays, view):
    """Re-creates the leak of a put that frees only the first frame of a block that is not compound."""
    place = view.held.at[(view["held_kind"][view.held.at] == 2) & (view["held_order"][view.held.at] > 0)][0]
    arrays["held_order"][place] = 0
    return view["folio_pfn"][view["held_pfn"][place]] + 1


@breaks("conservation", "I2", "more than one place")
def on_two_pcp_lists(arrays, view):
    arrays["pcp_frames"][view.pcp.at[0]] = view.pcp.value[-1]


@breaks("conservation", "I1", "frames on per-CPU lists differs")
def pcp_frames_miscounted(arrays, view):
    arrays["pcp_nr"][at.PCP_TOTAL] += 1


@breaks("conservation", "I1", "pfn that does not exist")
def pfn_beyond_memory_on_a_pcp_list(arrays, view):
    arrays["pcp_frames"][view.pcp.at[0]] = view.nr_frames
    return view.nr_frames


@breaks("conservation", "I1", "another node's per-CPU list")
def freed_to_the_wrong_node(arrays, view):
    pfn = (view.pcp.value[0] + view.param("frames_per_node")) % view.nr_frames
    arrays["pcp_frames"][view.pcp.at[0]] = pfn
    return pfn


@breaks("conservation", "I1", "not aligned to its order")
def crooked_block_on_a_pcp_list(arrays, view):
    which = at.NR_PCPTYPES  # CPU 0, node 0, order 1
    arrays["pcp_nr"][which] = max(1, arrays["pcp_nr"][which])
    arrays["pcp_frames"][which * view.param("pcp_capacity")] = 9
    return 9


@breaks("conservation", "I2", "more than one place")
def captured_and_free(arrays, view):
    arrays["cc_count"][0], arrays["cc_frames"][0] = 1, view.free_heads[0]
    return view.free_heads[0]


@breaks("conservation", "I2", "more than one place")
def owned_inside_a_free_block(arrays, view):
    pfn = view.free_heads[view.free_orders > 0][0] + 1
    arrays["memdesc"][pfn] = at.T_ANON | int(anon_folio(view)) << at.DESC_SHIFT
    return pfn


@breaks("misc_words", "I6", "no head word that agrees")
def head_was_retired_before_its_tails(arrays, view):
    head = view.misc_heads[view.misc_order[view.misc_heads] > 0][0]
    arrays["memdesc"][head] = at.NONE_WORD
    return head + 1


@breaks("misc_words", "I6", "differs from the order in the head word")
def tail_was_retired_before_its_head(arrays, view):
    head = view.misc_heads[view.misc_order[view.misc_heads] > 0][0]
    arrays["memdesc"][head + 1] = at.NONE_WORD
    return head


@breaks("misc_words", "I6", "not aligned to it")
def odd_head_of_two_frames(arrays, view):
    head = view.misc_heads[(view.misc_heads & 1 == 1) & (view.misc_order[view.misc_heads] == 0)][0]
    arrays["memdesc"][head] |= 1 << at.ORDER_SHIFT
    return head


@breaks("misc_words", "I6", "differs from the frame's node")
def word_of_the_other_node(arrays, view):
    arrays["memdesc"][view.misc_heads[0]] ^= 1 << at.NODE_SHIFT
    return view.misc_heads[0]


@breaks("misc_words", "I6", "subtype that the model does not use")
def word_of_no_subtype(arrays, view):
    arrays["memdesc"][view.misc_heads[0]] |= at.SUBTYPE_MASK << at.SUBTYPE_SHIFT
    return view.misc_heads[0]


@breaks("misc_words", "I6", "type that the model does not use")
def word_of_no_type(arrays, view):
    arrays["memdesc"][view.misc_heads[0]] = at.TYPE_MASK
    return view.misc_heads[0]


@breaks("inventories", "I1", "in no inventory")
def forgotten_allocation(arrays, view):
    place = view.held.at[view["held_kind"][view.held.at] != 2][0]
    arrays["held_pfn"][place] = view["held_pfn"][view.held.at[-1]]
    return view["held_pfn"][place]


@breaks("inventories", "I1", "in no balloon's inventory")
def block_fell_out_of_its_balloon(arrays, view):
    arrays["balloon_pages"][view.balloon.owner[-1]] -= 1
    return view.balloon.value[-1]


@breaks("inventories", "I2", "in inventories twice")
def held_by_two(arrays, view):
    plain = view.held.at[view["held_kind"][view.held.at] != 2]
    arrays["held_pfn"][plain[0]] = arrays["held_pfn"][plain[1]]


@breaks("inventories", "I1", "not a counted allocation")
def counted_allocation_was_freed(arrays, view):
    place = view.held.at[view["held_kind"][view.held.at] == 2][0]
    arrays["held_pfn"][place] = view.pooled_descs[0]
    return view["folio_pfn"][view.pooled_descs[0]]


@breaks("inventories", "I2", "counted allocation is in inventories twice")
def counted_allocation_held_by_two(arrays, view):
    plain = view.held.at[view["held_kind"][view.held.at] != 2][0]
    arrays["held_kind"][plain], arrays["held_pfn"][plain] = 2, counted_block(view)
    return view["folio_pfn"][counted_block(view)]


@breaks("inventories", "I1", "counted allocation is in no inventory")
def counted_allocation_forgotten(arrays, view):
    place = view.held.at[view["held_kind"][view.held.at] == 2][0]
    arrays["held_pfn"][place] = view.pooled_descs[0]
    return view["folio_pfn"][view["held_pfn"][place]]


@breaks("inventories", "I1", "is not Offline, or is another balloon's")
def balloon_block_was_freed(arrays, view):
    arrays["memdesc"][view.balloon.value[0]] = at.NONE_WORD
    return view.balloon.value[0]


@breaks("inventories", "I1", "frame_next of a balloon's block")
def balloon_block_at_another_place(arrays, view):
    arrays["frame_next"][view.balloon.value[0]] += 1
    return view.balloon.value[0]


@breaks("inventories", "I2", "balloons' inventories twice")
def in_a_balloon_twice(arrays, view):
    arrays["balloon_pfn"][view.balloon.at[0]] = view.balloon.value[1]
    return view.balloon.value[1]


@breaks("inventories", "I1", "replayed allocation is not an allocation's")
def replayed_allocation_was_freed(arrays, view):
    arrays["ev_pfn"][0] = view.free_heads[0]
    return view.free_heads[0]


@breaks("shadow", "I2", "shadow word differs")
def shadow_of_a_free_frame(arrays, view):
    arrays["header"][at.PARAM["shadow_on"]] = 1
    arrays["shadow"][:] = at.SH_OWNED
    for heads, orders, place in ((view.free_heads, view.free_orders, at.SH_BUDDY), (view.pcp.value, view.pcp_order, at.SH_PCP)):
        for pfn, order in zip(heads.tolist(), orders.tolist(), strict=True):
            arrays["shadow"][pfn : pfn + (1 << order)] = place
    assert not all_checkers()["shadow"].check(arrays)
    arrays["shadow"][view.free_heads[0]] = at.SH_OWNED
    return view.free_heads[0]


@breaks("offline_transitions", "F-1", "its protocol does not allow")
def released_without_being_isolated(arrays, view):
    arrays["ring_event"][at.RING_EVENTS], arrays["ring_pfn"][at.RING_EVENTS] = at.EV_OFFLINE_STATE, 77
    arrays["ring_result"][at.RING_EVENTS] = at.OFF_INFLATED << 8 | at.OFF_RELEASED
    return 77


@CASES.parametrize
def test_is_caught(arrays, view, checker, invariant, message, case):
    CASES.expect(arrays, view, checker, invariant, message, case)
