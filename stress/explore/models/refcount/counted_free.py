"""Frames without a compound head, whose owner frees them under a speculative reference.

CPU 0 frees two frames that have one count on the first of them. CPUs 1 and 2 walk pfns and take a reference on the first, if they can; one
of them may put last, and frees that frame alone.
"""

from kernels.alloc.release import alloc_counted_pages, free_counted_pages
from kernels.base.jit import kernel
from kernels.base.layout import MT_UNMOVABLE
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import no_check, speculate

ORDER = 1
DESC, FRAME = range(2)  # scratch: the descriptor, and the first of the two frames


@kernel
def prepare(mem, cpu):
    """CPU 0 owns two frames."""
    desc = alloc_counted_pages(mem, cpu, 0, ORDER, MT_UNMOVABLE)
    mem.scratch[DESC], mem.scratch[FRAME] = desc, mem.folio_pfn[desc]
    return 0


@kernel
def steps(mem, cpu):
    """Free; look.

    Returns     whether there was a reference to be had
    """
    if cpu == 0:
        free_counted_pages(mem, cpu, mem.scratch[DESC], ORDER)
        return 0
    return min(speculate(mem, cpu, mem.scratch[FRAME]), 1)


MODEL = Model(
    "counted-free",
    "free_pages() of frames without a compound head against speculative references on the first",
    "linux-mm.md 2.9; A1, A2, I1",
    small_geometry(3),
    prepare,
    steps,
    no_check,
    meetings=("met_speculation_on_free_pages", "spec_kept"),
)
