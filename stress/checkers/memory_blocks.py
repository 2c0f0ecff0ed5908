"""Frames of an offline memory block have no owner, the zone does not manage them, and exactly one CPU will put the block online again.

Checks      I1, I16 (docs/invariants.md)
Linux       offline_pages(), online_pages(), adjust_managed_page_count(), mm/memory_hotplug.c, mm/page_alloc.c;
            __setup_per_zone_wmarks(), mm/page_alloc.c
"""

import numpy as np

from kernels.base.layout import M_NOT_ONLINE, MT_ISOLATE
from stress.checkers._report import Report, checking
from stress.checkers._view import View, tally

LOWEST_WATERMARK, WATERMARK_SHIFT = 4, 7  # min is 1/128 of the managed frames; low is twice min, high four times


def _check(view: View, report: Report) -> None:
    shift = view.param("pageblock_order")
    offline = view.wide("block_offline") != 0
    says = view.is_misc & (view.subtype == M_NOT_ONLINE)
    wrong = np.flatnonzero(says != offline[np.arange(view.nr_frames) >> shift])
    report.add(
        "frame of an offline pageblock is not marked so, or one of an online pageblock is", pfn=wrong, word=view.wide("memdesc")[wrong]
    )
    wrong = np.flatnonzero(offline & (view.wide("block_migratetype") != MT_ISOLATE))
    report.add("offline pageblock does not have migratetype isolate", pfn=wrong << shift, block=wrong)
    first = view.wide("offline_first")
    cpus = np.flatnonzero(first != 0)
    size = np.full(len(cpus), max(0, min(view.param("memory_block_blocks"), len(offline))))
    starts, ends = first[cpus] - 1, first[cpus] - 1 + size
    holders = np.cumsum(tally(starts, len(offline) + 1) - tally(ends, len(offline) + 1))[:-1]
    wrong = np.flatnonzero(holders != offline)
    report.add(
        "offline pageblock is not held by exactly one CPU, or an online one is held",
        pfn=wrong << shift,
        invariant="I16",
        block=wrong,
        offline=offline[wrong].astype(np.int64),
        holders=holders[wrong],
    )
    _check_zones(view, report)


def _check_zones(view: View, report: Report) -> None:
    """A zone manages the frames that are online and that boot did not reserve; its watermarks follow from their number."""
    shift, nr_nodes, frames = view.param("pageblock_order"), view.param("nr_nodes"), view.param("frames_per_node")
    gone = tally(np.flatnonzero(view.wide("block_offline") != 0) // max(1, frames >> shift), nr_nodes) << shift
    expected, managed = frames - view.param("reserved_frames") - gone, view.wide("zone_managed")
    wrong = np.flatnonzero(managed != expected)
    report.add("zone_managed differs from the number of online frames", node=wrong, managed=managed[wrong], online=expected[wrong])
    least = np.maximum(expected >> WATERMARK_SHIFT, LOWEST_WATERMARK)
    for name, factor in (("zone_min", 1), ("zone_low", 2), ("zone_high", 4)):
        mark = view.wide(name)
        wrong = np.flatnonzero(mark != factor * least)
        report.add(f"watermark {name} does not follow from the frames online", node=wrong, mark=mark[wrong], expected=factor * least[wrong])


CHECKER = checking(
    "memory_blocks", ("I1", "I16"), "an offline memory block's frames have no owner and are not managed, and one CPU holds it", _check
)
