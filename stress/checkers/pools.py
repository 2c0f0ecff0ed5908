"""Each frame of a page pool counts exactly its fragments in flight and is in a pool's cache if it has none; poisoned frames stay unused.

Checks      I3, I1, I13 (docs/invariants.md)
Linux       page_pool_unref_netmem(), include/net/page_pool/helpers.h: pp_ref_count; net/core/page_pool.c; soft_offline_page(),
            unpoison_memory(), mm/memory-failure.c
"""

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
    report.add("fragment in flight is in a frame of no page pool", where=stray, pfn=pfn, slot=slots)
    fragments, cached = tally(pfn, view.nr_frames), tally(view.recycled.value, view.nr_frames)
    frame = np.flatnonzero((view.word_type == T_NETPOOL) & (view.word_udesc >= 0))
    counted = view.wide("u_inuse")[view.word_udesc[frame]]
    wrong = counted != fragments[frame]
    report.add(
        "page pool frame's count differs from its number of fragments in flight",
        pfn=frame[wrong],
        counted=counted[wrong],
        found=fragments[frame[wrong]],
    )
    wrong = (cached[frame] != 0) != (counted == 0)
    wrong |= cached[frame] > 1
    report.add(
        "page pool frame is leaked, or is recycled twice or with fragments in flight",
        pfn=frame[wrong],
        invariant="I1",
        counted=counted[wrong],
        cached=cached[frame[wrong]],
    )
    stray = lookup(view.word_type, view.recycled.value) != T_NETPOOL
    report.add(
        "page pool's cache has a frame of no page pool", where=stray, pfn=view.recycled.value, invariant="I1", cpus=view.recycled.owner
    )
    if view.has_contents:
        wrong = view.owner[frame] != NET_STAMP | frame
        report.add("page pool frame has another owner's stamp", pfn=frame[wrong], invariant="I13", owner=view.owner[frame[wrong]])
    _check_poisoned(view, report)


def _check_poisoned(view: View, report: Report) -> None:
    remembered = tally(view.poisoned.value, view.nr_frames)
    poisoned = (view.word_type == T_HWPOISON).astype(np.int64)
    wrong = np.flatnonzero(remembered != poisoned)
    report.add(
        "poisoned frame is in use again, or is not in exactly one CPU's inventory",
        pfn=wrong,
        invariant="I1",
        word=view.wide("memdesc")[wrong],
        remembered=remembered[wrong],
    )


CHECKER = checking(
    "pools", ("I3", "I1", "I13"), "page pool frames count exactly their fragments in flight, and poisoned frames stay unused", _check
)
