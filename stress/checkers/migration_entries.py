"""No migration entry is left behind when no migration runs: whoever faults on one would wait for ever."""

import numpy as np

from kernels.base.layout import PTE_MIG_DIRTY, PTE_MIG_WRITE, PTE_MIGRATION, PTE_PFN_SHIFT, PTE_PRESENT
from stress.checkers._report import Report, checking
from stress.checkers._view import Bools, View


def _check(view: View, report: Report) -> None:
    pte = view.wide("pte")
    _add(view, report, pte & PTE_MIGRATION != 0, "migration entry after the migration ended")
    _add(
        view,
        report,
        (pte & PTE_MIGRATION == 0) & (pte != 0) & (pte & PTE_PRESENT == 0),
        "entry that is neither present, nor empty, nor a migration's",
    )
    _add(
        view,
        report,
        (pte & PTE_PRESENT != 0) & (pte & (PTE_MIG_WRITE | PTE_MIG_DIRTY) != 0),
        "present entry with bits of a migration entry",
    )


def _add(view: View, report: Report, wrong: Bools, message: str) -> None:
    at = np.flatnonzero(wrong)
    pte, task_pages = view.wide("pte")[at], view.param("task_pages")
    report.add(message, pfn=pte >> PTE_PFN_SHIFT, space=at // task_pages, vpage=at % task_pages, pte=pte)


CHECKER = checking("migration_entries", ("I14",), "no migration entry outlives its migration", _check)
