"""What files promise of their cost: one writeback for each time a page became dirty, and a second chance for used pages.

Both CPUs write a dirty page back. CPU 0 unmaps another page, to migrate it; CPU 1 ends that page's writeback, for which a migration in SYNC
mode waits. Afterwards reclaim passes over a page that was read once, and then takes it; and a lookup of a folio that stays frozen tries as
often as it promises.
"""

from kernels.base import counter
from kernels.base.jit import kernel
from kernels.base.layout import FL_WRITEBACK, MIGRATE_SYNC, MR_COMPACTION
from kernels.map.pagecache import cache_slot, filemap_get_entry
from kernels.migrate.folio import folio_migrate_move, folio_migrate_unmap
from kernels.migrate.targets import FROM_ALLOCATOR, alloc_target_folio
from kernels.page.folio import folio_clear, folio_set, folio_test
from kernels.page.refcount import ref_freeze, ref_unfreeze
from kernels.policy.filemap import file_read, file_truncate, file_write, file_writeback
from kernels.policy.reclaim import reclaim_one
from kernels.types.folios import isolate_folio
from stress.explore.model import Model, small_geometry
from stress.explore.models._files import FILE_LRU, cache_folio
from stress.explore.models._folios import drain_all
from stress.explore.models._promises import counted, expect

INDEX, MOVED, TRIES = 3, 5, 64
MOVING, WRITTEN = range(2)  # scratch: the isolated folio; from WRITTEN on, how many pages each CPU wrote back


@kernel
def prepare(mem, cpu):
    """One page is dirty and on the LRU; one is isolated and under writeback."""
    cache_folio(mem, cpu, INDEX, 0)
    pfn = cache_folio(mem, cpu, MOVED, 0)
    file_write(mem, cpu, 0, 0, INDEX, 0)
    moved = isolate_folio(mem, cpu, pfn, mem.memdesc[pfn], MR_COMPACTION)
    folio_set(mem, moved, FL_WRITEBACK)
    mem.scratch[MOVING] = moved
    return 0


@kernel
def move_after_writeback(mem, cpu, src):
    """Migrate the isolated page."""
    dst = alloc_target_folio(mem, cpu, src, FROM_ALLOCATOR)
    expect(mem, cpu, folio_migrate_unmap(mem, cpu, src, dst, MIGRATE_SYNC, MR_COMPACTION, 0), 0)
    expect(mem, cpu, 1 if folio_test(mem, src, FL_WRITEBACK) else 0, 0)
    expect(mem, cpu, folio_migrate_move(mem, cpu, src, dst, MR_COMPACTION), 0)


@kernel
def steps(mem, cpu):
    """Write back; migrate, or end the writeback that the migration waits for.

    Returns     pages written
    """
    written = file_writeback(mem, cpu, 0, INDEX)
    mem.scratch[WRITTEN + cpu] = written
    if cpu == 0:
        move_after_writeback(mem, cpu, mem.scratch[MOVING])
    else:
        folio_clear(mem, mem.scratch[MOVING], FL_WRITEBACK)
    return written


@kernel
def check(mem, cpu):
    """The page was written back once. Reclaim passes over it once, since it is used. A lookup of the frozen folio tries, and gives up."""
    expect(mem, cpu, mem.scratch[WRITTEN] + mem.scratch[WRITTEN + 1], 1)
    drain_all(mem)
    file_truncate(mem, cpu, 0, MOVED)
    file_read(mem, cpu, 0, 0, INDEX, 0)
    expect(mem, cpu, reclaim_one(mem, cpu, FILE_LRU), 0)
    drain_all(mem)
    desc = (mem.cache[cache_slot(mem, 0, INDEX)] >> 1) - 1
    expect(mem, cpu, 1 if ref_freeze(mem, cpu, desc, 1) else 0, 1)
    before = counted(mem, cpu, counter.SPEC_TRIED)
    expect(mem, cpu, filemap_get_entry(mem, cpu, 0, INDEX), -1)
    expect(mem, cpu, counted(mem, cpu, counter.SPEC_TRIED) - before, TRIES)
    ref_unfreeze(mem, cpu, desc, 1)
    expect(mem, cpu, reclaim_one(mem, cpu, FILE_LRU), 1)
    file_truncate(mem, cpu, 0, INDEX)
    return 0


MODEL = Model(
    "promises-files",
    "a page is written back by two CPUs, a migration waits for a writeback; a page is used, frozen and reclaimed",
    "P5, P7, P16; promise",
    small_geometry(2),
    prepare,
    steps,
    check,
    meetings=("pgsteal", "pgrotated", "pgmigrate_success"),
)
