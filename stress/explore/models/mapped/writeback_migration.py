"""A folio of a file is written back and written while range migration, which may wait, wants to move it.

The folio is cached and dirty. CPU 0 migrates its pageblock in SYNC mode, and waits for the writeback if it meets it. CPU 1 writes the folio
back, writes it, and writes it back again.
"""

from kernels.alloc.release import folio_put
from kernels.base.jit import kernel
from kernels.base.layout import MIGRATE_SYNC, MR_COMPACTION
from kernels.migrate.targets import FROM_ALLOCATOR
from kernels.migrate.window import migrate_window
from kernels.policy.filemap import create_folio, file_read, file_write, file_writeback
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import drain_all

INDEX = 3


@kernel
def prepare(mem, cpu):
    """The folio is written once, and on the LRU."""
    desc = create_folio(mem, cpu, 0, 0, INDEX, 0)
    mem.gang_pfn[0] = mem.folio_pfn[desc] & ~((1 << mem.pageblock_order) - 1)
    folio_put(mem, cpu, desc)
    drain_all(mem)
    file_write(mem, cpu, 0, 0, INDEX, 0)
    return 0


@kernel
def steps(mem, cpu):
    """Migrate; write back, write and write back.

    Returns     what was left, or how much was written back
    """
    if cpu == 0:
        return migrate_window(mem, cpu, mem.gang_pfn[0], 1 << mem.pageblock_order, MIGRATE_SYNC, MR_COMPACTION, FROM_ALLOCATOR)
    written = file_writeback(mem, cpu, 0, INDEX)
    file_write(mem, cpu, 0, 0, INDEX, 0)
    return written + 2 * file_writeback(mem, cpu, 0, INDEX)


@kernel
def check(mem, cpu):
    """What was written is found, and on the disk if the folio is clean; nobody has a reference, so that it can be dropped."""
    drain_all(mem)
    file_read(mem, cpu, 0, 0, INDEX, 0)
    return 0


MODEL = Model(
    "writeback-migration",
    "a folio is written back and written while range migration waits for it",
    "linux-mm.md 2.2, 2.5; C12, I13, I15",
    small_geometry(2),
    prepare,
    steps,
    check,
    params={"window_frames": 64},
    meetings=("pgmigrate_success", "met_count_unexpected", "cause_compaction_writeback"),
)
