"""Frames without a compound head, whose owner frees them under a speculative reference.

CPU 0 frees two frames that have one count on the first of them. CPUs 1 and 2 walk pfns and take a reference on the first, if they can; one
of them may put last, and frees that frame alone.
"""

from kernels.alloc.release import alloc_counted_pages, folio_put, free_counted_pages, try_get_pfn
from kernels.base.jit import kernel
from kernels.base.layout import MT_UNMOVABLE
from stress.explore.model import Model, small_geometry

ORDER = 1


@kernel
def prepare(mem, cpu):
    """CPU 0 owns two frames."""
    mem.gang_desc[0] = alloc_counted_pages(mem, cpu, 0, ORDER, MT_UNMOVABLE)
    mem.gang_pfn[0] = mem.folio_pfn[mem.gang_desc[0]]
    return 0


@kernel
def steps(mem, cpu):
    """Free; look.

    Returns     whether there was a reference to be had
    """
    if cpu == 0:
        free_counted_pages(mem, cpu, mem.gang_desc[0], ORDER)
        return 0
    desc = try_get_pfn(mem, cpu, mem.gang_pfn[0])
    if desc < 0:
        return 0
    folio_put(mem, cpu, desc)
    return 1


@kernel
def check(mem, cpu):
    """The checkers at rest count the frames."""
    return 0


MODEL = Model(
    "counted-free",
    "free_pages() of frames without a compound head against speculative references on the first",
    "linux-mm.md 2.9; A1, A2, I1",
    small_geometry(3),
    prepare,
    steps,
    check,
    meetings=("met_speculation_on_free_pages", "spec_kept"),
)
