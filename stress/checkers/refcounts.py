"""Each reference has a holder and each holder a reference: PTEs, page-cache slots, LRU batches, pins, counted allocations.

Checks      I3, F-1 (docs/invariants.md)
Linux       folio_expected_ref_count(), include/linux/mm.h; folio_ref_freeze(), folio_ref_unfreeze(), set_page_count(),
            include/linux/page_ref.h
"""

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
    # a hugetlb folio in the pool has memdesc words and a frozen count; checker `hugetlb` verifies FL_HUGE_FREE
    pooled = view.hugetlb & (view.wide("flags") & FL_HUGE_FREE != 0)
    frozen = np.flatnonzero(view.live & (refcount <= 0) & ~view.balloon_zero & ~pooled)
    report.add(
        "object has memdesc words and no count: frozen and never unfrozen, or only partly freed",
        pfn=pfn[frozen],
        desc=frozen,
        refcount=refcount[frozen],
    )
    free = np.flatnonzero(~view.live & (refcount != view.frozen_count))
    report.add("refcount of a free descriptor is not the frozen count", pfn=pfn[free], desc=free, refcount=refcount[free])
    wrong = np.flatnonzero(view.balloon_zero & (refcount != view.frozen_count))
    report.add("refcount of an Offline frame was written", pfn=pfn[wrong], invariant="F-1", desc=wrong, refcount=refcount[wrong])
    wrong = np.flatnonzero(view.live & (refcount > 0) & ~view.balloon_zero & (refcount != expected))
    report.add(
        "refcount of a live folio differs from the number of its holders",
        pfn=pfn[wrong],
        desc=wrong,
        refcount=refcount[wrong],
        **{name: held[wrong] for name, held in holders.items()},
    )
    wrong = np.flatnonzero(mapcount != holders["ptes"])
    report.add(
        "mapcount differs from the number of PTEs that map the folio",
        pfn=pfn[wrong],
        desc=wrong,
        mapcount=mapcount[wrong],
        ptes=holders["ptes"][wrong],
    )
    pincount = view.wide("pincount")
    wrong = np.flatnonzero(pincount != holders["pins"])
    report.add(
        "pincount differs from the number of pins", pfn=pfn[wrong], desc=wrong, pincount=pincount[wrong], pins=holders["pins"][wrong]
    )


CHECKER = checking("refcounts", ("I3", "F-1"), "the refcount of a folio in use is the number of its holders; a free one is frozen", _check)
