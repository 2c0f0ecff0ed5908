"""Every hugetlb folio is held by one CPU or lies in its node's pool, and the counts say how many there are."""

import numpy as np

from kernels.base.layout import FL_HUGE_FREE, FL_HUGETLB
from stress.checkers._report import Report, checking
from stress.checkers._view import View, lookup, tally


def _check(view: View, report: Report) -> None:
    flags, refcount, pfn = view.wide("flags"), view.wide("refcount"), view.wide("folio_pfn")
    for name, entries in (("pool", view.huge_pool), ("holder", view.huge_held)):
        stray = lookup(view.hugetlb.astype(np.int64), entries.value, 0) == 0
        report.add(f"{name} has what is no hugetlb folio", pfn=lookup(pfn, entries.value[stray]), of=entries.owner[stray])
    pooled, held = tally(view.huge_pool.value, view.nr_desc), tally(view.huge_held.value, view.nr_desc)
    wrong = np.flatnonzero(view.hugetlb & (pooled + held != 1))
    report.add("hugetlb folio is lost, or has two owners", pfn=pfn[wrong], desc=wrong, pooled=pooled[wrong], held=held[wrong])
    free = flags & FL_HUGE_FREE != 0
    wrong = np.flatnonzero(
        (view.hugetlb & ((pooled > 0) != free)) | (view.hugetlb & free & (refcount != view.frozen_count)) | (~view.hugetlb & free)
    )
    report.add(
        "hugetlb folio says that it is free and is not, or the reverse",
        pfn=pfn[wrong],
        invariant="I3",
        desc=wrong,
        flags=flags[wrong],
        refcount=refcount[wrong],
    )
    kept = np.flatnonzero(~view.live & (flags & FL_HUGETLB != 0))
    report.add("freed descriptor is still called hugetlb", pfn=pfn[kept], desc=kept, flags=flags[kept])
    _check_counts(view, report)


def _check_counts(view: View, report: Report) -> None:
    nr_nodes = view.param("nr_nodes")
    found = tally(view.wide("folio_pfn")[view.hugetlb] // view.param("frames_per_node"), nr_nodes)
    counted, surplus = view.wide("huge_nr"), view.wide("huge_surplus")
    wrong = np.flatnonzero(counted != found)
    report.add("huge_nr is not the number of hugetlb folios", node=wrong, counted=counted[wrong], found=found[wrong])
    wrong = np.flatnonzero((surplus < 0) | (surplus > counted))
    report.add("surplus is no share of the hugetlb folios", node=wrong, surplus=surplus[wrong], counted=counted[wrong])


CHECKER = checking("hugetlb", ("I2", "I3"), "hugetlb folios are held or in the pool, once, and counted", _check)
