"""The buddy allocator's lists: each free block is on the list of its pageblock's migratetype, counted once, and merged with its buddy.

Free buddies of a pageblock or more may be unmerged: isolation splits a larger block, and unisolation does not merge it again.

Checks      I17 (docs/invariants.md)
Linux       __free_one_page(), split_large_buddy(), account_freepages(), pageblock_isolate_and_move_free_pages(), mm/page_alloc.c
"""

import numpy as np

from kernels.base.layout import MT_ISOLATE, NR_MIGRATETYPES, NR_ORDERS
from stress.checkers._lists import read_chains
from stress.checkers._report import Report, checking
from stress.checkers._view import Ints, View, lookup, order_size, tally


def _check(view: View, report: Report) -> None:
    if view.has_bitfield:  # checker `bitfields`
        return
    heads, order = view.free_heads, view.free_orders
    first_block = view.wide("block_migratetype")[heads >> view.param("pageblock_order")]
    area = (heads // view.param("frames_per_node") * NR_ORDERS + np.clip(order, 0, NR_ORDERS - 1)) * NR_MIGRATETYPES + first_block
    _check_shape(view, report)
    _check_lists(view, report, area)
    _check_counts(view, report, area)
    _check_merged(view, report)


def _check_shape(view: View, report: Report) -> None:
    pfn, order, size = view.free_heads, view.free_orders, order_size(view.free_orders)
    frames_per_node = view.param("frames_per_node")
    wrong = (order >= NR_ORDERS) | (pfn & (size - 1) != 0) | (pfn // frames_per_node != (pfn + size - 1) // frames_per_node)
    report.add("free block is not aligned, crosses the end of its node, or has an invalid order", where=wrong, pfn=pfn, order=order)
    migratetype = view.wide("block_migratetype")
    bad = np.flatnonzero((migratetype < 0) | (migratetype >= NR_MIGRATETYPES))
    report.add("pageblock has an invalid migratetype", pfn=bad << view.param("pageblock_order"), migratetype=migratetype[bad])
    # Running sums of type changes: all pageblocks of a large free block have the type of the first.
    changes = np.concatenate(([0], np.cumsum(np.diff(migratetype) != 0)))
    last = np.minimum(pfn + size - 1, view.nr_frames - 1) >> view.param("pageblock_order")
    mixed = changes[pfn >> view.param("pageblock_order")] != changes[last]
    report.add("free block spans pageblocks of different migratetypes", where=mixed, pfn=pfn, order=order)


def _check_lists(view: View, report: Report, area: Ints) -> None:
    pfn, order = view.free_heads, view.free_orders
    after, before, first = view.wide("frame_next"), view.wide("frame_prev"), view.wide("free_head")
    chains = read_chains(pfn, after, before, first, view.nr_frames)
    for wrong, message in (
        (chains.astray, "free-list link does not point to a free block"),
        (chains.torn, "free-list neighbour does not link back"),
        (chains.ring, "free list is circular"),
        (~chains.ring & (chains.list_of < 0), "free block is on no free list"),
        ((chains.list_of >= 0) & (chains.list_of != area), "free block is on the list of another migratetype, order or node"),
    ):
        at = pfn[wrong]
        report.add(message, pfn=at, order=order[wrong], next=after[at], prev=before[at], list=chains.list_of[wrong], wanted=area[wrong])
    is_free = np.zeros(view.nr_frames, np.int64)
    is_free[pfn] = 1
    wrong_head = np.flatnonzero((first != 0) & ((lookup(is_free, first - 1, 0) == 0) | (lookup(before, first - 1) != 0)))
    report.add("free_head points to no free block, or to one that is not the first", pfn=first[wrong_head] - 1, list=wrong_head)


def _check_counts(view: View, report: Report, area: Ints) -> None:
    counted, found = view.wide("nr_free"), tally(area, len(view["nr_free"]))
    wrong = np.flatnonzero(counted != found)
    report.add("nr_free differs from the number of free blocks", list=wrong, counted=counted[wrong], found=found[wrong])
    nid = view.free_heads // view.param("frames_per_node")
    size, isolate = order_size(view.free_orders), area % NR_MIGRATETYPES == MT_ISOLATE
    for name, chosen in (("zone_free", ~isolate), ("zone_isolate_free", isolate)):
        counted = view.wide(name)
        found = np.bincount(nid[chosen], weights=size[chosen], minlength=len(counted))[: len(counted)].astype(np.int64)
        wrong = np.flatnonzero(counted != found)
        report.add(f"{name} differs from the number of free frames", node=wrong, counted=counted[wrong], found=found[wrong])


def _check_merged(view: View, report: Report) -> None:
    order_of = np.full(view.nr_frames, -1, np.int64)
    order_of[view.free_heads] = view.free_orders
    small = view.free_orders < view.param("pageblock_order")
    pfn, order = view.free_heads[small], view.free_orders[small]
    buddy = pfn ^ order_size(order)
    apart = (lookup(order_of, buddy, -2) == order) & (pfn < buddy)
    report.add("free buddies are not merged", where=apart, pfn=pfn, order=order, buddy=buddy)


CHECKER = checking(
    "freelists", ("I17",), "each free block is on the list of its pageblock's migratetype, counted, aligned and merged", _check
)
