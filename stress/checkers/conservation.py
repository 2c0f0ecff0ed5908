"""Every frame has exactly one place: a free block, a per-CPU list, a free scanner's stack, or the owner that its word names.

The frames after the first of a free block, of a block on a list and of a counted block have the word NONE. A NONE word that no such
block accounts for is a leaked frame.

Checks      I1, I2 (docs/invariants.md)
Linux       __free_one_page(), drain_pages_zone(), ___free_pages(), mm/page_alloc.c; isolate_freepages_block(), release_free_list(),
            mm/compaction.c; lib/test_free_pages.c: the frames after the first of a non-compound block
"""

import numpy as np

from kernels.base.layout import NR_ORDERS, PCP_LISTS, PCP_STRIDE, PCP_TOTAL
from stress.checkers._report import Report, checking
from stress.checkers._view import Ints, View, lookup, order_size, within

COUNTED = 2  # of held_kind: held_pfn is a descriptor of order 0, and the frames after its own have the word NONE


def _check(view: View, report: Report) -> None:
    claims = {
        "buddy": view.coverage(view.free_heads, order_size(view.free_orders)),
        "pcp": view.coverage(view.pcp.value, order_size(view.pcp_order)),
        "captured": view.coverage(view.captured.value, order_size(view.captured.owner % NR_ORDERS)),
        "owned": view.owned.astype(np.int64),
        "counted_tail": _counted_tails(view),
    }
    total = sum(claims.values(), np.zeros(view.nr_frames, np.int64))
    memdesc = view.wide("memdesc")
    lost = np.flatnonzero(total == 0)
    report.add("frame is leaked: no free block, per-CPU list, free scanner or owner has it", pfn=lost, word=memdesc[lost])
    twice = np.flatnonzero(total > 1)
    report.add(
        "frame is in more than one place",
        pfn=twice,
        invariant="I2",
        word=memdesc[twice],
        **{name: claim[twice] for name, claim in claims.items()},
    )
    _check_pcp(view, report)


def _counted_tails(view: View) -> Ints:
    """The frames after the first of counted blocks that the role `kernel` holds."""
    counted = view.at("held_kind", view.held.at) == COUNTED
    first = lookup(view.wide("folio_pfn"), view.held.value[counted])
    tails = order_size(view.at("held_order", view.held.at[counted])) - 1
    return view.coverage(np.where(first >= 0, first + 1, -1), tails)


def _check_pcp(view: View, report: Report) -> None:
    outside = ~within(view.pcp.value, view.nr_frames)
    report.add("per-CPU list has a pfn that does not exist", where=outside, pfn=view.pcp.value, cpus=view.pcp_cpu)
    nid = view.pcp.owner // PCP_LISTS % view.param("nr_nodes")
    stray = ~outside & (view.pcp.value // view.param("frames_per_node") != nid)
    report.add("frame is on another node's per-CPU list", where=stray, pfn=view.pcp.value, cpus=view.pcp_cpu, node=nid)
    crooked = ~outside & (view.pcp.value & (order_size(view.pcp_order) - 1) != 0)
    report.add(
        "block on a per-CPU list is not aligned to its order", where=crooked, pfn=view.pcp.value, cpus=view.pcp_cpu, order=view.pcp_order
    )
    said = view.row("pcp_nr", PCP_STRIDE)[:, PCP_TOTAL]
    blocks = np.bincount(view.pcp.owner // PCP_LISTS, weights=order_size(view.pcp_order), minlength=len(said)).astype(np.int64)
    wrong = np.flatnonzero(said != blocks)
    cpus = wrong // view.param("nr_nodes")
    report.add("count of frames on per-CPU lists differs from the frames on them", cpus=cpus, counted=said[wrong], found=blocks[wrong])


CHECKER = checking("conservation", ("I1", "I2"), "every frame is in exactly one place, and no frame is lost", _check)
