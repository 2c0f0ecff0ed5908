"""Files hold what was written to them: in the cache if they are cached, and on the disk if they are clean or not cached."""

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
        "page is not cached and the disk misses writes",
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
    report.add("cached page holds somebody else's contents", where=wrong, pfn=pfn, file=file, index=index, owner=owner, wanted=stamp)
    torn = ~wrong & (version != mirror)
    report.add(
        "page is torn: its first words and its last disagree", where=torn, pfn=pfn, file=file, index=index, version=version, mirror=mirror
    )
    wrong |= torn
    off = ~wrong & (version != written)
    report.add(
        "cached page has not the writes that were counted", where=off, pfn=pfn, file=file, index=index, version=version, written=written
    )
    stale = ~wrong & (flags & (FL_DIRTY | FL_WRITEBACK) == 0) & (disk != version)
    report.add("clean page is not what the disk has", where=stale, pfn=pfn, file=file, index=index, version=version, disk=disk)


CHECKER = checking("contents_file", ("I13",), "files hold every write that was counted, in the cache or on the disk", _check)
