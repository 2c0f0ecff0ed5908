"""What models of several families do with the pages of file 0: cache a folio, map a page, truncate a page and write it again."""

from kernels.alloc.release import folio_put
from kernels.base.jit import kernel
from kernels.map.access import file_access
from kernels.policy.fault import do_read_fault
from kernels.policy.filemap import create_folio, file_read, file_truncate, file_write
from stress.explore.model import PARAMS
from stress.explore.models._folios import drain_all

INDEX = 2
VPAGE = PARAMS["anon_pages"] + INDEX  # where task 0 maps the page of that index
FILE_LRU = 1  # the list of the files of node 0


@kernel
def cache_folio(mem, cpu, index, order):
    """Cache a new folio of 2^order pages, on the LRU.

    Returns     its first frame
    """
    desc = create_folio(mem, cpu, 0, 0, index, order)
    pfn = mem.folio_pfn[desc]
    folio_put(mem, cpu, desc)
    drain_all(mem)
    return pfn


@kernel
def prepare_written(mem, cpu):
    """The page is cached, written once, and on the LRU."""
    file_write(mem, cpu, 0, 0, INDEX, 0)
    drain_all(mem)
    return 0


@kernel
def map_page_of_file(mem, cpu, vpage):
    """Task 0 reads a page of the file by a fault; its folio is on the LRU."""
    do_read_fault(mem, cpu, 0, vpage, 0)
    drain_all(mem)


@kernel
def truncate_and_write(mem, cpu, index):
    """Truncate a page, which unmaps it, and write it, which reads it in again.

    Returns     whether a page was dropped
    """
    dropped = file_truncate(mem, cpu, 0, index)
    file_write(mem, cpu, 0, 0, index, 0)
    return dropped


@kernel
def read_and_drop(mem, cpu, index):
    """Find what was written to a page, and drop it, so that a wrong reference count is seen."""
    file_read(mem, cpu, 0, 0, index, 0)
    drain_all(mem)
    file_truncate(mem, cpu, 0, index)


@kernel
def check_mapped(mem, cpu):
    """A page that was truncated is no longer mapped; the page is dropped, so that a wrong reference count is seen."""
    drain_all(mem)
    file_access(mem, cpu, 0, VPAGE)
    file_truncate(mem, cpu, 0, INDEX)
    return 0
