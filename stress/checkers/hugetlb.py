"""Each hugetlb folio is held by one CPU or is in its node's pool, and the node's counts agree.

Checks      I2, I3 (docs/invariants.md)
Linux       free_huge_folio(), dissolve_free_hugetlb_folio(), mm/hugetlb.c: folio_test_hugetlb_freed()
"""

import numpy as np

from kernels.base.layout import FL_HUGE_FREE, FL_HUGETLB
from stress.checkers._report import Report, checking
from stress.checkers._view import View, lookup, tally


def _check(view: View, report: Report) -> None:
    flags, refcount, pfn = view.wide("flags"), view.wide("refcount"), view.wide("folio_pfn")
    for name, entries in (("hugetlb pool", view.huge_pool), ("inventory of hugetlb folios", view.huge_held)):
        stray = lookup(view.hugetlb.astype(np.int64), entries.value, 0) == 0
        report.add(f"{name} has a descriptor that is not a hugetlb folio", pfn=lookup(pfn, entries.value[stray]), of=entries.owner[stray])
    pooled, held = tally(view.huge_pool.value, view.nr_desc), tally(view.huge_held.value, view.nr_desc)
    wrong = np.flatnonzero(view.hugetlb & (pooled + held != 1))
    report.add("hugetlb folio is leaked, or has two owners", pfn=pfn[wrong], desc=wrong, pooled=pooled[wrong], held=held[wrong])
    free = flags & FL_HUGE_FREE != 0
    wrong = np.flatnonzero(
        (view.hugetlb & ((pooled > 0) != free)) | (view.hugetlb & free & (refcount != view.frozen_count)) | (~view.hugetlb & free)
    )
    report.add(
        "FL_HUGE_FREE is set on a folio that is not in the pool or has references, or is clear on one in the pool",
        pfn=pfn[wrong],
        invariant="I3",
        desc=wrong,
        flags=flags[wrong],
        refcount=refcount[wrong],
    )
    kept = np.flatnonzero(~view.live & (flags & FL_HUGETLB != 0))
    report.add("free descriptor still has FL_HUGETLB", pfn=pfn[kept], desc=kept, flags=flags[kept])
    _check_counts(view, report)


def _check_counts(view: View, report: Report) -> None:
    nr_nodes = view.param("nr_nodes")
    found = tally(view.wide("folio_pfn")[view.hugetlb] // view.param("frames_per_node"), nr_nodes)
    counted, surplus = view.wide("huge_nr"), view.wide("huge_surplus")
    wrong = np.flatnonzero(counted != found)
    report.add("huge_nr differs from the number of hugetlb folios", node=wrong, counted=counted[wrong], found=found[wrong])
    wrong = np.flatnonzero((surplus < 0) | (surplus > counted))
    report.add("huge_surplus is outside 0..huge_nr", node=wrong, surplus=surplus[wrong], counted=counted[wrong])


CHECKER = checking("hugetlb", ("I2", "I3"), "each hugetlb folio is held by one CPU or in its node's pool, and the counts agree", _check)
