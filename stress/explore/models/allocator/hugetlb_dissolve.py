"""A huge folio is put, by its holder or by a pfn walker, while the free huge folio of its pageblock is dissolved.

CPU 0 puts the holder's reference; the last put returns the folio to the pool. CPU 1 removes the folio from the pool if it is there, and
frees its pageblock. CPU 2 takes a reference through the word, and may put last. The pageblock must be in the pool or free, never both.
"""

from kernels.alloc.hugetlb import huge_add_surplus, huge_dissolve
from kernels.alloc.pages import alloc_frozen_pages, free_frozen_pages
from kernels.alloc.release import folio_put
from kernels.base.jit import kernel
from kernels.base.layout import MT_MOVABLE
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import speculate

FRAME, DESC = range(2)  # scratch: the first frame and the descriptor of the huge folio


@kernel
def prepare(mem, cpu):
    """CPU 0 holds a huge folio."""
    pfn = alloc_frozen_pages(mem, cpu, 0, mem.pageblock_order, MT_MOVABLE)
    mem.scratch[FRAME], mem.scratch[DESC] = pfn, huge_add_surplus(mem, cpu, 0, pfn)
    return 0


@kernel
def dissolve(mem, cpu, pfn):
    """Dissolve a huge folio if it is free, and free its pageblock.

    Returns     whether it was free
    """
    if not huge_dissolve(mem, cpu, 0, pfn):
        return 0
    free_frozen_pages(mem, cpu, pfn, mem.pageblock_order)
    return 1


@kernel
def steps(mem, cpu):
    """Put; dissolve; take a reference and put it.

    Returns     what the call did
    """
    if cpu == 0:
        return 1 if folio_put(mem, cpu, mem.scratch[DESC]) else 0
    if cpu == 1:
        return dissolve(mem, cpu, mem.scratch[FRAME])
    return speculate(mem, cpu, mem.scratch[FRAME])


@kernel
def check(mem, cpu):
    """A folio that is still in the pool is dissolved now."""
    dissolve(mem, cpu, mem.scratch[FRAME])
    return 0


MODEL = Model(
    "hugetlb-dissolve",
    "a huge folio is put, by its holder or by a pfn walker, while it is dissolved",
    "P19; C16, I2, I5",
    small_geometry(3, pageblock_order=2),
    prepare,
    steps,
    check,
    params={"huge_target": 1},
    meetings=("met_dissolve_met_freeing", "htlb_dissolved", "spec_failed_on_zero", "spec_kept"),
)
