"""Range migration against frames that change their type between the scan and the act.

A pageblock holds a folio and a balloon's block. CPU 0 scans it and hands it to range migration. CPU 1 puts the folio and inflates a frame,
mostly the one that it has just freed. CPU 2 deflates the balloon's block and makes a folio of a frame. Each frame must be migrated as what
it is, or skipped. list-type-change is the same with migration by lists.
"""

from kernels.alloc.pages import alloc_frozen_pages
from kernels.alloc.release import folio_put
from kernels.base.jit import kernel
from kernels.base.layout import MIGRATE_ASYNC, MT_MOVABLE
from kernels.types.offline import balloon_deflate, balloon_inflate
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import drain_all, migrate_pageblock, new_lru_folio, stock_list

FRAME, OLD, NEW = range(3)  # scratch: the frame of the first folio, its descriptor, and that of the folio made in its place


@kernel
def new_folio(mem, cpu):
    """A folio of one frame, see new_lru_folio().

    Returns     its descriptor
    """
    return new_lru_folio(mem, cpu, alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE), 0)


@kernel
def prepare(mem, cpu):
    """CPU 1 has a folio, the balloon of CPU 2 has a block, and CPU 0's list has a free frame."""
    desc = new_folio(mem, 1)
    mem.scratch[OLD], mem.scratch[FRAME] = desc, mem.folio_pfn[desc]
    balloon_inflate(mem, 2, 2, alloc_frozen_pages(mem, 2, 0, 0, MT_MOVABLE), 0)
    stock_list(mem, cpu)
    return 0


@kernel
def steps(mem, cpu):
    """Migrate; folio to Offline; Offline to folio.

    Returns     candidates that are left, or what was given back
    """
    if cpu == 0:
        return migrate_pageblock(mem, cpu, mem.scratch[FRAME], MIGRATE_ASYNC)
    if cpu == 1:
        folio_put(mem, cpu, mem.scratch[OLD])
        balloon_inflate(mem, cpu, cpu, alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE), 0)
        return 0
    deflated = balloon_deflate(mem, cpu, cpu, 0)
    mem.scratch[NEW] = new_folio(mem, cpu)
    return deflated


@kernel
def check(mem, cpu):
    """Everything is given back."""
    drain_all(mem)
    folio_put(mem, cpu, mem.scratch[NEW])
    for owner in range(1, 3):
        while balloon_deflate(mem, cpu, owner, 0) > 0:
            pass
    return 0


MODEL = Model(
    "range-type-change",
    "range migration against frames that change from folio to Offline and back",
    "P1, P9; F-1, F-3, I7, I16",
    small_geometry(3),
    prepare,
    steps,
    check,
    params={"window_frames": 64},
    meetings=("balloon_migrate", "met_isolation_raced_free", "met_deflate_on_isolated", "cause_compaction_state"),
)
