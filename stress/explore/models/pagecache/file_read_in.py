"""Two CPUs read a page of a file that is not cached: one reads it in, the other one finds it in the cache, filled or not.

The frame holds another owner's stamp before it is filled, so a CPU that uses the page too early is caught.
"""

from kernels.base.jit import kernel
from kernels.policy.filemap import file_read
from stress.explore.model import Model, small_geometry
from stress.explore.models._files import read_and_drop

INDEX = 3


@kernel
def prepare(mem, cpu):
    """Nothing is cached."""
    return 0


@kernel
def steps(mem, cpu):
    """Read.

    Returns     0, or -1 if the other CPU was faster
    """
    return file_read(mem, cpu, 0, 0, INDEX, 0)


@kernel
def check(mem, cpu):
    """The page is found, and dropped, so that a wrong reference count is seen."""
    read_and_drop(mem, cpu, INDEX)
    return 0


MODEL = Model(
    "file-read-in",
    "a page of a file is read in by one CPU while another one looks it up",
    "P5; I10, I13",
    small_geometry(2),
    prepare,
    steps,
    check,
    meetings=("pgmajfault", "spec_kept"),
)
