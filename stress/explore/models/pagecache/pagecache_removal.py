"""Lockless page-cache lookups against removal and reading in again.

CPU 0 truncates a page of a file and reads another index in, for which it mostly gets the same descriptor, and then the first index again.
CPUs 1 and 2 look the first index up, and may put last. A folio that a lookup returns must cover the index.
"""

from kernels.alloc.release import folio_put, lru_add_drain
from kernels.base.jit import kernel
from kernels.policy.filemap import create_folio, file_truncate
from stress.explore.model import Model, small_geometry
from stress.explore.models.pagecache._lookup import look_up

INDEX, OTHER = 3, 5


@kernel
def read_in(mem, cpu, index):
    """Put a folio into the cache and on the LRU.

    Returns     whether it was cached
    """
    desc = create_folio(mem, cpu, 0, 0, index, 0)
    if desc < 0:
        return 0
    lru_add_drain(mem, cpu)
    folio_put(mem, cpu, desc)
    return 1


@kernel
def prepare(mem, cpu):
    """The page is cached."""
    return read_in(mem, cpu, INDEX)


@kernel
def steps(mem, cpu):
    """Truncate and read in; look up.

    Returns     what was dropped and read in, or found
    """
    if cpu == 0:
        dropped = file_truncate(mem, cpu, 0, INDEX)
        return dropped * 4 + read_in(mem, cpu, OTHER) * 2 + read_in(mem, cpu, INDEX)
    return look_up(mem, cpu, INDEX)


@kernel
def check(mem, cpu):
    """Both pages are dropped, so that a wrong reference count is seen."""
    file_truncate(mem, cpu, 0, INDEX)
    file_truncate(mem, cpu, 0, OTHER)
    return 0


MODEL = Model(
    "pagecache-removal",
    "lockless lookups against truncation and reading in of the same index",
    "P5, P18; I4, I5, I10",
    small_geometry(3),
    prepare,
    steps,
    check,
    meetings=("spec_failed_on_zero", "met_lookup_reload_changed", "spec_held_last_reference"),
)
