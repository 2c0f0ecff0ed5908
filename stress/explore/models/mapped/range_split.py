"""A large folio of a file has to be split on its way out of a pageblock, since there is no target of its order, while it is in use.

Memory is down to its watermark: there is a target for one page, and none for two. CPU 0 migrates the pageblock of the folio of two pages,
which a task has mapped. CPU 1 unmaps the second page, faults it in again and reads it. CPU 2 truncates the first page, and with it the
second if the folio is whole still. list-split is the same with migration by lists.
"""

from kernels.alloc.pages import alloc_frozen_pages, free_frozen_pages
from kernels.alloc.release import folio_put
from kernels.base.jit import kernel
from kernels.base.layout import MIGRATE_ASYNC, MR_COMPACTION, MT_MOVABLE
from kernels.map.access import file_access
from kernels.map.rmap import zap_range
from kernels.migrate.targets import FROM_ALLOCATOR
from kernels.migrate.window import migrate_window
from kernels.policy.fault import do_read_fault
from kernels.policy.filemap import create_folio, file_truncate
from stress.explore.model import PARAMS, Model, small_geometry
from stress.explore.models._folios import drain_all

INDEX = 2
VPAGE = PARAMS["anon_pages"] + INDEX
FRAMES = 16
#: no per-CPU lists: what is freed counts as free at once, and the watermark decides who gets it
SPARSE = {"pcp_high": 0, "window_frames": 64}


@kernel
def prepare(mem, cpu):
    """The folio is cached and mapped, on the LRU; all frames are taken but those that the watermark keeps, and one."""
    desc = create_folio(mem, cpu, 0, 0, INDEX, 1)
    mem.gang_pfn[0] = mem.folio_pfn[desc] & ~((1 << mem.pageblock_order) - 1)
    folio_put(mem, cpu, desc)
    for k in range(2):
        do_read_fault(mem, cpu, 0, VPAGE + k, 0)
    drain_all(mem)
    taken = 0
    while taken < FRAMES:
        pfn = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
        if pfn < 0:
            break
        taken += 1
        mem.gang_pfn[taken] = pfn
    free_frozen_pages(mem, cpu, mem.gang_pfn[taken], 0)
    mem.gang_pfn[taken] = 0
    return 0


@kernel
def steps(mem, cpu):
    """Migrate; unmap, fault in and read; truncate.

    Returns     what was left, could not be read, or was dropped
    """
    if cpu == 0:
        return migrate_window(mem, cpu, mem.gang_pfn[0], 1 << mem.pageblock_order, MIGRATE_ASYNC, MR_COMPACTION, FROM_ALLOCATOR)
    if cpu == 1:
        zap_range(mem, cpu, 0, VPAGE + 1, 1)
        do_read_fault(mem, cpu, 0, VPAGE + 1, 0)
        return file_access(mem, cpu, 0, VPAGE + 1)
    return file_truncate(mem, cpu, 0, INDEX)


@kernel
def check(mem, cpu):
    """What is mapped can be read; all is dropped and given back, so that a reference too many or too few is seen."""
    drain_all(mem)
    for k in range(2):
        file_access(mem, cpu, 0, VPAGE + k)
        file_truncate(mem, cpu, 0, INDEX + k)
    for k in range(1, FRAMES):
        if mem.gang_pfn[k] != 0:
            free_frozen_pages(mem, cpu, mem.gang_pfn[k], 0)
    return 0


MODEL = Model(
    "range-split",
    "a mapped large folio is split by range migration for want of a target, while it is unmapped, faulted in and truncated",
    "linux-mm.md 2.2, 2.5, 2.6; F-4, I10, I14, I16",
    small_geometry(3, frames_per_node=FRAMES),
    prepare,
    steps,
    check,
    params=SPARSE,
    meetings=("thp_migration_split", "pgmigrate_success", "met_split_refused_by_reference", "pgmajfault"),
)
