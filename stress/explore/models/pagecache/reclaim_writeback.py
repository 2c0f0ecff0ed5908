"""A page of a file is written and written back by two CPUs while it is reclaimed: no write may be lost.

The page is cached, dirty and on the LRU. CPU 0 writes it back. CPU 1 writes it and writes it back. CPU 2 reclaims it once it is clean, and
reads it.
"""

from kernels.base.jit import kernel
from kernels.policy.filemap import file_read, file_write, file_writeback
from kernels.policy.reclaim import reclaim_one
from stress.explore.model import Model, small_geometry
from stress.explore.models._files import FILE_LRU, INDEX, prepare_written, read_and_drop
from stress.explore.models._folios import drain_all


@kernel
def steps(mem, cpu):
    """Write back; write and write back; reclaim and read.

    Returns     what the call returned
    """
    if cpu == 0:
        return file_writeback(mem, cpu, 0, INDEX)
    if cpu == 1:
        file_write(mem, cpu, 0, 0, INDEX, 0)
        return file_writeback(mem, cpu, 0, INDEX)
    freed = reclaim_one(mem, cpu, FILE_LRU)
    file_read(mem, cpu, 0, 0, INDEX, 0)
    return freed


@kernel
def check(mem, cpu):
    """After reclaim the page holds what was written, whether it was clean or not; it is dropped, so that an extra reference is seen."""
    drain_all(mem)
    for _ in range(2):  # a read has marked it as used: the first pass only clears that
        reclaim_one(mem, cpu, FILE_LRU)
        drain_all(mem)
    read_and_drop(mem, cpu, INDEX)
    return 0


MODEL = Model(
    "reclaim-writeback",
    "a page of a file is written and written back by two CPUs while it is reclaimed",
    "P5, P16; I3, I13",
    small_geometry(3),
    prepare_written,
    steps,
    check,
    meetings=("pgsteal", "pgrotated", "pgmajfault", "spec_failed_on_zero"),
)
