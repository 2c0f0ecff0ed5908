"""Two CPUs take and free frames of one word of a bitfield.

The other pageblock is taken. CPU 0 takes a frame, then two in a run; CPU 1 takes two in a run, and frees them. Each claims frames in the
pageblock's count, and then sets bits by compare-and-exchange; a run that the other one broke is searched for again.
"""

from kernels.alloc.pages import buddy_alloc, free_to_zone
from kernels.base.jit import kernel
from kernels.base.layout import ALLOCATOR_BITFIELD, MT_MOVABLE, SH_OWNED
from stress.explore.model import Model, small_geometry

PAGEBLOCK_ORDER = 2
BITS = {"policy_allocator": ALLOCATOR_BITFIELD, "pcp_batch": 64}


@kernel
def prepare(mem, cpu):
    """One of the two pageblocks is free."""
    mem.scratch[0] = buddy_alloc(mem, cpu, 0, PAGEBLOCK_ORDER, MT_MOVABLE)
    return 0


@kernel
def steps(mem, cpu):
    """Take a frame and keep it; take two, and free them.

    Returns     the first frame of the two
    """
    if cpu == 0:
        mem.scratch[1] = buddy_alloc(mem, cpu, 0, 0, MT_MOVABLE)
        return 0
    pair = buddy_alloc(mem, cpu, 0, 1, MT_MOVABLE)
    if pair >= 0:
        free_to_zone(mem, cpu, pair, 1, SH_OWNED)
    return pair


@kernel
def give_back(mem, cpu, slot, order):
    """Free the block of a slot of scratch, if there is one."""
    if mem.scratch[slot] >= 0:
        free_to_zone(mem, cpu, mem.scratch[slot], order, SH_OWNED)


@kernel
def check(mem, cpu):
    """Everything is given back."""
    give_back(mem, cpu, 0, PAGEBLOCK_ORDER)
    give_back(mem, cpu, 1, 0)
    return 0


MODEL = Model(
    "bitfield-word",
    "two CPUs claim frames of one pageblock and set bits of one word: every frame is handed out once",
    "P22; I1, I2",
    small_geometry(2, frames_per_node=8, pageblock_order=PAGEBLOCK_ORDER),
    prepare,
    steps,
    check,
    params=BITS,
    meetings=("met_bitfield_changed",),
)
