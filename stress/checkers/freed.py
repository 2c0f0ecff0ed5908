"""A free descriptor keeps no lock, no place on a list, no mapping and no isolation, and no PTE, pin or batch entry refers to it.

Checks      I8 (docs/invariants.md)
Linux       free_page_is_bad(), page_bad_reason(), PAGE_FLAGS_CHECK_AT_FREE, mm/page_alloc.c; migrate_folio_done(), mm/migrate.c
"""

import numpy as np

from kernels.base.layout import FL_BATCHED, FL_ISOLATED, FL_LOCKED, FL_LRU, FL_WRITEBACK
from stress.checkers._report import Report, checking
from stress.checkers._view import View, within

_BOUND = FL_LOCKED | FL_LRU | FL_ISOLATED | FL_WRITEBACK | FL_BATCHED


def _check(view: View, report: Report) -> None:
    flags, mapcount, pfn = view.wide("flags"), view.wide("mapcount"), view.wide("folio_pfn")
    kept = np.flatnonzero(~view.live & (flags & _BOUND != 0))
    report.add("free descriptor is locked, isolated, under writeback, on a list or in a batch", pfn=pfn[kept], desc=kept, flags=flags[kept])
    kept = np.flatnonzero(~view.live & (mapcount != 0))
    report.add("free descriptor has a mapcount", pfn=pfn[kept], desc=kept, mapcount=mapcount[kept])
    stale = view.mapped_desc < 0
    task_pages = view.param("task_pages")
    report.add(
        "present PTE maps a frame that is not part of a folio",
        pfn=view.mapped_pfn[stale],
        word=view.wide("memdesc")[view.mapped_pfn[stale]],
        pte=view.wide("pte")[view.mapped[stale]],
        space=view.mapped[stale] // task_pages,
        vpage=view.mapped[stale] % task_pages,
    )
    for name, entries in (("pin", view.pins), ("LRU batch entry", view.batch)):
        gone = ~within(entries.value, view.nr_desc)
        gone[~gone] = ~view.live[entries.value[~gone]]
        report.add(f"{name} refers to a free descriptor", where=gone, cpus=entries.owner, desc=entries.value)


CHECKER = checking("freed", ("I8",), "a free descriptor keeps no lock, list, mapping or isolation, and nothing refers to it", _check)
