"""Range migration against frames that merge: the folio that a candidate's bit led to is the tail of a larger one when it is acted on.

A pageblock holds a folio of one frame; its buddy is free. CPU 0 scans the pageblock and hands it to range migration. CPU 1 puts the folio,
which makes a free block of both frames, and makes a folio of that block.
"""

from kernels.alloc.pages import alloc_frozen_pages, free_frozen_pages
from kernels.alloc.release import folio_put
from kernels.base.jit import kernel
from kernels.base.layout import MIGRATE_ASYNC, MR_COMPACTION, MT_MOVABLE, T_ANON
from kernels.migrate.targets import FROM_ALLOCATOR
from kernels.migrate.window import migrate_window
from kernels.page.folio import folio_prepare, folio_publish
from kernels.page.lru import lru_add
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import drain_all


@kernel
def new_folio(mem, cpu, pfn, order):
    """A folio on the LRU, without a mapping, with one reference.

    Returns     its descriptor
    """
    desc = folio_prepare(mem, cpu, T_ANON, pfn, order, 0, 0)
    folio_publish(mem, cpu, desc, 1)
    lru_add(mem, cpu, desc)
    return desc


@kernel
def prepare(mem, cpu):
    """The second frame of four is a folio, the first one is free, and the others are not."""
    pfn = alloc_frozen_pages(mem, cpu, 0, 2, MT_MOVABLE)
    mem.gang_pfn[0] = pfn
    mem.gang_desc[0] = new_folio(mem, cpu, pfn + 1, 0)
    free_frozen_pages(mem, cpu, pfn, 0)
    return 0


@kernel
def steps(mem, cpu):
    """Migrate; put, and make a larger folio.

    Returns     what was left
    """
    if cpu == 0:
        return migrate_window(mem, cpu, mem.gang_pfn[0], 4, MIGRATE_ASYNC, MR_COMPACTION, FROM_ALLOCATOR)
    folio_put(mem, cpu, mem.gang_desc[0])
    mem.gang_desc[1] = new_folio(mem, cpu, alloc_frozen_pages(mem, cpu, 0, 1, MT_MOVABLE), 1)
    return 0


@kernel
def check(mem, cpu):
    """Everything is given back."""
    drain_all(mem)
    folio_put(mem, cpu, mem.gang_desc[1])
    free_frozen_pages(mem, cpu, mem.gang_pfn[0] + 2, 1)
    return 0


MODEL = Model(
    "range-tail",
    "range migration against a folio whose frame becomes the tail of a larger one",
    "linux-mm.md 2.2, 2.6; F-3, F-4, I10, I16",
    small_geometry(2),
    prepare,
    steps,
    check,
    params={"pcp_high": 0, "window_frames": 64},
    meetings=("met_isolation_raced_free", "spec_failed_on_zero"),
)
