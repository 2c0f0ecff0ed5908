"""The page allocator against an oracle of each frame: a frame is handed out once, and no allocation fails while frames are free.

CPU 0 frees a frame and allocates one, through its list. CPU 1 drains all lists, as isolation and offlining do, then allocates a frame and
frees it; that may be the frame that CPU 0 has freed. While CPU 1 drains CPU 0's list, CPU 0 must go to the zone.
"""

from kernels.alloc.pages import alloc_frozen_pages, drain_all_pages, free_frozen_pages
from kernels.base.jit import kernel
from kernels.base.layout import MT_MOVABLE
from stress.explore.linearizability import ALLOCATOR, ALLOCATOR_NAMES
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import no_check
from stress.explore.models._history import invoke, record

ALLOC, FREE = range(len(ALLOCATOR_NAMES))
FRAME = 0  # scratch: the frame that CPU 0 owns


@kernel
def alloc(mem, cpu):
    """Allocate a frame; a refusal is recorded as frame 0, which boot keeps.

    Returns     pfn or -1
    """
    begin = invoke(mem)
    pfn = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
    record(mem, cpu, begin, ALLOC, max(pfn, 0), pfn)
    return pfn


@kernel
def free(mem, cpu, pfn):
    """Free a frame."""
    begin = invoke(mem)
    free_frozen_pages(mem, cpu, pfn, 0)
    record(mem, cpu, begin, FREE, pfn, 0)


@kernel
def prepare(mem, cpu):
    """CPU 0 owns a frame."""
    mem.scratch[FRAME] = alloc(mem, cpu)
    return 0


@kernel
def steps(mem, cpu):
    """Free and allocate; drain, allocate and free.

    Returns     the frame
    """
    if cpu == 0:
        free(mem, cpu, mem.scratch[FRAME])
        return alloc(mem, cpu)
    drain_all_pages(mem, cpu, 0)
    pfn = alloc(mem, cpu)
    if pfn >= 0:
        free(mem, cpu, pfn)
    return pfn


MODEL = Model(
    "allocator-linearizable",
    "frees and allocations against a drain of all lists, with an oracle of each frame: every result is that of some sequential order",
    "P12; I1",
    small_geometry(2),
    prepare,
    steps,
    no_check,
    meetings=("pcp_drain", "met_pcp_lock_contended"),
    at_rest=False,  # CPU 0 keeps a frame
    oracle=ALLOCATOR,
)
