"""Slabs become empty while another CPU takes objects and reclaim takes slabs.

CPU 0 holds six objects, each in its own slab, and frees them; the last of them leave more empty slabs than a node keeps. CPU 1 takes an
object from any slab that has room, and writes it. CPU 2 shrinks the cache. A slab with an object in use must stay.
"""

from kernels.alloc.pages import alloc_frozen_pages
from kernels.base.jit import kernel
from kernels.base.layout import MT_RECLAIMABLE, SLAB_HELD, SLAB_MIN_EMPTY
from kernels.types.objects import object_check, object_stamp
from kernels.types.slab import slab_alloc, slab_alloc_new, slab_free, slab_object_words, slab_shrink
from stress.explore.model import Model, small_geometry

SLAB_STAMP = 1 << 57  # the role's, which the checkers know
HELD = SLAB_MIN_EMPTY + 1


@kernel
def hold(mem, cpu, obj):
    """Write an object and remember it."""
    object_stamp(mem, obj, slab_object_words(mem), SLAB_STAMP | cpu, obj)
    mem.slab_obj[cpu * SLAB_HELD + mem.slab_count[cpu]] = obj
    mem.slab_count[cpu] += 1


@kernel
def drop(mem, cpu, holder):
    """Free the last object that a CPU holds, which is as it was written."""
    obj = mem.slab_obj[holder * SLAB_HELD + mem.slab_count[holder] - 1]
    mem.slab_count[holder] -= 1
    object_check(mem, cpu, obj, slab_object_words(mem), holder, SLAB_STAMP | holder, obj)
    slab_free(mem, cpu, obj, holder)


@kernel
def prepare(mem, cpu):
    """CPU 0 holds an object in each of six slabs; all but two are freed already."""
    for _ in range(HELD):
        hold(mem, cpu, slab_alloc_new(mem, cpu, alloc_frozen_pages(mem, cpu, 0, 0, MT_RECLAIMABLE), cpu))
    for _ in range(HELD - 2):
        drop(mem, cpu, cpu)
    return 0


@kernel
def steps(mem, cpu):
    """Free; take; shrink.

    Returns     whether an object was taken, or frames that were freed
    """
    if cpu == 0:
        drop(mem, cpu, cpu)
        drop(mem, cpu, cpu)
        return 0
    if cpu == 1:
        obj = slab_alloc(mem, cpu, 0, cpu)
        if obj >= 0:
            hold(mem, cpu, obj)
        return 1 if obj >= 0 else 0
    return slab_shrink(mem, cpu, 0)


@kernel
def check(mem, cpu):
    """An object that is held is as it was written, and every slab goes back."""
    if mem.slab_count[1] > 0:
        drop(mem, cpu, 1)
    slab_shrink(mem, cpu, 0)
    return 0


MODEL = Model(
    "slab-shrink",
    "slabs become empty while another CPU takes objects, and against reclaim",
    "P21; I2, I9",
    small_geometry(3),
    prepare,
    steps,
    check,
    meetings=("met_slab_shrunk_under_pressure",),
)
