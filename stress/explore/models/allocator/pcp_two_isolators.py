"""Two pageblocks isolated at once, which disables the per-CPU lists twice, under a CPU that frees and allocates.

CPUs 0 and 1 isolate a pageblock each and give it back: per-CPU lists are to stay disabled until the second is done. CPU 2 frees a frame of
the first pageblock and allocates one.
"""

from kernels.alloc.isolation import isolate_pageblock, unisolate_pageblock
from kernels.alloc.pages import alloc_frozen_pages, free_frozen_pages
from kernels.base.bug import bug
from kernels.base.jit import kernel
from kernels.base.layout import BUG_ISOLATED_ALLOC, MT_MOVABLE
from stress.explore.model import Model, small_geometry
from stress.explore.models.allocator.pcp_isolation import check, check_lists_empty, prepare


@kernel
def steps(mem, cpu):
    """Isolate; use frames.

    Returns     frames of the block that were not free when it was isolated
    """
    block = mem.gang_pfn[0] >> mem.pageblock_order
    if cpu == 2:
        free_frozen_pages(mem, cpu, mem.gang_pfn[0], 0)
        taken = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
        if taken >= 0:
            free_frozen_pages(mem, cpu, taken, 0)
        return 0
    block = block if cpu == 0 else block ^ 1
    isolate_pageblock(mem, cpu, block)
    allocated = mem.block_allocated[block]
    check_lists_empty(mem, cpu)
    unisolate_pageblock(mem, cpu, block)
    if allocated > 1:
        bug(mem, cpu, BUG_ISOLATED_ALLOC, mem.gang_pfn[0], allocated, 1)
    return allocated


MODEL = Model(
    "pcp-two-isolators",
    "two isolations at once, which disable per-CPU lists twice, against frees and allocations",
    "linux-mm.md 2.1; E4, I17, I18",
    small_geometry(3, frames_per_node=32, pageblock_order=2),
    prepare,
    steps,
    check,
    meetings=("pcp_drain", "met_pcp_lock_contended"),
)
