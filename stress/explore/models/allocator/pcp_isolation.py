"""Per-CPU lists against the isolation of a pageblock: frees, allocations, drains.

CPU 0 frees a frame of a pageblock and allocates one. CPU 1 isolates that pageblock, which disables and drains all per-CPU lists, and gives
it back. While it is isolated, no frame of it may be allocated or be on a list.
"""

from kernels.alloc.isolation import isolate_pageblock, unisolate_pageblock
from kernels.alloc.pages import alloc_frozen_pages, free_frozen_pages
from kernels.base.bug import bug
from kernels.base.jit import kernel
from kernels.base.layout import BUG_ISOLATED_ALLOC, LC_PCP, MT_MOVABLE, PCP_STRIDE, PCP_TOTAL
from kernels.base.lock import spin_lock, spin_unlock
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import no_check

FRAME = 0  # scratch: the frame that is freed


@kernel
def prepare(mem, cpu):
    """CPU 0 owns a frame."""
    mem.scratch[FRAME] = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
    return 0


@kernel
def check_lists_empty(mem, cpu):
    """A bug if a frame is on a per-CPU list while the lists are disabled."""
    for pcp in range(mem.nr_cpus * mem.nr_nodes):
        spin_lock(mem, cpu, mem.lock_pcp + pcp, LC_PCP)
        held = mem.pcp_nr[pcp * PCP_STRIDE + PCP_TOTAL]
        spin_unlock(mem, cpu, mem.lock_pcp + pcp)
        if held != 0:
            bug(mem, cpu, BUG_ISOLATED_ALLOC, mem.scratch[FRAME], held, 0)


@kernel
def use_frames(mem, cpu):
    """Free the frame; allocate one, and free it."""
    free_frozen_pages(mem, cpu, mem.scratch[FRAME], 0)
    taken = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
    if taken >= 0:
        free_frozen_pages(mem, cpu, taken, 0)


@kernel
def isolate(mem, cpu, block):
    """Isolate a pageblock, and give it back.

    Returns     its frames that were not free when it was isolated
    """
    isolate_pageblock(mem, cpu, block)
    allocated = mem.block_allocated[block]
    check_lists_empty(mem, cpu)
    unisolate_pageblock(mem, cpu, block)
    if allocated > 1:
        bug(mem, cpu, BUG_ISOLATED_ALLOC, block << mem.pageblock_order, allocated, 1)
    return allocated


@kernel
def steps(mem, cpu):
    """Use frames; isolate.

    Returns     frames of the pageblock that were not free when it was isolated
    """
    if cpu == 0:
        use_frames(mem, cpu)
        return 0
    return isolate(mem, cpu, mem.scratch[FRAME] >> mem.pageblock_order)


MODEL = Model(
    "pcp-isolation",
    "frees and allocations through per-CPU lists against the isolation of their pageblock and its drain",
    "P12; E2, E4, I17, I18",
    small_geometry(2, frames_per_node=32, pageblock_order=2),
    prepare,
    steps,
    no_check,
    meetings=("pcp_drain", "met_pcp_lock_contended"),
)
