"""No CPU has a translation that it may use and the page table does not grant: a flush that was skipped or came too early."""

import numpy as np

from kernels.base.layout import PTE_DIRTY, PTE_PFN_SHIFT, PTE_PRESENT, PTE_PROTNONE, PTE_WRITE, TLB_ENTRIES
from stress.checkers._report import Report, checking
from stress.checkers._view import View, lookup

_VPAGE_MASK = (1 << 32) - 1


def _check(view: View, report: Report) -> None:
    tag, filled = view.wide("tlb_tag"), view.wide("tlb_filled")
    space, vpage, task_pages = tag >> 32, tag & _VPAGE_MASK, view.param("task_pages")
    generation = lookup(view.wide("tlb_generation"), space)
    ahead = np.flatnonzero((filled != 0) & (filled > generation))
    report.add(
        "translation from a generation that is yet to come",
        cpus=ahead // TLB_ENTRIES,
        tag=tag[ahead],
        filled=filled[ahead],
        generation=generation[ahead],
    )
    slot = np.flatnonzero((filled != 0) & (filled == generation) & (vpage < task_pages))
    cpu, value = slot // TLB_ENTRIES, view.wide("tlb_value")[slot]
    pte = lookup(view.wide("pte"), space[slot] * task_pages + vpage[slot], 0)
    gone = (pte & PTE_PRESENT == 0) | (pte & PTE_PROTNONE != 0) | (pte >> PTE_PFN_SHIFT != value >> PTE_PFN_SHIFT)
    may_write = value & PTE_DIRTY != 0
    weaker = ~gone & may_write & (pte & (PTE_WRITE | PTE_DIRTY) != PTE_WRITE | PTE_DIRTY)
    for wrong, message in (
        (gone, "valid translation of a page that is no longer mapped there"),
        (weaker, "valid translation that may write what its page table entry forbids"),
    ):
        report.add(
            message,
            pfn=value[wrong] >> PTE_PFN_SHIFT,
            cpus=cpu[wrong],
            space=space[slot[wrong]],
            vpage=vpage[slot[wrong]],
            translation=value[wrong],
            pte=pte[wrong],
            generation=filled[slot[wrong]],
        )


CHECKER = checking("tlb", ("I12",), "every translation of the current generation is what the page table says", _check)
