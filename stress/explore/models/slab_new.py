"""Slabs are made while others take objects of them and free them.

CPU 0 makes a slab, takes an object of it and frees it. CPU 1 takes an object, from whatever slab has room, writes it and frees it. CPU 2
makes a slab, too, and shrinks the cache.
"""

from kernels.alloc.pages import alloc_frozen_pages
from kernels.base.jit import kernel
from kernels.base.layout import MT_RECLAIMABLE
from kernels.types.slab import slab_alloc, slab_alloc_new, slab_free, slab_shrink
from stress.explore.model import Model, small_geometry
from stress.explore.models.slab_shrink import drop, hold


@kernel
def prepare(mem, cpu):
    """CPUs 0 and 2 have a frame each."""
    for k in range(2):
        mem.gang_pfn[k] = alloc_frozen_pages(mem, cpu, 0, 0, MT_RECLAIMABLE)
    return 0


@kernel
def steps(mem, cpu):
    """Make and free; take and free; make and shrink.

    Returns     what there was to take, or frames that were freed
    """
    if cpu == 1:
        obj = slab_alloc(mem, cpu, 0, cpu)
        if obj >= 0:
            hold(mem, cpu, obj)
            drop(mem, cpu, cpu)
        return 1 if obj >= 0 else 0
    slab_free(mem, cpu, slab_alloc_new(mem, cpu, mem.gang_pfn[cpu // 2], cpu), cpu)
    return slab_shrink(mem, cpu, 0) if cpu == 2 else 0


@kernel
def check(mem, cpu):
    """Every slab goes back."""
    slab_shrink(mem, cpu, 0)
    return 0


MODEL = Model(
    "slab-new",
    "slabs are made while others take and free their objects, and against reclaim",
    "design 3, descriptors without a count; I2, I9",
    small_geometry(3),
    prepare,
    steps,
    check,
    meetings=("met_slab_shrunk_under_pressure",),
)
