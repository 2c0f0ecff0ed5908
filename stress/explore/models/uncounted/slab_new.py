"""Slabs are made while other CPUs take objects of them and free them.

A slab has two objects. CPU 0 makes a slab, takes an object of it and frees it. CPU 1 frees an object of a slab that was full; twice it
takes an object from any slab that has room, writes it and frees it. CPU 2 frees the other object of that slab, and shrinks the cache. No
object may have two holders.
"""

from kernels.alloc.pages import alloc_frozen_pages
from kernels.base.jit import kernel
from kernels.base.layout import MT_RECLAIMABLE
from kernels.types.slab import slab_alloc, slab_alloc_new, slab_free, slab_shrink
from stress.explore.model import Model, small_geometry
from stress.explore.models.uncounted.slab_shrink import drop, hold

FRAME = 0  # scratch: the frame of which CPU 0 makes a slab


@kernel
def prepare(mem, cpu):
    """CPU 0 has a frame; CPUs 1 and 2 have an object each of one slab, which is full."""
    mem.scratch[FRAME] = alloc_frozen_pages(mem, cpu, 0, 0, MT_RECLAIMABLE)
    hold(mem, 1, slab_alloc_new(mem, cpu, alloc_frozen_pages(mem, cpu, 0, 0, MT_RECLAIMABLE), 1))
    hold(mem, 2, slab_alloc(mem, cpu, 0, 2))
    return 0


@kernel
def take_and_free(mem, cpu):
    """Take an object, write it and free it.

    Returns     whether there was one
    """
    obj = slab_alloc(mem, cpu, 0, cpu)
    if obj < 0:
        return 0
    hold(mem, cpu, obj)
    drop(mem, cpu, cpu)
    return 1


@kernel
def steps(mem, cpu):
    """Make and free; free, take and free; free and shrink.

    Returns     objects that were taken, or frames that were freed
    """
    if cpu == 0:
        slab_free(mem, cpu, slab_alloc_new(mem, cpu, mem.scratch[FRAME], cpu), cpu)
        return 0
    drop(mem, cpu, cpu)
    if cpu == 2:
        return slab_shrink(mem, cpu, 0)
    return take_and_free(mem, cpu) + take_and_free(mem, cpu)


@kernel
def check(mem, cpu):
    """Every slab goes back."""
    slab_shrink(mem, cpu, 0)
    return 0


MODEL = Model(
    "slab-new",
    "slabs are made while other CPUs take and free their objects, and against reclaim",
    "P21; I2, I9",
    small_geometry(3, words_per_frame=8),
    prepare,
    steps,
    check,
    meetings=("met_slab_shrunk_under_pressure",),
)
