"""Two CPUs isolate a pageblock each, which disables the per-CPU lists twice, while a third frees and allocates.

CPUs 0 and 1 isolate a pageblock each and give it back; the lists must stay disabled until the second one is done. CPU 2 frees a frame of
the first pageblock and allocates one.
"""

from kernels.base.jit import kernel
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import no_check
from stress.explore.models.allocator.pcp_isolation import FRAME, isolate, prepare, use_frames


@kernel
def steps(mem, cpu):
    """Isolate; use frames.

    Returns     frames of the pageblock that were not free when it was isolated
    """
    if cpu == 2:
        use_frames(mem, cpu)
        return 0
    block = mem.scratch[FRAME] >> mem.pageblock_order
    return isolate(mem, cpu, block if cpu == 0 else block ^ 1)


MODEL = Model(
    "pcp-two-isolators",
    "two isolations at the same time, which disable per-CPU lists twice, against frees and allocations",
    "P12; E4, I17, I18",
    small_geometry(3, frames_per_node=32, pageblock_order=2),
    prepare,
    steps,
    no_check,
    meetings=("pcp_drain", "met_pcp_lock_contended"),
)
