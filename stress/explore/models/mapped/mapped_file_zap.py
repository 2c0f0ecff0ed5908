"""A page of a file that a task has mapped is unmapped by the task while the file is truncated, and while it is read through the mapping.

The page is cached, mapped, and was never written. CPU 0 unmaps it from the task and faults on it again. CPU 1 truncates it and writes it,
which reads it in anew. CPU 2 reads it through the mapping, twice: first to have its translation.
"""

from kernels.base.jit import kernel
from kernels.map.access import file_access
from kernels.map.rmap import zap_range
from kernels.policy.fault import do_read_fault
from kernels.policy.filemap import file_truncate, file_write
from stress.explore.model import PARAMS, Model, small_geometry
from stress.explore.models._folios import drain_all

INDEX = 2
VPAGE = PARAMS["anon_pages"] + INDEX


@kernel
def prepare(mem, cpu):
    """The page is cached, mapped, and on the LRU."""
    do_read_fault(mem, cpu, 0, VPAGE, 0)
    drain_all(mem)
    return 0


@kernel
def steps(mem, cpu):
    """Unmap and fault; truncate and write; read.

    Returns     what became of it
    """
    if cpu == 0:
        zapped = zap_range(mem, cpu, 0, VPAGE, 1)
        do_read_fault(mem, cpu, 0, VPAGE, 0)
        return zapped
    if cpu == 1:
        dropped = file_truncate(mem, cpu, 0, INDEX)
        file_write(mem, cpu, 0, 0, INDEX, 0)
        return dropped
    return file_access(mem, cpu, 0, VPAGE) * 2 + file_access(mem, cpu, 0, VPAGE)


@kernel
def check(mem, cpu):
    """Nothing that was truncated is mapped still; all is dropped, so that a reference too many or too few is seen."""
    drain_all(mem)
    file_access(mem, cpu, 0, VPAGE)
    file_truncate(mem, cpu, 0, INDEX)
    return 0


MODEL = Model(
    "mapped-file-zap",
    "a mapped page of a file is unmapped by its task while it is truncated and read through the mapping",
    "linux-mm.md 2.2, 2.3; I10, I12, I13, I14",
    small_geometry(3),
    prepare,
    steps,
    check,
    meetings=("pgmajfault", "met_stale_tlb_met_flush", "met_shootdown_waited"),
)
