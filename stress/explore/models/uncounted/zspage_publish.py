"""A zspage ends and is made again while one CPU that found its frame isolates it, and another takes an object of it.

CPU 0 frees the only object of a zspage, and with it the zspage. It makes another one, mostly of the same frame and with the same
descriptor, writes the object that it has taken, and frees it. CPU 1 isolates the frame as soon as its word allows that, and migrates it.
CPU 2 takes an object, if there is room, writes it and frees it, and may end the zspage. No write may be lost.
"""

from kernels.alloc.pages import alloc_frozen_pages
from kernels.base.jit import kernel
from kernels.base.layout import MT_MOVABLE
from kernels.types.zspage import zs_access, zs_free, zs_malloc, zs_malloc_new
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import no_check, stock_list
from stress.explore.models.uncounted.zspage_migration import FIRST, FRAME, SECOND, move


@kernel
def prepare(mem, cpu):
    """One zspage has one object, and CPU 1's list has a frame."""
    pfn = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
    mem.scratch[FRAME] = pfn
    zs_malloc_new(mem, cpu, 0, FIRST, pfn)
    stock_list(mem, 1)
    return 0


@kernel
def steps(mem, cpu):
    """End it, make another one, use it; isolate and migrate it; use it.

    Returns     what the migration returned, or whether there was room
    """
    if cpu == 1:
        return move(mem, cpu, mem.scratch[FRAME])
    handle, had = (FIRST if cpu == 0 else SECOND), True
    if cpu == 0:
        zs_free(mem, cpu, handle)
        zs_malloc_new(mem, cpu, 0, handle, alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE))
    else:
        had = zs_malloc(mem, cpu, 0, handle)
    if had:
        zs_access(mem, cpu, handle, 1)
        zs_free(mem, cpu, handle)
    return 1 if had else 0


MODEL = Model(
    "zspage-publish",
    "a zspage ends, is made again and used while compaction isolates and migrates it",
    "P10; I6, I13, I16",
    small_geometry(3, words_per_frame=8),
    prepare,
    steps,
    no_check,
    meetings=("zspage_migrate",),
)
