"""Page tables and folios agree: the reverse map finds every mapping, and no page that one task may write is mapped by another.

Checks      I10, I13 (docs/invariants.md)
Linux       do_wp_page(), copy_present_ptes(), mm/memory.c: PageAnonExclusive; write_protect_page(), mm/ksm.c; rmap_walk(), mm/rmap.c
"""

import numpy as np

from kernels.base.layout import FAMILY_TASKS, MAPPING_ANON, PTE_EXCLUSIVE, PTE_PRESENT, PTE_WRITE, T_ANON, T_FILE, T_KSM
from stress.checkers._report import Report, checking
from stress.checkers._view import View, tally


def _check(view: View, report: Report) -> None:
    pte = view.wide("pte")
    lost = np.setdiff1d(np.flatnonzero(pte & PTE_PRESENT != 0), view.mapped, assume_unique=True)
    task_pages = view.param("task_pages")
    report.add("present PTE maps a pfn that does not exist", space=lost // task_pages, vpage=lost % task_pages, pte=pte[lost])
    found = view.mapped_desc >= 0  # `freed` reports the others
    at, pfn, desc = view.mapped[found], view.mapped_pfn[found], view.mapped_desc[found]
    space, vpage, anon_pages = at // task_pages, at % task_pages, view.param("anon_pages")
    anon = vpage < anon_pages
    mapping = np.where(anon, (space // FAMILY_TASKS + 1) << 1 | MAPPING_ANON, (space % view.param("nr_files") + 1) << 1)
    index = np.where(anon, vpage, vpage - anon_pages)
    covered = view.wide("folio_index")[desc] + pfn - view.wide("folio_pfn")[desc]
    seen = view.wide("mapping")[desc]
    kind = view.wide("folio_type")[desc]
    wrong = ~np.where(anon, (kind == T_ANON) | (kind == T_KSM), kind == T_FILE) | (seen != mapping) | (covered != index)
    report.add(
        "PTE maps a page that does not belong at its address",
        pfn=pfn[wrong],
        space=space[wrong],
        vpage=vpage[wrong],
        pte=pte[at[wrong]],
        mapping=seen[wrong],
        index=covered[wrong],
        wanted_mapping=mapping[wrong],
    )
    _check_rights(view, report)


def _check_rights(view: View, report: Report) -> None:
    at, pfn, task_pages = view.mapped, view.mapped_pfn, view.param("task_pages")
    pte = view.wide("pte")[at]
    file = at % task_pages >= view.param("anon_pages")
    loose = (pte & PTE_WRITE != 0) & ((pte & PTE_EXCLUSIVE == 0) | file)
    report.add("writable PTE is not exclusive, or maps a page of a file", where=loose, pfn=pfn, invariant="I13", at=at, pte=pte)
    ksm = (view.word_type[pfn] == T_KSM) & (pte & (PTE_EXCLUSIVE | PTE_WRITE) != 0)
    report.add("PTE of a KSM page is writable or exclusive", where=ksm, pfn=pfn, invariant="I13", at=at, pte=pte)
    shared = (pte & PTE_EXCLUSIVE != 0) & (tally(pfn, view.nr_frames)[pfn] > 1)
    report.add(
        "exclusive page is mapped more than once",
        pfn=pfn[shared],
        invariant="I13",
        space=at[shared] // task_pages,
        vpage=at[shared] % task_pages,
        pte=pte[shared],
    )


CHECKER = checking("rmap", ("I10", "I13"), "each PTE maps the page that belongs at its address, and a writable page is mapped once", _check)
