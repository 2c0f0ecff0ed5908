"""Frames without a compound head are freed while pfn walkers hold references on the first one.

CPU 0 frees two frames with one count, that of the first. CPUs 1 and 2 walk pfns and take a reference on the first frame if they can. If one
of them puts last, it frees that frame alone, and CPU 0 frees the other one. Both frames must be free at the end.
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
    """Free; take a reference and put it.

    Returns     whether there was a reference
    """
    if cpu == 0:
        free_counted_pages(mem, cpu, mem.scratch[DESC], ORDER)
        return 0
    return min(speculate(mem, cpu, mem.scratch[FRAME]), 1)


MODEL = Model(
    "counted-free",
    "frames without a compound head are freed while pfn walkers take references on the first",
    "P4, P12; A1, A2, I1, I5",
    small_geometry(3),
    prepare,
    steps,
    no_check,
    meetings=("met_speculation_on_free_pages", "spec_kept"),
)
