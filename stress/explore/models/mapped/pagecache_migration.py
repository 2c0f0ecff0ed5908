"""A cached folio is migrated while it is read and written through the page cache.

CPU 0 migrates it. CPU 1 reads its page without a lock. CPU 2 locks the folio that it finds, then writes the page under the folio's lock.
Reader and writer check what they find. The page is never truncated, so a folio that a lookup returns must still be cached when it is
locked.
"""

from kernels.alloc.release import folio_put
from kernels.base.bug import bug
from kernels.base.jit import kernel
from kernels.base.layout import BUG_FOLIO_RANGE
from kernels.map.pagecache import filemap_get_entry
from kernels.page.folio import folio_lock, folio_unlock
from kernels.policy.filemap import file_read, file_truncate, file_write, still_cached
from stress.explore.model import Model, small_geometry
from stress.explore.models._files import cache_folio
from stress.explore.models._folios import drain_all, migrate_one

INDEX = 3
FRAME = 0  # scratch: the frame of the page


@kernel
def prepare(mem, cpu):
    """The page is cached and on the LRU."""
    mem.scratch[FRAME] = cache_folio(mem, cpu, INDEX, 0)
    return 0


@kernel
def lock_found(mem, cpu):
    """Find the page and lock its folio, as a truncation begins."""
    desc = filemap_get_entry(mem, cpu, 0, INDEX)
    if desc >= 0:
        folio_lock(mem, cpu, desc)
        if not still_cached(mem, desc, 0):
            bug(mem, cpu, BUG_FOLIO_RANGE, mem.folio_pfn[desc], 0, INDEX)
        folio_unlock(mem, cpu, desc)
        folio_put(mem, cpu, desc)


@kernel
def steps(mem, cpu):
    """Migrate; read; lock and write.

    Returns     what the call returned
    """
    if cpu == 0:
        return migrate_one(mem, cpu, mem.scratch[FRAME])
    if cpu == 1:
        return file_read(mem, cpu, 0, 0, INDEX, 0)
    lock_found(mem, cpu)
    return file_write(mem, cpu, 0, 0, INDEX, 0)


@kernel
def check(mem, cpu):
    """The page holds what was written, and is dropped, so that a wrong reference count is seen."""
    drain_all(mem)
    file_read(mem, cpu, 0, 0, INDEX, 0)
    file_truncate(mem, cpu, 0, INDEX)
    return 0


MODEL = Model(
    "pagecache-migration",
    "a cached folio is migrated while it is read and written through the page cache",
    "P5, P7, P8; I10, I13, I15",
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
