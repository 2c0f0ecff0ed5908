"""A mapped folio of two pages of a file is split while its second page is truncated, and read through the mapping.

CPU 0 splits it. CPU 1 truncates its second page, or the whole of it, and writes the page, which reads it in again. CPU 2 reads the page
through the mapping. A truncated page may not stay mapped.
"""

from kernels.alloc.release import folio_put
from kernels.base.jit import kernel
from kernels.map.access import file_access
from kernels.migrate.split import split_folio
from kernels.page.folio import folio_lock, folio_unlock
from kernels.policy.filemap import create_folio, file_truncate, still_cached
from stress.explore.model import PARAMS, Model, small_geometry
from stress.explore.models._files import map_page_of_file, truncate_and_write
from stress.explore.models._folios import drain_all

HEAD, ORDER = 2, 1
LAST = HEAD + 1
VPAGE = PARAMS["anon_pages"] + LAST
DESC = 0  # scratch: the descriptor of the folio


@kernel
def prepare(mem, cpu):
    """A folio of two pages is cached, its second page mapped; CPU 0 keeps the reference that a split needs."""
    mem.scratch[DESC] = create_folio(mem, cpu, 0, 0, HEAD, ORDER)
    map_page_of_file(mem, cpu, VPAGE)
    return 0


@kernel
def steps(mem, cpu):
    """Split; truncate and write; read.

    Returns     what the call did
    """
    if cpu == 0:
        desc, result = mem.scratch[DESC], -1
        folio_lock(mem, cpu, desc)
        if still_cached(mem, desc, 0):
            result = split_folio(mem, cpu, desc)
        folio_unlock(mem, cpu, desc)
        folio_put(mem, cpu, desc)
        return 1 if result == 0 else 0
    if cpu == 1:
        return truncate_and_write(mem, cpu, LAST)
    return file_access(mem, cpu, 0, VPAGE)


@kernel
def check(mem, cpu):
    """A truncated page is no longer mapped; both pages are dropped, so that a wrong reference count is seen."""
    drain_all(mem)
    file_access(mem, cpu, 0, VPAGE)
    file_truncate(mem, cpu, 0, HEAD)
    file_truncate(mem, cpu, 0, LAST)
    return 0


MODEL = Model(
    "split-truncation",
    "a mapped folio of a file is split while one of its pages is truncated and read through the mapping",
    "P5, P14, P18; B8, I10, I12, I13, I14",
    small_geometry(3),
    prepare,
    steps,
    check,
    meetings=("thp_split_page", "met_split_refused_by_reference", "pgmajfault"),
)
