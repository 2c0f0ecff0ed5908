"""Frames of page pools have the fragments that are in flight, and no others; poisoned frames are where they were left."""

import numpy as np

from kernels.base.layout import T_HWPOISON, T_NETPOOL
from stress.checkers._report import Report, checking
from stress.checkers._view import View, lookup, tally

NET_STAMP = 1 << 56  # | frame


def _check(view: View, report: Report) -> None:
    flying = view.wide("net_slot")
    slots = np.flatnonzero(flying != 0)
    pfn = flying[slots] - 1
    stray = lookup(view.word_type, pfn) != T_NETPOOL
    report.add("fragment in flight of what is no pool's frame", where=stray, pfn=pfn, slot=slots)
    fragments, cached = tally(pfn, view.nr_frames), tally(view.recycled.value, view.nr_frames)
    frame = np.flatnonzero((view.word_type == T_NETPOOL) & (view.word_udesc >= 0))
    counted = view.wide("u_inuse")[view.word_udesc[frame]]
    wrong = counted != fragments[frame]
    report.add(
        "pool's frame has another number of fragments in flight", pfn=frame[wrong], counted=counted[wrong], found=fragments[frame[wrong]]
    )
    wrong = (cached[frame] != 0) != (counted == 0)
    wrong |= cached[frame] > 1
    report.add(
        "pool's frame is lost, or recycled while in use or twice",
        pfn=frame[wrong],
        invariant="I1",
        counted=counted[wrong],
        cached=cached[frame[wrong]],
    )
    stray = lookup(view.word_type, view.recycled.value) != T_NETPOOL
    report.add("pool keeps what is no frame of a pool", where=stray, pfn=view.recycled.value, invariant="I1", cpus=view.recycled.owner)
    if view.has_contents:
        wrong = view.owner[frame] != NET_STAMP | frame
        report.add("pool's frame holds somebody else's contents", pfn=frame[wrong], invariant="I13", owner=view.owner[frame[wrong]])
    _check_poisoned(view, report)


def _check_poisoned(view: View, report: Report) -> None:
    remembered = tally(view.poisoned.value, view.nr_frames)
    poisoned = (view.word_type == T_HWPOISON).astype(np.int64)
    wrong = np.flatnonzero(remembered != poisoned)
    report.add(
        "poisoned frame is back in use, or nobody remembers it",
        pfn=wrong,
        invariant="I1",
        word=view.wide("memdesc")[wrong],
        remembered=remembered[wrong],
    )


CHECKER = checking("pools", ("I3", "I1", "I13"), "page pools and their fragments agree; poisoned frames stay out of circulation", _check)
