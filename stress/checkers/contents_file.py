"""Each page of a file has every write that was made to it: in the page cache if it is cached, on disk if it is clean or not cached.

Checks      I13 (docs/invariants.md)
Linux       __remove_mapping(), mm/vmscan.c: dirty is tested while the refcount is frozen; __migrate_folio(), mm/migrate.c
"""

import numpy as np

from kernels.base.layout import FL_DIRTY, FL_UPTODATE, FL_WRITEBACK, INCARNATION_SHIFT
from stress.checkers._report import Report, checking
from stress.checkers._view import View, within

_COUNT_MASK = (1 << INCARNATION_SHIFT) - 1


def _check(view: View, report: Report) -> None:
    file_pages = view.param("file_pages")
    written, disk = view.wide("file_oracle") & _COUNT_MASK, view.wide("disk")
    lost = np.flatnonzero((view.wide("cache") == 0) & (disk != written))
    report.add(
        "page is not cached, and its version on disk differs from the number of writes to it",
        file=lost // file_pages,
        index=lost % file_pages,
        disk=disk[lost],
        written=written[lost],
    )
    if view.has_contents:
        _check_cached(view, report)


def _check_cached(view: View, report: Report) -> None:
    file_pages = view.param("file_pages")
    slot = np.flatnonzero(view.cache_desc >= 0)
    desc = view.cache_desc[slot]
    pfn = view.wide("folio_pfn")[desc] + slot % file_pages - view.wide("folio_index")[desc]
    flags = view.wide("flags")[desc]
    kept = within(pfn, view.nr_frames) & (flags & FL_UPTODATE != 0)
    slot, pfn, flags = slot[kept], pfn[kept], flags[kept]
    file, index = slot // file_pages, slot % file_pages
    stamp = (file + 1) << 33 | index  # mapping (file + 1) << 1, in the upper half
    owner, version, mirror = view.owner[pfn], view.version[pfn], view.mirror[pfn]
    written, disk = view.wide("file_oracle")[slot] & _COUNT_MASK, view.wide("disk")[slot]
    wrong = owner != stamp
    report.add("cached page has another page's stamp", where=wrong, pfn=pfn, file=file, index=index, owner=owner, wanted=stamp)
    torn = ~wrong & (version != mirror)
    report.add(
        "page is torn: the version in its first words differs from the mirror in its last word",
        where=torn,
        pfn=pfn,
        file=file,
        index=index,
        version=version,
        mirror=mirror,
    )
    wrong |= torn
    off = ~wrong & (version != written)
    report.add(
        "cached page's version differs from the number of writes to it",
        where=off,
        pfn=pfn,
        file=file,
        index=index,
        version=version,
        written=written,
    )
    stale = ~wrong & (flags & (FL_DIRTY | FL_WRITEBACK) == 0) & (disk != version)
    report.add(
        "clean page's version differs from the version on disk", where=stale, pfn=pfn, file=file, index=index, version=version, disk=disk
    )


CHECKER = checking(
    "contents_file", ("I13",), "each page of a file has every write that was made to it, in the page cache or on disk", _check
)
