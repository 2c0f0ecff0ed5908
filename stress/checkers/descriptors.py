"""Memdesc words and descriptors agree, so that the CPU that puts the last reference can free from the descriptor alone; and each
descriptor is in use or free once.

Checks      I4, I5, I1, I2 (docs/invariants.md)
Linux       mm/filemap.c, comment "Lockless page cache protocol": any page allocation must be freeable by folio_put();
            __folio_put(), mm/swap.c; try_get_folio(), mm/gup.c
"""

import numpy as np

from kernels.base.layout import NR_ORDERS, T_COUNTED
from stress.checkers._report import Report, checking
from stress.checkers._view import View, order_size, tally


def _check(view: View, report: Report) -> None:
    _check_words(view, report)
    _check_live(view, report)
    _check_free(view, report)


def _check_words(view: View, report: Report) -> None:
    """I4: the word's type is the descriptor's, and the descriptor covers the frame."""
    memdesc = view.wide("memdesc")
    nowhere = np.flatnonzero(view.leads_to_desc & (view.word_desc < 0))
    report.add("memdesc word points to a descriptor that does not exist", pfn=nowhere, word=memdesc[nowhere])
    pfn = np.flatnonzero(view.word_desc >= 0)
    desc = view.word_desc[pfn]
    kind = view.wide("folio_type")[desc]
    wrong = kind != view.word_type[pfn]
    report.add(
        "type in the memdesc word differs from the descriptor's type",
        pfn=pfn[wrong],
        word=memdesc[pfn[wrong]],
        desc=desc[wrong],
        folio_type=kind[wrong],
    )
    first, order = view.wide("folio_pfn")[desc], view.wide("folio_order")[desc]
    outside = (pfn < first) | (pfn >= first + order_size(order))
    report.add("descriptor does not cover a frame that points to it", where=outside, pfn=pfn, desc=desc, folio_pfn=first, folio_order=order)


def _check_live(view: View, report: Report) -> None:
    """I5: the frames that a last put would free by the descriptor are exactly those that point to it."""
    desc = np.flatnonzero(view.live)
    first, order, named = view.wide("folio_pfn")[desc], view.wide("folio_order")[desc], view.frames_named[desc]
    wrong = named != order_size(order)
    report.add(
        "number of words that point to a descriptor is not 1 << its order",
        where=wrong,
        pfn=first,
        invariant="I5",
        desc=desc,
        folio_order=order,
        words=named,
    )
    crooked = (order < 0) | (order >= NR_ORDERS) | (first & (order_size(order) - 1) != 0)
    crooked |= (view.wide("folio_type")[desc] == T_COUNTED) & (order != np.where(view.hugetlb[desc], view.param("pageblock_order"), 0))
    report.add(
        "last put could not free: the order is wrong for the type, or the first frame is not aligned to it",
        where=crooked,
        pfn=first,
        invariant="I5",
        desc=desc,
        folio_order=order,
    )


def _check_free(view: View, report: Report) -> None:
    """I1, I2: each descriptor is in the pool, in one cache, or in use, and only once."""
    cached = tally(view.cached_descs.value, view.nr_desc)
    pooled = tally(view.pooled_descs, view.nr_desc)
    places = cached + pooled + view.live
    pfn = view.wide("folio_pfn")
    lost = np.flatnonzero(places == 0)
    report.add("descriptor is leaked: neither free nor in use", pfn=pfn[lost], invariant="I1", desc=lost)
    twice = np.flatnonzero(places > 1)
    report.add(
        "descriptor is free twice, or free and in use",
        pfn=pfn[twice],
        invariant="I2",
        desc=twice,
        in_caches=cached[twice],
        in_pool=pooled[twice],
        words=view.frames_named[twice],
    )


CHECKER = checking(
    "descriptors", ("I4", "I5", "I1", "I2"), "memdesc words and descriptors agree, and each descriptor is in use or free once", _check
)
