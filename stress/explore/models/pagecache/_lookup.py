"""What models of page-cache lookups share: a lookup that relies on its result."""

from kernels.alloc.release import folio_put
from kernels.base.bug import bug
from kernels.base.jit import kernel
from kernels.base.layout import BUG_FOLIO_RANGE
from kernels.map.pagecache import filemap_get_entry, folio_contains


@kernel
def rely_on(mem, cpu, desc, index):
    """Rely on what a lookup returned, as filemap_fault() does, and put it: VM_BUG_ON_FOLIO(!folio_contains(folio, index), folio).

    Returns     whether a folio was found
    """
    if desc < 0:
        return 0
    if not folio_contains(mem, desc, index):
        bug(mem, cpu, BUG_FOLIO_RANGE, mem.folio_pfn[desc], mem.folio_index[desc], index)
    folio_put(mem, cpu, desc)
    return 1


@kernel
def look_up(mem, cpu, index):
    """Look a page of file 0 up, and rely on what is found.

    Returns     whether a folio was found
    """
    return rely_on(mem, cpu, filemap_get_entry(mem, cpu, 0, index), index)
