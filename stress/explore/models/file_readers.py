"""A page of a file is read in by one CPU while others read it without a lock, write it and truncate it.

Nothing is cached. CPU 0 reads it, twice. CPU 1 writes it. CPU 2 truncates it and reads it.
"""

from kernels.base.jit import kernel
from kernels.policy.filemap import file_read, file_truncate, file_write
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import drain_all

INDEX = 2


@kernel
def prepare(mem, cpu):
    """Nothing is cached."""
    return 0


@kernel
def steps(mem, cpu):
    """Read; write; truncate and read.

    Returns     what became of it
    """
    if cpu == 0:
        return file_read(mem, cpu, 0, 0, INDEX, 0) * 2 + file_read(mem, cpu, 0, 0, INDEX, 0)
    if cpu == 1:
        return file_write(mem, cpu, 0, 0, INDEX, 0)
    dropped = file_truncate(mem, cpu, 0, INDEX)
    return dropped * 2 + file_read(mem, cpu, 0, 0, INDEX, 0)


@kernel
def check(mem, cpu):
    """What was written is found, and all is dropped, so that a reference too many or too few is seen."""
    drain_all(mem)
    file_read(mem, cpu, 0, 0, INDEX, 0)
    file_truncate(mem, cpu, 0, INDEX)
    return 0


MODEL = Model(
    "file-readers",
    "a page of a file is read in while others read, write and truncate it",
    "linux-mm.md 2.2; B1-B4, I10, I13",
    small_geometry(3),
    prepare,
    steps,
    check,
    meetings=("pgmajfault", "spec_kept"),
)
