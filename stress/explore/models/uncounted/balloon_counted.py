"""Today's balloon pages, which have a descriptor and a count: deflation against isolation, migration and a pfn walker.

CPU 0 owns a balloon with two pages, gives both back and inflates by one. CPU 1 isolates the first page and migrates it. CPU 2 takes a
reference on the first page through its word, and may put last. Every page must be given back once. balloon-zero is the same with counts
that stay frozen.
"""

from kernels.base.jit import kernel
from kernels.base.layout import OFFLINE_COUNTED
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import speculate
from stress.explore.models.uncounted._balloons import FIRST, check, deflate_and_inflate, move, prepare


@kernel
def steps(mem, cpu):
    """The owner deflates and inflates; a scanner migrates; a pfn walker takes a reference.

    Returns     what the call returned
    """
    if cpu == 0:
        return deflate_and_inflate(mem, cpu)
    if cpu == 1:
        return move(mem, cpu, mem.scratch[FIRST], True)
    return min(speculate(mem, cpu, mem.scratch[FIRST]), 1)


MODEL = Model(
    "balloon-counted",
    "balloon pages with a count: deflation and inflation against isolation, migration and a pfn walker",
    "P4, P10; D8, I2, I16",
    small_geometry(3),
    prepare,
    steps,
    check,
    params={"policy_offline": OFFLINE_COUNTED},
    meetings=("met_deflate_on_isolated", "balloon_migrate", "spec_kept", "spec_failed_on_zero"),
)
