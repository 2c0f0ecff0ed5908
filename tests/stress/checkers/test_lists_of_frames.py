"""Broken by hand: LRU lists, free lists, isolation, and what migrations leave behind."""

import numpy as np
import pytest

from kernels.base import layout as at
from tests.stress.checkers.corruption import Cases, anon_folio, counted_block

pytestmark = pytest.mark.slow

CASES = Cases()
breaks = CASES.breaks


@breaks("leftovers", "I15", "target was neither used nor freed")
def target_left(arrays, view):
    arrays["mapping"][anon_folio(view)] = 0


@breaks("leftovers", "I15", "stack is not empty")
def captured_block_left(arrays, view):
    arrays["cc_count"][16 + 2] = 1


@breaks("leftovers", "I15", "is isolated at rest")
def bit_of_an_isolated_frame_left(arrays, view):
    arrays["bitmap"][(at.NR_BITMAPS + at.ISOLATED) * at.BITMAP_WORDS] = 1 << 40


@breaks("leftovers", "I15", "is unmapped at rest")
def bit_of_an_unmapped_frame_left(arrays, view):
    arrays["bitmap"][at.DONE * at.BITMAP_WORDS] = 1


@breaks("leftovers", "I15", "count of captured frames is not zero")
def captured_frames_miscounted(arrays, view):
    arrays["cc_pages"][1] = 8


@breaks("isolation", "I16", "folio is isolated")
def isolated_and_forgotten(arrays, view):
    arrays["flags"][anon_folio(view)] |= at.FL_ISOLATED


@breaks("isolation", "I16", "count of isolated folios")
def isolation_counted_twice(arrays, view):
    arrays["lru_isolated"][1] = 1


@breaks("isolation", "I16", "scan is claimed")
def two_scanners_one_block(arrays, view):
    arrays["block_skip"][3] = 2
    return 3 << view.param("pageblock_order")


def left_in(state):
    def offline_block_left(arrays, view):
        pfn = view.balloon.value[0]
        arrays["memdesc"][pfn] += (state - at.OFF_INFLATED) << at.STATE_SHIFT
        return pfn

    offline_block_left.__name__ += f"_in_state_{state}"
    return offline_block_left


for state in (at.OFF_PRIVATE, at.OFF_ISOLATED, at.OFF_TRANSIT, at.OFF_RELEASED, at.OFF_DEFLATING):
    breaks("isolation", "I16", "not in state inflated")(left_in(state))


def on_lru(view):
    """Folios on the longest LRU list, in its order."""
    lruvec = np.argmax(view["lru_count"])
    nodes, node = [], view["lru_head"][lruvec]
    while node:
        nodes.append(node - 1)
        node = view["folio_next"][node - 1]
    return nodes


@breaks("lru", "I16", "on no LRU list")
def not_put_back(arrays, view):
    desc = on_lru(view)[2]
    arrays["flags"][desc] &= ~at.FL_LRU
    return view["folio_pfn"][desc]


@breaks("lru", "I16", "is circular")
def lru_ring(arrays, view):
    nodes = on_lru(view)
    arrays["folio_prev"][nodes[1]], arrays["folio_next"][nodes[-1]] = nodes[-1] + 1, nodes[1] + 1


@breaks("lru", "I16", "does not link back")
def lru_link_torn(arrays, view):
    nodes = on_lru(view)
    arrays["folio_next"][nodes[0]] = nodes[2] + 1


@breaks("lru", "I16", "not on the list of its node")
def linked_to_another_list(arrays, view):
    arrays["lru_head"][:] = arrays["lru_head"][::-1].copy()


@breaks("lru", "I16", "lru_count differs")
def lru_miscounted(arrays, view):
    arrays["lru_count"][0] += 1


@breaks("lru", "I16", "does not point to the last folio")
def lru_tail_lost(arrays, view):
    arrays["lru_tail"][np.argmax(view["lru_count"])] = on_lru(view)[0] + 1


@breaks("lru", "I16", "FL_BATCHED is set")
def batched_without_a_batch(arrays, view):
    arrays["flags"][on_lru(view)[0]] |= at.FL_BATCHED


@breaks("lru", "I16", "LRU link points to a descriptor without FL_LRU")
def lru_link_to_a_free_descriptor(arrays, view):
    arrays["folio_next"][on_lru(view)[0]] = view.pooled_descs[0] + 1


