"""Every reference has a holder and every holder a reference: mappings, the page cache, LRU batches, pins, counted allocations."""

import numpy as np

from kernels.base.layout import FL_HUGE_FREE, T_COUNTED
from stress.checkers._report import Report, checking
from stress.checkers._view import View, tally


def _check(view: View, report: Report) -> None:
    holders = {
        "ptes": tally(view.mapped_desc, view.nr_desc),
        "cache_slots": tally(view.cache_desc, view.nr_desc),
        "lru_batches": tally(view.batch.value, view.nr_desc),
        "pins": tally(view.pins.value, view.nr_desc),
        "counted": (view.live & (view.wide("folio_type") == T_COUNTED) & ~view.balloon_zero).astype(np.int64),
    }
    expected = sum(holders.values(), np.zeros(view.nr_desc, np.int64))
    refcount, mapcount, pfn = view.wide("refcount"), view.wide("mapcount"), view.wide("folio_pfn")
    # a hugetlb folio in the pool has its words and no count; checker `hugetlb` knows which those are
    pooled = view.hugetlb & (view.wide("flags") & FL_HUGE_FREE != 0)
    frozen = np.flatnonzero(view.live & (refcount <= 0) & ~view.balloon_zero & ~pooled)
    report.add(
        "object has its words and no count: frozen and forgotten, or freed by half", pfn=pfn[frozen], desc=frozen, refcount=refcount[frozen]
    )
    free = np.flatnonzero(~view.live & (refcount != view.frozen_count))
    report.add("count of a descriptor that no word leads to", pfn=pfn[free], desc=free, refcount=refcount[free])
    wrong = np.flatnonzero(view.balloon_zero & (refcount != view.frozen_count))
    report.add("count of an Offline frame was written", pfn=pfn[wrong], invariant="F-1", desc=wrong, refcount=refcount[wrong])
    wrong = np.flatnonzero(view.live & (refcount > 0) & ~view.balloon_zero & (refcount != expected))
    report.add(
        "reference without a holder, or a holder without a reference",
        pfn=pfn[wrong],
        desc=wrong,
        refcount=refcount[wrong],
        **{name: held[wrong] for name, held in holders.items()},
    )
    wrong = np.flatnonzero(mapcount != holders["ptes"])
    report.add("mapcount is not the number of mappings", pfn=pfn[wrong], desc=wrong, mapcount=mapcount[wrong], ptes=holders["ptes"][wrong])
    pincount = view.wide("pincount")
    wrong = np.flatnonzero(pincount != holders["pins"])
    report.add("pincount is not the number of pins", pfn=pfn[wrong], desc=wrong, pincount=pincount[wrong], pins=holders["pins"][wrong])


CHECKER = checking("refcounts", ("I3", "F-1"), "a count is frozen exactly if nothing is there, and else the number of its holders", _check)
