"""What a range of isolated pageblocks promises: its free frames can be taken while a neighbour is being freed.

Two neighbouring pageblocks are isolated, and the first one is free. CPU 0 takes the first one. CPU 1 frees the last frame of the second,
which merges with the first.
"""

from kernels.alloc.isolation import take_isolated_range
from kernels.alloc.pages import alloc_frozen_pages, drain_all_pages, free_frozen_pages
from kernels.base.jit import kernel
from kernels.base.layout import MT_MOVABLE
from kernels.policy.contig import start_isolate_page_range, undo_isolate_page_range
from stress.explore.model import Model, small_geometry
from stress.explore.models._promises import expect

MANY_FRAMES = 32


@kernel
def prepare(mem, cpu):
    """Two pageblocks are isolated and free, but for the last frame of the second, which CPU 1 holds; their lists are disabled."""
    block_frames = 1 << mem.pageblock_order
    held = 0
    for k in range(MANY_FRAMES):
        mem.scratch[k] = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
        held += 1 if mem.scratch[k] >= 0 else 0
    for k in range(held):
        if mem.scratch[k] != 2 * block_frames - 1:
            free_frozen_pages(mem, cpu, mem.scratch[k], 0)
    drain_all_pages(mem, cpu, 0)
    start_isolate_page_range(mem, cpu, 0, 2)
    return 0


@kernel
def steps(mem, cpu):
    """Take the first pageblock; free the last frame of the second.

    Returns     the first frame that could not be taken
    """
    block_frames = 1 << mem.pageblock_order
    if cpu == 1:
        free_frozen_pages(mem, cpu, 2 * block_frames - 1, 0)
        return 0
    busy = take_isolated_range(mem, cpu, 0, block_frames)
    expect(mem, cpu, busy, -1)
    free_frozen_pages(mem, cpu, 0, mem.pageblock_order)
    return busy


@kernel
def check(mem, cpu):
    """The isolation ends; the checkers at rest find a frame that is not free."""
    undo_isolate_page_range(mem, cpu, 0, 2)
    return 0


MODEL = Model(
    "promises-ranges",
    "a free range of isolated pageblocks is taken while a frame of its neighbour is freed",
    "P12, P20; I17, promise",
    small_geometry(2, pageblock_order=2),
    prepare,
    steps,
    check,
)
