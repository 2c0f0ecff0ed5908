"""Each isolation has ended: between batches no CPU has a folio or an Offline block isolated, or a pageblock's scan claimed.

Checks      I16 (docs/invariants.md)
Linux       folio_isolate_lru(), mm/vmscan.c; isolate_migratepages_block(), mm/compaction.c; isolate_movable_ops_page(),
            putback_movable_ops_page(), mm/migrate.c
"""

import numpy as np

from kernels.base.layout import CPU_MASK, CPU_SHIFT, FL_ISOLATED, M_OFFLINE, OFF_INFLATED, STATE_MASK, STATE_SHIFT
from stress.checkers._report import Report, checking
from stress.checkers._view import View

_SCANNER_MASK = (1 << 16) - 1  # of block_skip: the CPU that scans, + 1; the skip bit is above


def _check(view: View, report: Report) -> None:
    flags = view.wide("flags")
    kept = np.flatnonzero(view.live & (flags & FL_ISOLATED != 0))
    report.add(
        "folio is isolated at rest", pfn=view.wide("folio_pfn")[kept], desc=kept, flags=flags[kept], refcount=view.wide("refcount")[kept]
    )
    isolated = view.wide("lru_isolated")
    wrong = np.flatnonzero(isolated != 0)
    report.add("count of isolated folios is not zero at rest", node=wrong // 2, is_file=wrong % 2, count=isolated[wrong])
    heads = view.misc_heads[view.subtype[view.misc_heads] == M_OFFLINE]
    word = view.wide("memdesc")[heads]
    state = word >> STATE_SHIFT & STATE_MASK
    moving = state != OFF_INFLATED
    cpu = word >> CPU_SHIFT & CPU_MASK
    report.add("Offline block is not in state inflated at rest", where=moving, pfn=heads, cpus=cpu, word=word, state=state)
    skip = view.wide("block_skip")
    claimed = np.flatnonzero(skip & _SCANNER_MASK != 0)
    report.add(
        "pageblock's scan is claimed by a CPU at rest",
        pfn=claimed << view.param("pageblock_order"),
        cpus=(skip[claimed] & _SCANNER_MASK) - 1,
        block=claimed,
    )


CHECKER = checking("isolation", ("I16",), "at rest no folio or Offline block is isolated, and no pageblock's scan is claimed", _check)
