"""Nothing is allocated from a pageblock after it was isolated and drained, until the one CPU that isolated it gives it back.

Checks      I18, I16 (docs/invariants.md)
Linux       start_isolate_page_range(), set_migratetype_isolate(), mm/page_isolation.c; zone_pcp_disable(), free_pcppages_bulk(),
            mm/page_alloc.c; offline_pages(), mm/memory_hotplug.c
"""

import numpy as np

from kernels.base.layout import MT_ISOLATE, PCP_HIGH, PCP_STRIDE
from stress.checkers._report import Report, checking
from stress.checkers._view import Bools, View, order_size, tally, within


def _isolated(view: View) -> Bools:
    """Pageblocks that are isolated. Offline pageblocks have that migratetype too, and are left out: `memory_blocks` checks them."""
    found: Bools = (view.wide("block_migratetype") == MT_ISOLATE) & (view.wide("block_offline") == 0)
    return found


def _check(view: View, report: Report) -> None:
    shift = view.param("pageblock_order")
    isolate, drained = _isolated(view), view.wide("block_drained")
    nr_blocks = len(drained)
    by_block = view.coverage(view.free_heads, order_size(view.free_orders)) > 0
    allocated = tally(np.flatnonzero(~by_block) >> shift, nr_blocks)
    allowed = view.wide("block_allocated")
    more = np.flatnonzero(isolate & (drained != 0) & (allocated > allowed))
    report.add(
        "frame of an isolated pageblock was allocated after the drain",
        pfn=more << shift,
        block=more,
        allocated=allocated[more],
        at_drain=allowed[more],
    )
    inside = within(view.pcp.value, view.nr_frames)
    pfn, cpu = view.pcp.value[inside], view.pcp_cpu[inside]
    kept = isolate[pfn >> shift] & (drained[pfn >> shift] != 0)
    report.add("per-CPU list has a frame of an isolated pageblock after the drain", pfn=pfn[kept], cpus=cpu[kept], block=pfn[kept] >> shift)
    holders = tally(view.wide("isolated_block") - 1, nr_blocks)
    wrong = np.flatnonzero((holders != isolate) | (isolate & (drained == 0)))
    report.add(
        "isolated pageblock is not held by exactly one CPU or was not drained, or a CPU holds one that is not isolated",
        pfn=wrong << shift,
        invariant="I16",
        block=wrong,
        isolated=isolate[wrong].astype(np.int64),
        holders=holders[wrong],
        drained=drained[wrong],
    )
    _check_zones(view, report)


def _check_zones(view: View, report: Report) -> None:
    """A zone's per-CPU lists are disabled once for each of its isolated pageblocks."""
    blocks = np.flatnonzero(_isolated(view)) << view.param("pageblock_order")
    isolated = tally(blocks // view.param("frames_per_node"), view.param("nr_nodes"))
    for name in ("zone_nr_isolate", "zone_pcp_disabled"):
        counted = view.wide(name)
        wrong = np.flatnonzero(counted != isolated)
        report.add(
            f"{name} differs from the number of isolated pageblocks",
            invariant="I16",
            node=wrong,
            counted=counted[wrong],
            isolated=isolated[wrong],
        )
    marks = view.row("pcp_nr", PCP_STRIDE)[:, PCP_HIGH]
    node = np.arange(len(marks)) % view.param("nr_nodes")
    expected = np.where(view.wide("zone_pcp_disabled")[node] > 0, 0, view.param("pcp_high"))
    wrong = np.flatnonzero(marks != expected)
    report.add(
        "high mark of per-CPU lists is neither 0 while they are disabled nor pcp_high while they are enabled",
        invariant="I18",
        cpus=wrong // view.param("nr_nodes"),
        node=node[wrong],
        high=marks[wrong],
        expected=expected[wrong],
    )


CHECKER = checking(
    "isolated_blocks", ("I18", "I16"), "nothing is allocated from an isolated and drained pageblock, and one CPU holds it", _check
)
