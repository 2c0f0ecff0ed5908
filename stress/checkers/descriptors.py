"""Words and descriptors agree, so that whoever puts last can free from the descriptor alone; and each descriptor is used or free."""

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
    report.add("word leads to a descriptor that does not exist", pfn=nowhere, word=memdesc[nowhere])
    pfn = np.flatnonzero(view.word_desc >= 0)
    desc = view.word_desc[pfn]
    kind = view.wide("folio_type")[desc]
    wrong = kind != view.word_type[pfn]
    report.add(
        "word and descriptor are of different types", pfn=pfn[wrong], word=memdesc[pfn[wrong]], desc=desc[wrong], folio_type=kind[wrong]
    )
    first, order = view.wide("folio_pfn")[desc], view.wide("folio_order")[desc]
    outside = (pfn < first) | (pfn >= first + order_size(order))
    report.add("descriptor does not cover the frame", where=outside, pfn=pfn, desc=desc, folio_pfn=first, folio_order=order)


def _check_live(view: View, report: Report) -> None:
    """I5: what the descriptor says that a last put frees is exactly what its words cover."""
    desc = np.flatnonzero(view.live)
    first, order, named = view.wide("folio_pfn")[desc], view.wide("folio_order")[desc], view.frames_named[desc]
    wrong = named != order_size(order)
    report.add(
        "descriptor's order is not the number of its words",
        where=wrong,
        pfn=first,
        invariant="I5",
        desc=desc,
        folio_order=order,
        words=named,
    )
    crooked = (order < 0) | (order >= NR_ORDERS) | (first & (order_size(order) - 1) != 0)
    crooked |= (view.wide("folio_type")[desc] == T_COUNTED) & (order != np.where(view.hugetlb[desc], view.param("pageblock_order"), 0))
    report.add("order that a put cannot free", where=crooked, pfn=first, invariant="I5", desc=desc, folio_order=order)


def _check_free(view: View, report: Report) -> None:
    """Pool, caches and words together have each descriptor once."""
    cached = tally(view.cached_descs.value, view.nr_desc)
    pooled = tally(view.pooled_descs, view.nr_desc)
    places = cached + pooled + view.live
    pfn = view.wide("folio_pfn")
    lost = np.flatnonzero(places == 0)
    report.add("descriptor is lost: neither free nor in use", pfn=pfn[lost], invariant="I1", desc=lost)
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


CHECKER = checking("descriptors", ("I4", "I5", "I1", "I2"), "words and descriptors agree, and no descriptor is lost or free twice", _check)
