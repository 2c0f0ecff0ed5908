"""Read faults on a page of a file, and reads through the cache, while the page is truncated, written and read in again.

The page is cached. CPU 0 faults on it and reads it through its translation. CPU 1 reads it through the cache without a lock and faults on
it, in the same task. CPU 2 truncates it, which unmaps it, and writes it, which reads it in again. No CPU may read a truncated page.
"""

from kernels.base.jit import kernel
from kernels.map.access import file_access
from kernels.policy.fault import do_read_fault
from kernels.policy.filemap import file_read, file_truncate
from stress.explore.model import Model, small_geometry
from stress.explore.models._files import INDEX, VPAGE, prepare_written, truncate_and_write
from stress.explore.models._folios import drain_all


@kernel
def steps(mem, cpu):
    """Fault and read; read and fault; truncate and write.

    Returns     what the calls returned
    """
    if cpu == 0:
        do_read_fault(mem, cpu, 0, VPAGE, 0)
        return file_access(mem, cpu, 0, VPAGE)
    if cpu == 1:
        return file_read(mem, cpu, 0, 0, INDEX, 0) * 2 + do_read_fault(mem, cpu, 0, VPAGE, 0)
    return truncate_and_write(mem, cpu, INDEX)


@kernel
def check(mem, cpu):
    """What was written is found; the page is dropped, so that a wrong reference count is seen."""
    drain_all(mem)
    file_access(mem, cpu, 0, VPAGE)
    file_read(mem, cpu, 0, 0, INDEX, 0)
    file_truncate(mem, cpu, 0, INDEX)
    return 0


MODEL = Model(
    "file-faults",
    "read faults and reads of a page of a file against its truncation and reading in",
    "P5, P14, P18; I10, I12, I13",
    small_geometry(3),
    prepare_written,
    steps,
    check,
    meetings=("pgmajfault", "spec_failed_on_zero", "spec_kept"),
)
