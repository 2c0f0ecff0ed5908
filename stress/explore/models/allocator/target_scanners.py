"""Two free scanners capture targets in one zone while a third CPU allocates and frees there.

In each of two pageblocks one frame is in use, and the scanners look into these. CPUs 0 and 1 capture what they need to move two frames,
take one of them, give it back as not needed, and release everything. CPU 2 allocates two frames and frees them again. Every captured frame
must be free at the end.
"""

from kernels.alloc.pages import alloc_frozen_pages, free_frozen_pages
from kernels.base.jit import kernel
from kernels.base.layout import MT_MOVABLE
from kernels.migrate.targets import FROM_SCANNER, alloc_target_frames, cc_release, free_target_frames, want_targets
from stress.explore.model import Model, small_geometry

PAGEBLOCK_ORDER = 2
BLOCKS = 3  # scratch: their first frames; the targets are for frames of the first one


@kernel
def prepare(mem, cpu):
    """The first pageblock is in use, the next two have one frame in use, the last one is free."""
    for block in range(BLOCKS):
        pfn = alloc_frozen_pages(mem, cpu, 0, PAGEBLOCK_ORDER, MT_MOVABLE)
        mem.scratch[block] = pfn
        if block > 0:
            for k in range(1, 1 << PAGEBLOCK_ORDER):
                free_frozen_pages(mem, cpu, pfn + k, 0)
    return 0


@kernel
def steps(mem, cpu):
    """Capture, take, and give back; or allocate and free.

    Returns     the frame that was taken
    """
    if cpu < 2:
        want_targets(mem, cpu, 2)
        taken = alloc_target_frames(mem, cpu, mem.scratch[0], 0, FROM_SCANNER)
        if taken >= 0:
            free_target_frames(mem, cpu, taken, 0, FROM_SCANNER)
        cc_release(mem, cpu)
        return taken
    first, second = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE), alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
    if first >= 0:
        free_frozen_pages(mem, cpu, first, 0)
    if second >= 0:
        free_frozen_pages(mem, cpu, second, 0)
    return first


@kernel
def check(mem, cpu):
    """Everything is given back."""
    free_frozen_pages(mem, cpu, mem.scratch[0], PAGEBLOCK_ORDER)
    for block in range(1, BLOCKS):
        free_frozen_pages(mem, cpu, mem.scratch[block], 0)
    return 0


MODEL = Model(
    "target-scanners",
    "two free scanners capture targets in one zone while a third CPU allocates and frees there",
    "P11; I1, I2, I15",
    small_geometry(3, frames_per_node=16, pageblock_order=PAGEBLOCK_ORDER),
    prepare,
    steps,
    check,
    params={"pcp_high": 0},
    meetings=("compact_isolated", "met_free_block_vanished"),
)
