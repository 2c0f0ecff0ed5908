"""One page of a file is written, written back, truncated and reclaimed at the same time.

The page is cached and dirty, in a folio of two. CPU 0 writes it back. CPU 1 writes it, and reads it in again if it is gone. CPU 2 truncates
it. CPU 3 reclaims the folio at the tail of the LRU. What was written last must be in the cache or on disk.
"""

from kernels.base.jit import kernel
from kernels.policy.filemap import file_read, file_truncate, file_write, file_writeback
from kernels.policy.reclaim import reclaim_one
from stress.explore.model import Model, small_geometry
from stress.explore.models._files import FILE_LRU, INDEX
from stress.explore.models._folios import drain_all


@kernel
def prepare(mem, cpu):
    """Two pages in one folio are cached, and the second was written."""
    file_write(mem, cpu, 0, 0, INDEX + 1, 1)
    drain_all(mem)
    return 0


@kernel
def steps(mem, cpu):
    """Write back; write; truncate; reclaim.

    Returns     what the call returned
    """
    if cpu == 0:
        return file_writeback(mem, cpu, 0, INDEX)
    if cpu == 1:
        return file_write(mem, cpu, 0, 0, INDEX, 0)
    if cpu == 2:
        return file_truncate(mem, cpu, 0, INDEX)
    return reclaim_one(mem, cpu, FILE_LRU)


@kernel
def check(mem, cpu):
    """What was written is found and written back; the checkers at rest compare the disk and the counts."""
    drain_all(mem)
    file_read(mem, cpu, 0, 0, INDEX, 0)
    file_writeback(mem, cpu, 0, INDEX)
    file_writeback(mem, cpu, 0, INDEX)
    return 0


MODEL = Model(
    "file-writeback",
    "pages of a file are written, written back, truncated and reclaimed at the same time",
    "P5, P16, P18; I10, I13",
    small_geometry(4),
    prepare,
    steps,
    check,
    meetings=("pgmajfault", "pgscan", "pgsteal"),
)
