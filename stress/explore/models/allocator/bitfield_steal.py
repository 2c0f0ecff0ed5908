"""A tree is stolen from the CPU that has reserved it.

One of the two trees is taken, and CPU 0 has reserved the other. CPU 0 takes frames there; CPU 1 finds no tree of its own, takes a frame of
that one and steals it. CPU 0 must notice, and both continue; at rest the tree's word names one of them, and its frames are there.
"""

from kernels.alloc.pages import buddy_alloc, free_to_zone
from kernels.base.jit import kernel
from kernels.base.layout import MT_MOVABLE, SH_OWNED
from stress.explore.model import Model, small_geometry
from stress.explore.models.allocator.bitfield_word import BITS, PAGEBLOCK_ORDER, give_back


@kernel
def prepare(mem, cpu):
    """One tree is taken, and CPU 0 has reserved the other."""
    mem.scratch[0] = buddy_alloc(mem, cpu, 0, PAGEBLOCK_ORDER, MT_MOVABLE)
    mem.scratch[1] = buddy_alloc(mem, cpu, 0, 0, MT_MOVABLE)
    return 0


@kernel
def steps(mem, cpu):
    """Take a frame twice, and free the first one; take one.

    Returns     the frame taken last
    """
    if cpu == 0:
        first = buddy_alloc(mem, cpu, 0, 0, MT_MOVABLE)
        if first >= 0:
            free_to_zone(mem, cpu, first, 0, SH_OWNED)
    mem.scratch[2 + cpu] = buddy_alloc(mem, cpu, 0, 0, MT_MOVABLE)
    return mem.scratch[2 + cpu]


@kernel
def check(mem, cpu):
    """Everything is given back."""
    give_back(mem, cpu, 0, PAGEBLOCK_ORDER)
    for slot in range(1, 4):
        give_back(mem, cpu, slot, 0)
    return 0


MODEL = Model(
    "bitfield-steal",
    "a CPU takes frames of the tree that it has reserved while another CPU steals the tree",
    "P22; I1, I2, I17",
    small_geometry(2, frames_per_node=8, pageblock_order=PAGEBLOCK_ORDER),
    prepare,
    steps,
    check,
    params=BITS,
    meetings=("tree_stolen", "met_tree_lost"),
)
