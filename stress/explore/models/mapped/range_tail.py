"""Range migration against frames that merge: the folio of a candidate's bit has become the tail of a larger one when it is acted on.

A pageblock holds a folio of one frame; the frame's buddy is free. CPU 0 scans the frames and hands them to range migration. CPU 1 puts the
folio, which makes a free block of both frames, and makes a folio of that block. Range migration must not treat the tail as the folio that
it saw.
"""

from kernels.alloc.pages import alloc_frozen_pages, free_frozen_pages
from kernels.alloc.release import folio_put
from kernels.base.jit import kernel
from kernels.base.layout import MIGRATE_ASYNC, MR_COMPACTION, MT_MOVABLE
from kernels.migrate.targets import FROM_ALLOCATOR
from kernels.migrate.window import migrate_window
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import drain_all, new_lru_folio

BASE, OLD, NEW = range(3)  # scratch: the first of the four frames; the folio of one frame, and the larger one


@kernel
def prepare(mem, cpu):
    """The second frame of four is a folio, the first one is free, and the others are not."""
    pfn = alloc_frozen_pages(mem, cpu, 0, 2, MT_MOVABLE)
    mem.scratch[BASE] = pfn
    mem.scratch[OLD] = new_lru_folio(mem, cpu, pfn + 1, 0)
    free_frozen_pages(mem, cpu, pfn, 0)
    return 0


@kernel
def steps(mem, cpu):
    """Migrate; put, and make a larger folio.

    Returns     candidates that are left
    """
    if cpu == 0:
        return migrate_window(mem, cpu, mem.scratch[BASE], 4, MIGRATE_ASYNC, MR_COMPACTION, FROM_ALLOCATOR)
    folio_put(mem, cpu, mem.scratch[OLD])
    mem.scratch[NEW] = new_lru_folio(mem, cpu, alloc_frozen_pages(mem, cpu, 0, 1, MT_MOVABLE), 1)
    return 0


@kernel
def check(mem, cpu):
    """Everything is given back."""
    drain_all(mem)
    folio_put(mem, cpu, mem.scratch[NEW])
    free_frozen_pages(mem, cpu, mem.scratch[BASE] + 2, 1)
    return 0


MODEL = Model(
    "range-tail",
    "range migration against a folio that is put while its frame becomes the tail of a larger folio",
    "P9; F-3, F-4, I10, I16",
    small_geometry(2),
    prepare,
    steps,
    check,
    params={"pcp_high": 0, "window_frames": 64},
    meetings=("met_isolation_raced_free", "spec_failed_on_zero"),
)
