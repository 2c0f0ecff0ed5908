"""A migration that has ended, with success or failure, leaves no unused target, no captured frame and no bit behind.

The array `dst` still has the targets of the last window: it is scratch, and is not checked.

Checks      I15 (docs/invariants.md)
Linux       migrate_folio_undo_src(), migrate_folio_undo_dst(), mm/migrate.c; compaction_free(), release_free_list(), mm/compaction.c
"""

import numpy as np

from kernels.base.layout import DONE, ISOLATED, NR_BITMAPS, NR_ORDERS, T_ANON, T_KSM
from stress.checkers._report import Report, checking
from stress.checkers._view import CC_STRIDE, View


def _check(view: View, report: Report) -> None:
    # An anonymous folio is published with its mapping, so one without is a migration's target. (A truncated file folio has none either.)
    target = np.flatnonzero(view.live & np.isin(view.wide("folio_type"), (T_ANON, T_KSM)) & (view.wide("mapping") == 0))
    report.add(
        "migration target was neither used nor freed",
        pfn=view.wide("folio_pfn")[target],
        desc=target,
        refcount=view.wide("refcount")[target],
    )
    cpu, order = np.nonzero(view.row("cc_count", CC_STRIDE)[:, :NR_ORDERS])
    report.add("free scanner's stack is not empty at rest", cpus=cpu, order=order, count=view.row("cc_count", CC_STRIDE)[cpu, order])
    pages = view.wide("cc_pages")
    kept = np.flatnonzero(pages != 0)
    report.add("free scanner's count of captured frames is not zero at rest", cpus=kept, frames=pages[kept])
    bitmaps = view.wide("bitmap").reshape(len(pages), NR_BITMAPS, -1)
    for which, name in ((ISOLATED, "isolated"), (DONE, "unmapped")):
        cpu, word = np.nonzero(bitmaps[:, which])
        report.add(f"bitmap has a frame that is {name} at rest", cpus=cpu, word=word, bits=bitmaps[cpu, which, word])


CHECKER = checking("leftovers", ("I15",), "migrations leave no target, no captured frame and no bit behind", _check)
