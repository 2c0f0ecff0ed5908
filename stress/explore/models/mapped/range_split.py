"""A large folio of a file must be split on its way out of a pageblock, since there is no target of its order, while it is in use.

Memory is down to its watermark: there is a target for one page, and none for two. CPU 0 migrates the pageblock of the folio of two pages,
which a task has mapped. CPU 1 unmaps the second page, faults it in again and reads it. CPU 2 truncates the first page, and with it the
second if the folio is still whole. No truncated page may stay mapped. list-split is the same with migration by lists.
"""

from kernels.alloc.pages import alloc_frozen_pages, free_frozen_pages
from kernels.base.jit import kernel
from kernels.base.layout import MIGRATE_ASYNC, MT_MOVABLE
from kernels.map.access import file_access
from kernels.map.rmap import zap_range
from kernels.policy.fault import do_read_fault
from kernels.policy.filemap import file_truncate
from stress.explore.model import Model, small_geometry
from stress.explore.models._files import INDEX, VPAGE, cache_folio
from stress.explore.models._folios import drain_all, migrate_pageblock

FRAMES = 16
FRAME, TAKEN = range(2)  # scratch: the first frame of the folio; from TAKEN on, the frames that are taken
#: no per-CPU lists: a freed frame counts as free immediately, and the watermark decides which allocation gets it
SPARSE = {"pcp_high": 0, "window_frames": 64}


@kernel
def prepare(mem, cpu):
    """The folio is cached, mapped and on the LRU; all frames are taken but those that the watermark keeps, and one."""
    mem.scratch[FRAME] = cache_folio(mem, cpu, INDEX, 1)
    for k in range(2):
        do_read_fault(mem, cpu, 0, VPAGE + k, 0)
    drain_all(mem)
    taken = 0
    while taken < FRAMES:
        pfn = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
        if pfn < 0:
            break
        mem.scratch[TAKEN + taken] = pfn
        taken += 1
    free_frozen_pages(mem, cpu, mem.scratch[TAKEN + taken - 1], 0)
    mem.scratch[TAKEN + taken - 1] = 0
    return 0


@kernel
def steps(mem, cpu):
    """Migrate; unmap, fault in and read; truncate.

    Returns     what the call returned
    """
    if cpu == 0:
        return migrate_pageblock(mem, cpu, mem.scratch[FRAME], MIGRATE_ASYNC)
    if cpu == 1:
        zap_range(mem, cpu, 0, VPAGE + 1, 1)
        do_read_fault(mem, cpu, 0, VPAGE + 1, 0)
        return file_access(mem, cpu, 0, VPAGE + 1)
    return file_truncate(mem, cpu, 0, INDEX)


@kernel
def check(mem, cpu):
    """Mapped pages can be read; both pages are dropped and the frames are freed, so that a wrong reference count is seen."""
    drain_all(mem)
    for k in range(2):
        file_access(mem, cpu, 0, VPAGE + k)
        file_truncate(mem, cpu, 0, INDEX + k)
    for k in range(FRAMES):
        if mem.scratch[TAKEN + k] != 0:
            free_frozen_pages(mem, cpu, mem.scratch[TAKEN + k], 0)
    return 0


MODEL = Model(
    "range-split",
    "range migration splits a mapped large folio for want of a target while it is unmapped, faulted in and truncated",
    "P7-P9, P18; F-4, I10, I14, I16",
    small_geometry(3, frames_per_node=FRAMES),
    prepare,
    steps,
    check,
    params=SPARSE,
    meetings=("thp_migration_split", "pgmigrate_success", "met_split_refused_by_reference", "pgmajfault"),
)
