"""A free and an allocation against the isolation of their pageblock, under allocator = bitfield.

The other pageblock is taken. CPU 0 frees its frame and takes one. CPU 1 isolates that pageblock and drains, which waits for a claim that
CPU 0 made before; then it takes the pageblock if all of it is free, and gives it back. What is allocated in between is not of it.
"""

from kernels.alloc.isolation import isolate_pageblock, nr_allocated_in_block, take_isolated_range, unisolate_pageblock
from kernels.alloc.pages import buddy_alloc, free_to_zone
from kernels.base.bug import bug
from kernels.base.jit import kernel
from kernels.base.layout import BUG_ISOLATED_ALLOC, MT_MOVABLE, SH_OWNED
from stress.explore.model import Model, small_geometry
from stress.explore.models.allocator.bitfield_word import BITS, PAGEBLOCK_ORDER, give_back


@kernel
def prepare(mem, cpu):
    """One pageblock is taken, and CPU 0 owns a frame of the other."""
    mem.scratch[0] = buddy_alloc(mem, cpu, 0, PAGEBLOCK_ORDER, MT_MOVABLE)
    mem.scratch[1] = buddy_alloc(mem, cpu, 0, 0, MT_MOVABLE)
    return 0


@kernel
def steps(mem, cpu):
    """Free, and take; isolate, take the pageblock, and give it back.

    Returns     frames that were allocated when the pageblock was drained, and whether all of it was taken
    """
    block = mem.scratch[1] >> mem.pageblock_order
    if cpu == 0:
        free_to_zone(mem, cpu, mem.scratch[1], 0, SH_OWNED)
        mem.scratch[2] = buddy_alloc(mem, cpu, 0, 0, MT_MOVABLE)
        return 0
    isolate_pageblock(mem, cpu, block)
    allocated = mem.block_allocated[block]
    if nr_allocated_in_block(mem, block) > allocated:
        bug(mem, cpu, BUG_ISOLATED_ALLOC, block << mem.pageblock_order, nr_allocated_in_block(mem, block), allocated)
    first = block << mem.pageblock_order
    taken = take_isolated_range(mem, cpu, first, first + (1 << PAGEBLOCK_ORDER)) < 0
    if taken:
        free_to_zone(mem, cpu, first, PAGEBLOCK_ORDER, SH_OWNED)
    unisolate_pageblock(mem, cpu, block)
    return allocated << 1 | (1 if taken else 0)


@kernel
def check(mem, cpu):
    """Everything is given back."""
    give_back(mem, cpu, 0, PAGEBLOCK_ORDER)
    give_back(mem, cpu, 2, 0)
    return 0


MODEL = Model(
    "bitfield-isolation",
    "a free and an allocation against the isolation, the drain and the taking of their pageblock",
    "P22; I17, I18, E4",
    small_geometry(2, frames_per_node=8, pageblock_order=PAGEBLOCK_ORDER),
    prepare,
    steps,
    check,
    params=BITS,
    meetings=("met_isolation_met_claim",),
)
