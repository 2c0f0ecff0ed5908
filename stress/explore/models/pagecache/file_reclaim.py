"""Reclaim of a mapped, clean page of a file while it is unmapped, read and truncated.

The page is cached, mapped and on the LRU; behind it is a page that was used recently. CPU 0 looks at the tail twice: it puts the other page
back, and reclaims the page unless it is in use. CPU 1 truncates the page and reads it in again. CPU 2 unmaps it, reads it through the cache
and truncates it. The page must be read as it was written, and no reference may be left.
"""

from kernels.base.jit import kernel
from kernels.map.rmap import zap_range
from kernels.policy.filemap import file_read, file_truncate
from kernels.policy.reclaim import reclaim_one
from stress.explore.model import Model, small_geometry
from stress.explore.models._files import FILE_LRU, INDEX, VPAGE, map_page_of_file, read_and_drop
from stress.explore.models._folios import drain_all

OTHER = 5  # the index of the other page


@kernel
def prepare(mem, cpu):
    """Another page is cached and was read; the page is cached and mapped; both are on the LRU."""
    file_read(mem, cpu, 0, 0, OTHER, 0)
    map_page_of_file(mem, cpu, VPAGE)
    return 0


@kernel
def steps(mem, cpu):
    """Reclaim twice; truncate and read; unmap, read and truncate.

    Returns     what each call returned
    """
    if cpu == 0:
        return reclaim_one(mem, cpu, FILE_LRU) * 4 + reclaim_one(mem, cpu, FILE_LRU)
    if cpu == 1:
        return file_truncate(mem, cpu, 0, INDEX) * 2 + file_read(mem, cpu, 0, 0, INDEX, 0)
    zapped = zap_range(mem, cpu, 0, VPAGE, 1)
    file_read(mem, cpu, 0, 0, INDEX, 0)
    return zapped * 2 + file_truncate(mem, cpu, 0, INDEX)


@kernel
def check(mem, cpu):
    """The page can be read; both are dropped, so that a wrong reference count is seen."""
    drain_all(mem)
    read_and_drop(mem, cpu, INDEX)
    file_truncate(mem, cpu, 0, OTHER)
    return 0


MODEL = Model(
    "file-reclaim",
    "reclaim of a mapped, clean page of a file while it is unmapped, read and truncated",
    "P5, P16, P18; I3, I10, I13, I16",
    small_geometry(3),
    prepare,
    steps,
    check,
    meetings=("pgsteal", "pgrotated", "pgmajfault", "spec_failed_on_zero"),
)
