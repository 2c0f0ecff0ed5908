"""A zspage is made while somebody who has found its frame wants to isolate it.

CPU 0 makes a zspage, writes the object that it has taken of it, and takes the other one. CPU 1 isolates the frame as soon as its word
says that it can be, and migrates it.
"""

from kernels.alloc.pages import alloc_frozen_pages, free_frozen_pages
from kernels.base.jit import kernel
from kernels.base.layout import MT_MOVABLE
from kernels.types.zspage import zs_access, zs_free, zs_malloc, zs_malloc_new
from stress.explore.model import Model, small_geometry
from stress.explore.models.zspage_migration import FIRST, move

OTHER = FIRST + 1


@kernel
def prepare(mem, cpu):
    """CPU 0 has a frame; and there is one on CPU 1's list."""
    mem.gang_pfn[0] = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
    free_frozen_pages(mem, 1, alloc_frozen_pages(mem, 1, 0, 0, MT_MOVABLE), 0)
    return 0


@kernel
def steps(mem, cpu):
    """Make it and use it; isolate and migrate it.

    Returns     what became of the migration
    """
    if cpu == 1:
        return move(mem, cpu, mem.gang_pfn[0])
    zs_malloc_new(mem, cpu, 0, FIRST, mem.gang_pfn[0])
    zs_access(mem, cpu, FIRST, 1)
    return 1 if zs_malloc(mem, cpu, 0, OTHER) else 0


@kernel
def check(mem, cpu):
    """Its objects are as they were written; and no zspage is left."""
    zs_access(mem, cpu, FIRST, 0)
    zs_access(mem, cpu, OTHER, 0)
    zs_free(mem, cpu, FIRST)
    zs_free(mem, cpu, OTHER)
    return 0


MODEL = Model(
    "zspage-publish",
    "a zspage is made and used while compaction isolates and migrates it",
    "linux-mm.md 2.7; I13, I16",
    small_geometry(2, words_per_frame=8),
    prepare,
    steps,
    check,
    meetings=("zspage_migrate",),
)
