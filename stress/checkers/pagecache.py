"""Page cache and folios agree: a folio that a lookup finds at an index belongs to the file and covers the index.

Checks      I10, I13 (docs/invariants.md)
Linux       filemap_get_entry(), mm/filemap.c; folio_contains(), include/linux/pagemap.h; __folio_split(), mm/huge_memory.c
"""

import numpy as np

from kernels.base.layout import FL_UPTODATE, SIBLING_BIT, T_FILE
from stress.checkers._report import Report, checking
from stress.checkers._view import View, order_size, tally


def _check(view: View, report: Report) -> None:
    entry, desc = view.wide("cache"), view.cache_desc
    file_pages = view.param("file_pages")
    dangling = np.flatnonzero((entry != 0) & (desc < 0))
    report.add("slot does not point to a folio", file=dangling // file_pages, index=dangling % file_pages, entry=entry[dangling])
    slot = np.flatnonzero(desc >= 0)
    desc = desc[slot]
    file, index, entry = slot // file_pages, slot % file_pages, entry[slot]
    pfn, first = view.wide("folio_pfn")[desc], view.wide("folio_index")[desc]
    stranger = ~view.live[desc] | (view.wide("folio_type")[desc] != T_FILE) | (view.wide("mapping")[desc] != (file + 1) << 1)
    report.add("slot points to a descriptor that is not a folio of this file", where=stranger, pfn=pfn, file=file, index=index, desc=desc)
    outside = ~stranger & ((index < first) | (index >= first + order_size(view.wide("folio_order")[desc])))
    report.add("folio does not cover the index of its slot", where=outside, pfn=pfn, file=file, index=index, folio_index=first)
    wanted = np.where(index == first, (desc + 1) << 1, first << 1 | SIBLING_BIT)
    odd = ~stranger & ~outside & (entry != wanted)
    report.add(
        "slot is neither the head entry of its folio nor a sibling of it",
        where=odd,
        pfn=pfn,
        file=file,
        index=index,
        entry=entry,
        wanted=wanted,
    )
    _check_folios(view, report)


def _check_folios(view: View, report: Report) -> None:
    slots, order = tally(view.cache_desc, view.nr_desc), view.wide("folio_order")
    cached = view.live & (view.wide("folio_type") == T_FILE) & (view.wide("mapping") != 0)
    short = np.flatnonzero(cached & (slots != order_size(order)))
    report.add(
        "number of slots of a cached folio differs from its number of pages",
        pfn=view.wide("folio_pfn")[short],
        desc=short,
        slots=slots[short],
        folio_order=order[short],
    )
    unread = np.flatnonzero(cached & (view.wide("flags") & FL_UPTODATE == 0))
    report.add(
        "cached folio is not uptodate", pfn=view.wide("folio_pfn")[unread], invariant="I13", desc=unread, flags=view.wide("flags")[unread]
    )


CHECKER = checking("pagecache", ("I10", "I13"), "each page-cache slot points to a folio of its file that covers its index", _check)
