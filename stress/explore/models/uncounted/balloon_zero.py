"""Balloon pages with a descriptor whose count is frozen for life: deflation against two scanners, one of which puts back.

As balloon-counted; what holds a frame here is its place in the inventory and nothing else.
"""

from kernels.base.jit import kernel
from kernels.base.layout import OFFLINE_ZERO
from stress.explore.model import Model, small_geometry
from stress.explore.models.uncounted._balloons import FIRST, check, deflate_and_inflate, move, prepare


@kernel
def steps(mem, cpu):
    """Owner; scanner that migrates; scanner that puts back.

    Returns     what became of it
    """
    if cpu == 0:
        return deflate_and_inflate(mem, cpu)
    return move(mem, cpu, mem.scratch[FIRST + cpu - 1], cpu == 1)


MODEL = Model(
    "balloon-zero",
    "balloon pages with a frozen count: deflation and inflation against scanners that migrate and put back",
    "linux-mm.md 2.7; D8, F-1, F-2; policy offline = zero",
    small_geometry(3),
    prepare,
    steps,
    check,
    params={"policy_offline": OFFLINE_ZERO},
    meetings=("met_deflate_on_isolated", "balloon_migrate"),
)
