"""No CPU has a valid TLB entry that the page table does not grant; one is left by a flush that was skipped or came too early.

Checks      I12 (docs/invariants.md)
Linux       flush_tlb_mm_range(), arch/x86/mm/tlb.c; inc_mm_tlb_gen(), arch/x86/include/asm/tlbflush.h; try_to_unmap_flush(), mm/rmap.c
"""

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
        "TLB entry has a generation above its space's current one",
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
        (gone, "valid TLB entry maps a page that the page table no longer maps there"),
        (weaker, "valid TLB entry allows writes that the PTE does not"),
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


CHECKER = checking("tlb", ("I12",), "each TLB entry of its space's current generation grants no more than the page table", _check)
