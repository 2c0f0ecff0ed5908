"""Fragments of page-pool frames, consumed by any CPU; the last put recycles the frame.

CPU 0 receives a frame in two fragments, one of which may find its slot taken. CPUs 1 and 2 consume the fragments in two slots, and receive
the frame again if they recycled it. Each frame must be recycled once for each time that it was received.
"""

from kernels.alloc.pages import alloc_frozen_pages
from kernels.base.jit import kernel
from kernels.base.layout import MT_UNMOVABLE, NET_SLOTS
from kernels.types.netpool import netpool_add, netpool_cached, netpool_consume, netpool_receive
from stress.explore.model import Model, small_geometry

FRAGMENTS = 2
FRAME = 0  # scratch: the frame that CPU 0 receives


@kernel
def new_frame(mem, cpu):
    """A frame of the pool that is not in flight.

    Returns     pfn
    """
    pfn = alloc_frozen_pages(mem, cpu, 0, 0, MT_UNMOVABLE)
    netpool_add(mem, cpu, pfn)
    return pfn


@kernel
def prepare(mem, cpu):
    """One frame is in flight, its fragment in slot 1; CPU 0 has another frame."""
    netpool_receive(mem, cpu, new_frame(mem, cpu), 1, 1)
    mem.scratch[FRAME] = new_frame(mem, cpu)
    return 0


@kernel
def steps(mem, cpu):
    """Receive; consume and receive again.

    Returns     fragments consumed
    """
    if cpu == 0:
        netpool_receive(mem, cpu, mem.scratch[FRAME], FRAGMENTS, 0)
        return 0
    consumed = netpool_consume(mem, cpu, 1) + netpool_consume(mem, cpu, 0)
    pfn = netpool_cached(mem, cpu)
    if pfn >= 0:
        netpool_receive(mem, cpu, pfn, FRAGMENTS, 0)
    return consumed


@kernel
def check(mem, cpu):
    """All fragments arrive, so every frame is recycled, which a checker at rest counts."""
    for slot in range(NET_SLOTS):
        netpool_consume(mem, cpu, slot)
    return 0


MODEL = Model(
    "netpool-fragments",
    "fragments of page-pool frames are consumed by several CPUs, one of which recycles the frame",
    "P21; I2, I3, I6",
    small_geometry(3),
    prepare,
    steps,
    check,
    meetings=("netpool_recycled", "met_net_fragment_put_by_other"),
)
