"""The pool of free huge folios: taken from and put back, added to and dissolved, while a third puts one more than the pool wants.

The pool wants one folio and has it. CPU 0 takes a free one, if there is, and puts it. CPU 1 dissolves the first one, if that is free. So
does CPU 2, which then makes a surplus one of its pageblock, mostly with the descriptor that it has just given back, and puts it: whoever
puts last finds a full pool and gives its pageblock back. Then it dissolves the first one again.
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

    Returns     whether it was the last reference
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

    Returns     what there was
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
    """What is still in the pool is dissolved now."""
    dissolve(mem, cpu, mem.scratch[POOLED])
    dissolve(mem, cpu, mem.scratch[SURPLUS])
    return 0


MODEL = Model(
    "hugetlb-pool",
    "free huge folios are taken from the pool and put back, one more than it wants",
    "linux-mm.md 2.9; C16, I2, I5",
    small_geometry(3, pageblock_order=2),
    prepare,
    steps,
    check,
    params={"huge_target": 1},
    meetings=("htlb_dissolved",),
)