@breaks("lru", "I16", "a head and no tail")
def lru_tail_cleared(arrays, view):
    arrays["lru_tail"][np.argmax(view["lru_count"])] = 0


@breaks("lru", "I16", "does not point to the first folio")
def lru_head_with_a_predecessor(arrays, view):
    arrays["folio_prev"][on_lru(view)[0]] = view.pooled_descs[0] + 1


@breaks("lru", "I16", "counted allocation is on an LRU list")
def counted_allocation_on_the_lru(arrays, view):
    arrays["flags"][counted_block(view)] |= at.FL_LRU
    return view["folio_pfn"][counted_block(view)]


@breaks("lru", "I16", "in a batch and on an LRU list")
def batched_and_listed(arrays, view):
    desc = on_lru(view)[0]
    arrays["lru_batch"][0], arrays["lru_batched"][0] = desc, 1
    return view["folio_pfn"][desc]


def longest_free_list(view):
    """A free list and its first three blocks."""
    area = np.argmax(view["nr_free"])
    first = view["free_head"][area] - 1
    second = view["frame_next"][first] - 1
    return area, first, second, view["frame_next"][second] - 1


@breaks("freelists", "I17", "on no free list")
def free_list_head_cleared(arrays, view):
    area, first, _, _ = longest_free_list(view)
    arrays["free_head"][area] = 0
    return first


@breaks("freelists", "I17", "free_head points to no free block")
def free_list_head_is_allocated(arrays, view):
    pfn = view.balloon.value[0]
    arrays["free_head"][longest_free_list(view)[0]] = pfn + 1
    return pfn


@breaks("freelists", "I17", "link does not point to a free block")
def free_list_link_to_an_allocated_block(arrays, view):
    _, first, _, _ = longest_free_list(view)
    arrays["frame_next"][first] = view.balloon.value[0] + 1
    return first


@breaks("freelists", "I17", "neighbour does not link back")
def free_list_link_torn(arrays, view):
    _, first, _, third = longest_free_list(view)
    arrays["frame_next"][first] = third + 1
    return first


@breaks("freelists", "I17", "invalid migratetype")
def pageblock_of_no_type(arrays, view):
    arrays["block_migratetype"][5] = at.NR_MIGRATETYPES
    return 5 << view.param("pageblock_order")


@breaks("freelists", "I17", "different migratetypes")
def free_block_of_two_types(arrays, view):
    pfn, shift = view.free_heads[0], view.param("pageblock_order")
    arrays["memdesc"][pfn] = at.T_BUDDY | shift + 1 << at.BUDDY_ORDER_SHIFT
    arrays["block_migratetype"][(pfn >> shift) + 1] = (view["block_migratetype"][pfn >> shift] + 1) % at.NR_PCPTYPES
    return pfn


@breaks("freelists", "I17", "list of another migratetype")
def pageblock_changed_without_its_blocks(arrays, view):
    """Re-creates a migratetype that was read before zone->lock was taken."""
    pfn = view.free_heads[view.free_orders <= view.param("pageblock_order")][0]
    arrays["block_migratetype"][pfn >> view.param("pageblock_order")] ^= 1
    return pfn


@breaks("freelists", "I17", "is circular")
def free_list_ring(arrays, view):
    area, first, second, after = longest_free_list(view)
    arrays["frame_next"][second], arrays["frame_prev"][first] = first + 1, second + 1
    arrays["free_head"][area], arrays["frame_prev"][after] = after + 1, 0
    return first


@breaks("freelists", "I17", "nr_free differs")
def free_blocks_miscounted(arrays, view):
    arrays["nr_free"][0] += 1


@breaks("freelists", "I17", "zone_free differs")
def free_frames_miscounted(arrays, view):
    arrays["zone_free"][1] -= 1


@breaks("freelists", "I17", "zone_isolate_free differs")
def isolated_frames_miscounted(arrays, view):
    arrays["zone_isolate_free"][0] += 1


@breaks("freelists", "I17", "are not merged")
def halves_of_a_block(arrays, view):
    pfn = view.free_heads[(view.free_orders > 0) & (view.free_orders <= view.param("pageblock_order"))][0]
    order = int(view["memdesc"][pfn] >> at.BUDDY_ORDER_SHIFT) - 1
    arrays["memdesc"][pfn] = arrays["memdesc"][pfn + (1 << order)] = at.T_BUDDY | order << at.BUDDY_ORDER_SHIFT
    return pfn


