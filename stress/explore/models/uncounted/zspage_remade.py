"""A zspage ends, and its frame and descriptor immediately become another zspage, while compaction still knows the old one.

The zspage has one object. CPU 0 scans the pageblock, isolates what it finds and migrates it. CPU 1 frees the object, which ends the zspage,
makes another zspage of the freed frame, with another object, and writes that. The write must be found.
"""

from kernels.alloc.pages import alloc_frozen_pages
from kernels.base.jit import kernel
from kernels.base.layout import MIGRATE_ASYNC, MT_MOVABLE, ZS_HANDLES
from kernels.types.zspage import zs_access, zs_free, zs_malloc_new
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import migrate_pageblock

FIRST, SECOND = ZS_HANDLES, ZS_HANDLES + 1  # handles of CPU 1
FRAME = 0  # scratch: the frame of the zspage


@kernel
def prepare(mem, cpu):
    """One zspage, in a frame of CPU 1's list."""
    pfn = alloc_frozen_pages(mem, 1, 0, 0, MT_MOVABLE)
    mem.scratch[FRAME] = pfn
    zs_malloc_new(mem, 1, 0, FIRST, pfn)
    return 0


@kernel
def steps(mem, cpu):
    """Migrate; free, make and write.

    Returns     candidates that are left
    """
    if cpu == 0:
        return migrate_pageblock(mem, cpu, mem.scratch[FRAME], MIGRATE_ASYNC)
    zs_free(mem, cpu, FIRST)
    zs_malloc_new(mem, cpu, 0, SECOND, alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE))
    zs_access(mem, cpu, SECOND, 1)
    return 0


@kernel
def check(mem, cpu):
    """What was written is found; the object is freed, so no zspage is left."""
    zs_access(mem, 1, SECOND, 0)
    zs_free(mem, 1, SECOND)
    return 0


MODEL = Model(
    "zspage-remade",
    "a zspage ends and its frame and descriptor become another one while compaction isolates and migrates it",
    "P10; F1, I6, I7, I16",
    small_geometry(2, words_per_frame=8),
    prepare,
    steps,
    check,
    params={"window_frames": 64},
    meetings=("zspage_migrate", "met_zspage_emptied_while_isolated", "cause_compaction_state"),
)
