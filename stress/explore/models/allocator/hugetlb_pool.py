"""The pool of free huge folios: one CPU takes and puts, one dissolves, one adds a folio more than the pool wants.

The pool wants one folio and has it. CPU 0 takes a free folio, if there is one, and puts it. CPU 1 dissolves the first folio if it is free.
CPU 2 does so, too, then makes a surplus folio of its pageblock, mostly with the descriptor that it has just given back, and puts it; the
put that finds a full pool frees the pageblock. Then CPU 2 dissolves the first folio again.
"""

from kernels.alloc.hugetlb import huge_add_surplus, huge_dequeue
from kernels.alloc.pages import alloc_frozen_pages
from kernels.alloc.release import folio_put
from kernels.base.jit import kernel
from kernels.base.layout import MT_MOVABLE
from stress.explore.model import Model, small_geometry
from stress.explore.models.allocator.hugetlb_dissolve import dissolve

POOLED, SURPLUS = range(2)  # scratch: first frames, of the folio that the pool begins with and of CPU 2's pageblock


@kernel
def add(mem, cpu, pfn):
    """Make a pageblock a huge folio, and put it.

    Returns     whether that was the last reference
    """
    return folio_put(mem, cpu, huge_add_surplus(mem, cpu, 0, pfn))


@kernel
def prepare(mem, cpu):
    """One folio is in the pool, and CPU 2 has a pageblock."""
    mem.scratch[POOLED] = alloc_frozen_pages(mem, cpu, 0, mem.pageblock_order, MT_MOVABLE)
    mem.scratch[SURPLUS] = alloc_frozen_pages(mem, cpu, 0, mem.pageblock_order, MT_MOVABLE)
    add(mem, cpu, mem.scratch[POOLED])
    return 0


@kernel
def steps(mem, cpu):
    """Take and put; dissolve; dissolve, add and put, and dissolve.

    Returns     which folios were there
    """
    if cpu == 1:
        return dissolve(mem, cpu, mem.scratch[POOLED])
    if cpu == 2:
        dissolved = dissolve(mem, cpu, mem.scratch[POOLED])
        add(mem, cpu, mem.scratch[SURPLUS])
        return dissolved * 2 + dissolve(mem, cpu, mem.scratch[POOLED])
    desc = huge_dequeue(mem, cpu, 0)
    if desc < 0:
        return 0
    folio_put(mem, cpu, desc)
    return 1


@kernel
def check(mem, cpu):
    """Folios that are still in the pool are dissolved now."""
    dissolve(mem, cpu, mem.scratch[POOLED])
    dissolve(mem, cpu, mem.scratch[SURPLUS])
    return 0


MODEL = Model(
    "hugetlb-pool",
    "free huge folios are taken from the pool and put back, one more than it wants, while one is dissolved",
    "P19; C16, I2, I5",
    small_geometry(3, pageblock_order=2),
    prepare,
    steps,
    check,
    params={"huge_target": 1},
    meetings=("htlb_dissolved",),
)
