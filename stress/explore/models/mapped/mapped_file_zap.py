"""A page of a file that a task has mapped is unmapped by the task while the file is truncated, and read through the mapping.

The page is cached, mapped, and was never written. CPU 0 unmaps it from the task and faults on it again. CPU 1 truncates it and writes it,
which reads it in again. CPU 2 reads it through the mapping, twice: the first read gets the translation. A truncated page may not stay
mapped or be read.
"""

from kernels.base.jit import kernel
from kernels.map.access import file_access
from kernels.map.rmap import zap_range
from kernels.policy.fault import do_read_fault
from stress.explore.model import Model, small_geometry
from stress.explore.models._files import INDEX, VPAGE, check_mapped, map_page_of_file, truncate_and_write


@kernel
def prepare(mem, cpu):
    """The page is cached, mapped, and on the LRU."""
    map_page_of_file(mem, cpu, VPAGE)
    return 0


@kernel
def steps(mem, cpu):
    """Unmap and fault; truncate and write; read twice.

    Returns     what the calls returned
    """
    if cpu == 0:
        zapped = zap_range(mem, cpu, 0, VPAGE, 1)
        do_read_fault(mem, cpu, 0, VPAGE, 0)
        return zapped
    if cpu == 1:
        return truncate_and_write(mem, cpu, INDEX)
    return file_access(mem, cpu, 0, VPAGE) * 2 + file_access(mem, cpu, 0, VPAGE)


MODEL = Model(
    "mapped-file-zap",
    "a mapped page of a file is unmapped by its task while it is truncated and read through the mapping",
    "P14, P18; I10, I12, I13",
    small_geometry(3),
    prepare,
    steps,
    check_mapped,
    meetings=("pgmajfault", "met_stale_tlb_met_flush", "met_shootdown_waited"),
)
