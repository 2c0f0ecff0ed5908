"""A folio of a file is written back and written while range migration, which may wait, wants to move it.

The folio is cached and dirty. CPU 0 migrates its pageblock in SYNC mode, and waits for the writeback if it meets it. CPU 1 writes the folio
back, writes it, and writes it back again. No write may be lost.
"""

from kernels.base.jit import kernel
from kernels.base.layout import MIGRATE_SYNC
from kernels.policy.filemap import file_read, file_write, file_writeback
from stress.explore.model import Model, small_geometry
from stress.explore.models._files import cache_folio
from stress.explore.models._folios import drain_all, migrate_pageblock

INDEX = 3
FRAME = 0  # scratch: the frame of the folio


@kernel
def prepare(mem, cpu):
    """The folio is written once, and on the LRU."""
    mem.scratch[FRAME] = cache_folio(mem, cpu, INDEX, 0)
    file_write(mem, cpu, 0, 0, INDEX, 0)
    return 0


@kernel
def steps(mem, cpu):
    """Migrate; write back, write and write back.

    Returns     candidates that are left, or which calls wrote
    """
    if cpu == 0:
        return migrate_pageblock(mem, cpu, mem.scratch[FRAME], MIGRATE_SYNC)
    written = file_writeback(mem, cpu, 0, INDEX)
    file_write(mem, cpu, 0, 0, INDEX, 0)
    return written + 2 * file_writeback(mem, cpu, 0, INDEX)


@kernel
def check(mem, cpu):
    """What was written is found, and is on disk if the folio is clean."""
    drain_all(mem)
    file_read(mem, cpu, 0, 0, INDEX, 0)
    return 0


MODEL = Model(
    "writeback-migration",
    "a folio is written back and written while range migration waits for it",
    "P7-P9; C12, I13, I15",
    small_geometry(2),
    prepare,
    steps,
    check,
    params={"window_frames": 64},
    meetings=("pgmigrate_success", "met_count_unexpected", "cause_compaction_writeback"),
)
