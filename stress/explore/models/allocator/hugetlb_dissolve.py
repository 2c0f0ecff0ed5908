"""A huge folio is put, by its holder or by a speculator, while somebody dissolves the free huge folio of its pageblock.

CPU 0 puts the last reference but those of others: the folio goes to the pool. CPU 1 takes it out of the pool for good if it is there, and
frees its pageblock. CPU 2 takes a reference through the word, and may be the one that puts last.
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
    """Dissolve what is free, and free it.

    Returns     whether it was
    """
    if not huge_dissolve(mem, cpu, 0, pfn):
        return 0
    free_frozen_pages(mem, cpu, pfn, mem.pageblock_order)
    return 1


@kernel
def steps(mem, cpu):
    """Put; dissolve; speculate.

    Returns     what became of it
    """
    if cpu == 0:
        return 1 if folio_put(mem, cpu, mem.scratch[DESC]) else 0
    if cpu == 1:
        return dissolve(mem, cpu, mem.scratch[FRAME])
    return speculate(mem, cpu, mem.scratch[FRAME])


@kernel
def check(mem, cpu):
    """What is still in the pool is dissolved now."""
    dissolve(mem, cpu, mem.scratch[FRAME])
    return 0


MODEL = Model(
    "hugetlb-dissolve",
    "a huge folio is put, by its holder or a speculator, while its pageblock's free huge folio is dissolved",
    "linux-mm.md 2.9; C16, I2, I5",
    small_geometry(3, pageblock_order=2),
    prepare,
    steps,
    check,
    params={"huge_target": 1},
    meetings=("met_dissolve_met_freeing", "htlb_dissolved", "spec_failed_on_zero", "spec_kept"),
)