@breaks("freelists", "I17", "not aligned")
def crooked_block(arrays, view):
    pfn = view.free_heads[view.free_orders > 1][0]
    arrays["memdesc"][pfn + 1], arrays["memdesc"][pfn] = arrays["memdesc"][pfn], at.NONE_WORD
    return pfn + 1


def isolated_block(view):
    return view["isolated_block"].max() - 1


@breaks("isolated_blocks", "I18", "was allocated after the drain")
def allocated_after_the_drain(arrays, view):
    arrays["block_allocated"][isolated_block(view)] = -1


@breaks("isolated_blocks", "I18", "per-CPU list has a frame")
def pcp_kept_a_frame_of_an_isolated_block(arrays, view):
    pfn = isolated_block(view) << view.param("pageblock_order")
    arrays["pcp_frames"][view.pcp.at[0]] = pfn
    return pfn


@breaks("isolated_blocks", "I16", "exactly one CPU")
def isolated_by_two(arrays, view):
    arrays["isolated_block"][:] = isolated_block(view) + 1


@breaks("isolated_blocks", "I18", "high mark of per-CPU lists is neither")
def lists_stay_disabled(arrays, view):
    arrays["pcp_nr"][at.PCP_HIGH] += 1


@breaks("isolated_blocks", "I16", "zone_pcp_disabled differs")
def pcp_never_enabled_again(arrays, view):
    arrays["zone_pcp_disabled"][0] += 1


@breaks("isolated_blocks", "I16", "zone_nr_isolate differs")
def isolated_pageblocks_miscounted(arrays, view):
    arrays["zone_nr_isolate"][1] += 1


@breaks("lru", "I16", "still disabled at rest")
def batches_never_enabled_again(arrays, view):
    arrays["lru_disabled"][0] = 1


# ------------------------------------------------------------------------------------------------------- whole ranges


def offline_block(view):
    return np.flatnonzero(view["block_offline"])[0]


@breaks("memory_blocks", "I1", "offline pageblock is not marked so")
def frame_of_an_offline_block_has_an_owner(arrays, view):
    pfn = offline_block(view) << view.param("pageblock_order")
    arrays["memdesc"][pfn + 1] = at.T_PERCPU
    return pfn + 1


@breaks("memory_blocks", "I1", "offline pageblock is not marked so")
def frame_is_not_online_alone(arrays, view):
    pfn = view.free_heads[0]
    arrays["memdesc"][pfn] = at.T_MISC | at.M_NOT_ONLINE << at.SUBTYPE_SHIFT
    return pfn


@breaks("memory_blocks", "I1", "does not have migratetype isolate")
def offline_block_is_movable_again(arrays, view):
    arrays["block_migratetype"][offline_block(view)] = at.MT_MOVABLE
    return offline_block(view) << view.param("pageblock_order")


@breaks("memory_blocks", "I16", "exactly one CPU")
def no_cpu_will_put_it_online(arrays, view):
    arrays["offline_first"][:] = 0
    return offline_block(view) << view.param("pageblock_order")


@breaks("memory_blocks", "I1", "zone_managed differs")
def zone_still_counts_on_it(arrays, view):
    arrays["zone_managed"][:] = view.param("frames_per_node") - view.param("reserved_frames")


def stale(mark):
    def watermark_of_before(arrays, view):
        arrays[mark][0] += 1

    watermark_of_before.__name__ += f"_{mark}"
    return watermark_of_before


for mark in ("zone_min", "zone_low", "zone_high"):
    breaks("memory_blocks", "I1", f"{mark} does not follow")(stale(mark))


@breaks("inventories", "I1", "contiguous range's pageblock")
def range_lost_a_pageblock(arrays, view):
    pfn = view.contig.value[0]
    arrays["memdesc"][pfn] ^= 1 << at.ORDER_SHIFT
    return pfn


@breaks("inventories", "I1", "in no inventory")
def range_was_forgotten(arrays, view):
    arrays["contig_held"][:] = 0
    return view.contig.value[0]


@breaks("contents_held", "I13", "another owner's stamp")
def range_was_written_to(arrays, view):
    pfn = view.contig.value[-1]
    arrays["contents"][pfn * view.param("words_per_frame") + at.STAMP_OWNER] ^= 1
    return pfn


@CASES.parametrize
def test_is_caught(arrays, view, checker, invariant, message, case):
    CASES.expect(arrays, view, checker, invariant, message, case)
