"""At rest no CPU holds a lock, waits for one, or is inside a TLB section, and no folio is locked or under writeback.

Checks      I9, I12 (docs/invariants.md)
Linux       lockdep_sys_exit(), kernel/locking/lockdep.c: no lock is held when returning to user space; folio_end_writeback(), mm/filemap.c
"""

import numpy as np

from kernels.base.layout import FL_LOCKED, FL_WRITEBACK, SECTION_SPACE_BITS
from stress.checkers._report import Report, checking
from stress.checkers._view import View


def _check(view: View, report: Report) -> None:
    word = view.wide("lock_word")
    taken = np.flatnonzero(word != 0)
    report.add("lock is held at rest", cpus=word[taken] - 1, lock=taken)
    flags = view.wide("flags")
    locked = np.flatnonzero(view.live & (flags & FL_LOCKED != 0))
    report.add("folio is locked at rest", pfn=view.wide("folio_pfn")[locked], desc=locked, flags=flags[locked])
    written = np.flatnonzero(view.live & (flags & FL_WRITEBACK != 0))
    report.add("folio is under writeback at rest", pfn=view.wide("folio_pfn")[written], desc=written, flags=flags[written])
    waits = view.wide("cpu_waits")
    waiting = np.flatnonzero(waits != 0)
    report.add("CPU waits for a lock at rest", cpus=waiting, lock=waits[waiting] - 1)
    section = view.wide("section")
    inside = np.flatnonzero(section & ((1 << SECTION_SPACE_BITS) - 1) != 0)
    report.add("CPU is inside a TLB section at rest", cpus=inside, invariant="I12", section=section[inside])


CHECKER = checking("locks", ("I9", "I12"), "at rest no CPU holds a lock, waits for one or is inside a TLB section", _check)
