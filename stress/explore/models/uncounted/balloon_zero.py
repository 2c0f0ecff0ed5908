"""Balloon pages with a descriptor and a count that stays frozen: deflation against two scanners, one of which puts back.

As balloon-counted, but only its place in the balloon's list holds a frame.
"""

from kernels.base.jit import kernel
from kernels.base.layout import OFFLINE_ZERO
from stress.explore.model import Model, small_geometry
from stress.explore.models.uncounted._balloons import FIRST, check, deflate_and_inflate, move, prepare


@kernel
def steps(mem, cpu):
    """The owner deflates and inflates; a scanner migrates; a scanner puts back.

    Returns     what the call returned
    """
    if cpu == 0:
        return deflate_and_inflate(mem, cpu)
    return move(mem, cpu, mem.scratch[FIRST + cpu - 1], cpu == 1)


MODEL = Model(
    "balloon-zero",
    "balloon pages with a frozen count: deflation and inflation against scanners that migrate and put back",
    "P1, P10; D8, F-1, F-2",
    small_geometry(3),
    prepare,
    steps,
    check,
    params={"policy_offline": OFFLINE_ZERO},
    meetings=("met_deflate_on_isolated", "balloon_migrate"),
)
