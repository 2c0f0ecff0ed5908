"""No migration entry is left when no migration runs: a task that faults on one would wait for ever.

Checks      I14 (docs/invariants.md)
Linux       try_to_migrate(), mm/rmap.c; remove_migration_ptes(), migration_entry_wait(), mm/migrate.c
"""

import numpy as np

from kernels.base.layout import PTE_MIG_DIRTY, PTE_MIG_WRITE, PTE_MIGRATION, PTE_PFN_SHIFT, PTE_PRESENT
from stress.checkers._report import Report, checking
from stress.checkers._view import Bools, View


def _check(view: View, report: Report) -> None:
    pte = view.wide("pte")
    _add(view, report, pte & PTE_MIGRATION != 0, "migration entry is left after its migration ended")
    _add(
        view,
        report,
        (pte & PTE_MIGRATION == 0) & (pte != 0) & (pte & PTE_PRESENT == 0),
        "PTE is not present, not empty and not a migration entry",
    )
    _add(
        view,
        report,
        (pte & PTE_PRESENT != 0) & (pte & (PTE_MIG_WRITE | PTE_MIG_DIRTY) != 0),
        "present PTE has bits of a migration entry",
    )


def _add(view: View, report: Report, wrong: Bools, message: str) -> None:
    at = np.flatnonzero(wrong)
    pte, task_pages = view.wide("pte")[at], view.param("task_pages")
    report.add(message, pfn=pte >> PTE_PFN_SHIFT, space=at // task_pages, vpage=at % task_pages, pte=pte)


CHECKER = checking("migration_entries", ("I14",), "at rest no migration entry is left in a page table", _check)
