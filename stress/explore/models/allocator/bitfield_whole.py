"""The free of a frame, and an allocation, against allocations of whole pageblocks.

Pageblock 0 lacks one frame, pageblock 1 is free. CPU 0 frees that frame, and takes a frame again. CPU 1 takes both pageblocks at once, and
if it cannot, one of them: a count of the whole pageblock must mean that no bit of it is about to change.
"""

from kernels.alloc.pages import buddy_alloc, free_to_zone
from kernels.base.jit import kernel
from kernels.base.layout import MT_MOVABLE, SH_OWNED
from stress.explore.model import Model, small_geometry
from stress.explore.models.allocator.bitfield_word import BITS, PAGEBLOCK_ORDER, give_back


@kernel
def prepare(mem, cpu):
    """CPU 0 owns a frame of pageblock 0."""
    mem.scratch[0] = buddy_alloc(mem, cpu, 0, 0, MT_MOVABLE)
    return 0


@kernel
def steps(mem, cpu):
    """Free a frame, and take one; take two pageblocks, or one.

    Returns     the first frame of the pageblocks
    """
    if cpu == 0:
        free_to_zone(mem, cpu, mem.scratch[0], 0, SH_OWNED)
        mem.scratch[0] = buddy_alloc(mem, cpu, 0, 0, MT_MOVABLE)
        return 0
    order = PAGEBLOCK_ORDER + 1
    pfn = buddy_alloc(mem, cpu, 0, order, MT_MOVABLE)
    if pfn < 0:
        order = PAGEBLOCK_ORDER
        pfn = buddy_alloc(mem, cpu, 0, order, MT_MOVABLE)
    if pfn >= 0:
        free_to_zone(mem, cpu, pfn, order, SH_OWNED)
    return order << 8 | pfn & 255


@kernel
def check(mem, cpu):
    """Everything is given back."""
    give_back(mem, cpu, 0, 0)
    return 0


MODEL = Model(
    "bitfield-whole",
    "the free of a pageblock's last frame, and an allocation, against allocations of whole pageblocks",
    "P22; I1, I2",
    small_geometry(2, frames_per_node=8, pageblock_order=PAGEBLOCK_ORDER),
    prepare,
    steps,
    check,
    params=BITS,
    meetings=("claim_undone",),
)
