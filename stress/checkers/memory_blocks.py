"""Memory blocks that are not online: their frames are nobody's, their zone does not manage them, and one CPU will put them online again."""

import numpy as np

from kernels.base.layout import M_NOT_ONLINE, MT_ISOLATE
from stress.checkers._report import Report, checking
from stress.checkers._view import View, tally

LOWEST_WATERMARK, WATERMARK_SHIFT = 4, 7  # min is a 128th of what the zone manages, low and high twice and four times that


def _check(view: View, report: Report) -> None:
    shift = view.param("pageblock_order")
    offline = view.wide("block_offline") != 0
    says = view.is_misc & (view.subtype == M_NOT_ONLINE)
    wrong = np.flatnonzero(says != offline[np.arange(view.nr_frames) >> shift])
    report.add("frame of a pageblock that is not online says something else, or the reverse", pfn=wrong, word=view.wide("memdesc")[wrong])
    wrong = np.flatnonzero(offline & (view.wide("block_migratetype") != MT_ISOLATE))
    report.add("pageblock is not online, and frames of it may be allocated", pfn=wrong << shift, block=wrong)
    first = view.wide("offline_first")
    cpus = np.flatnonzero(first != 0)
    size = np.full(len(cpus), max(0, min(view.param("memory_block_blocks"), len(offline))))
    starts, ends = first[cpus] - 1, first[cpus] - 1 + size
    holders = np.cumsum(tally(starts, len(offline) + 1) - tally(ends, len(offline) + 1))[:-1]
    wrong = np.flatnonzero(holders != offline)
    report.add(
        "pageblock that is not online is not kept by exactly one CPU",
        pfn=wrong << shift,
        invariant="I16",
        block=wrong,
        offline=offline[wrong].astype(np.int64),
        holders=holders[wrong],
    )
    _check_zones(view, report)


def _check_zones(view: View, report: Report) -> None:
    """A zone manages what boot did not reserve and what is online, and its watermarks follow from that."""
    shift, nr_nodes, frames = view.param("pageblock_order"), view.param("nr_nodes"), view.param("frames_per_node")
    gone = tally(np.flatnonzero(view.wide("block_offline") != 0) // max(1, frames >> shift), nr_nodes) << shift
    expected, managed = frames - view.param("reserved_frames") - gone, view.wide("zone_managed")
    wrong = np.flatnonzero(managed != expected)
    report.add("zone manages another number of frames than are online", node=wrong, managed=managed[wrong], online=expected[wrong])
    least = np.maximum(expected >> WATERMARK_SHIFT, LOWEST_WATERMARK)
    for name, factor in (("zone_min", 1), ("zone_low", 2), ("zone_high", 4)):
        mark = view.wide(name)
        wrong = np.flatnonzero(mark != factor * least)
        report.add(f"{name} is not what the zone's managed frames say", node=wrong, mark=mark[wrong], expected=factor * least[wrong])


CHECKER = checking("memory_blocks", ("I1", "I16"), "what is not online is nobody's, and the zone does not count on it", _check)
