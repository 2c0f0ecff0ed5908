"""A cached folio of two pages is migrated while it is read and written through the page cache, and reclaimed.

CPU 0 migrates it. CPU 1 reclaims, and reads both pages without a lock. CPU 2 writes the second page under the folio's lock. Readers and
writer check what they find.
"""

from kernels.base.jit import kernel
from kernels.policy.filemap import file_read, file_truncate, file_write
from kernels.policy.reclaim import reclaim_one
from stress.explore.model import Model, small_geometry
from stress.explore.models._files import FILE_LRU, cache_folio
from stress.explore.models._folios import drain_all, migrate_one

HEAD, ORDER = 2, 1
LAST = HEAD + 1
FRAME = 0  # scratch: the first frame of the folio


@kernel
def prepare(mem, cpu):
    """The folio is cached and on the LRU."""
    mem.scratch[FRAME] = cache_folio(mem, cpu, HEAD, ORDER)
    return 0


@kernel
def steps(mem, cpu):
    """Migrate; reclaim and read; write.

    Returns     what the call returned
    """
    if cpu == 0:
        return migrate_one(mem, cpu, mem.scratch[FRAME])
    if cpu == 1:
        freed = reclaim_one(mem, cpu, FILE_LRU)
        file_read(mem, cpu, 0, 0, HEAD, ORDER)
        file_read(mem, cpu, 0, 0, LAST, ORDER)
        return freed
    return file_write(mem, cpu, 0, 0, LAST, ORDER)


@kernel
def check(mem, cpu):
    """The page holds what was written, and is dropped, so that a wrong reference count is seen."""
    drain_all(mem)
    file_read(mem, cpu, 0, 0, LAST, 0)
    file_truncate(mem, cpu, 0, LAST)
    return 0


MODEL = Model(
    "large-folio-migration",
    "a cached folio of two pages is migrated while it is read, written and reclaimed",
    "P5, P7, P8; I13, I15",
    small_geometry(3, file_pages=4),
    prepare,
    steps,
    check,
    meetings=(
        "pgmigrate_success",
        "met_count_unexpected",
        "met_count_moved_during_copy",
        "spec_failed_on_zero",
        "met_lookup_reload_changed",
    ),
)
