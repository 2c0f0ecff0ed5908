"""What per-CPU lists, LRU batches and free lists promise: they fill before they are emptied, and free neighbours merge.

CPU 0 frees as many frames as a per-CPU list may hold, then one more with two lists in use; faults a page in; and frees the last frame of
one of two neighbouring pageblocks that are both isolated.
"""

from kernels.alloc.buddy import is_buddy_block
from kernels.alloc.isolation import isolate_pageblock, unisolate_pageblock
from kernels.alloc.pages import alloc_frozen_pages, drain_all_pages, free_frozen_pages
from kernels.base.jit import kernel
from kernels.base.layout import MT_MOVABLE, PCP_TOTAL
from kernels.map.rmap import zap_range
from kernels.policy.fault import do_anonymous_page
from stress.explore.model import PARAMS, Model, small_geometry
from stress.explore.models._folios import drain_all, no_check
from stress.explore.models._promises import expect

HIGH, BATCH = PARAMS["pcp_high"], PARAMS["pcp_batch"]
SINGLES = 2 * HIGH
SINGLE, PAIR, LAST = 0, SINGLES, SINGLES + 1  # scratch: the single frames, the first of the pair, the one to be freed last


@kernel
def prepare(mem, cpu):
    """CPU 0 has single frames, a pair, and one to be freed last; the lists are empty."""
    for k in range(SINGLES):
        mem.scratch[SINGLE + k] = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
    mem.scratch[PAIR] = alloc_frozen_pages(mem, cpu, 0, 1, MT_MOVABLE)
    mem.scratch[LAST] = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
    drain_all_pages(mem, cpu, 0)
    return 0


@kernel
def frames_listed(mem):
    """Frames on CPU 0's lists."""
    return mem.pcp_nr[PCP_TOTAL]


@kernel
def steps(mem, cpu):
    """Free, fault, isolate, free.

    Returns     0
    """
    for k in range(HIGH):
        free_frozen_pages(mem, cpu, mem.scratch[SINGLE + k], 0)
    expect(mem, cpu, frames_listed(mem), HIGH)
    drain_all_pages(mem, cpu, 0)
    free_frozen_pages(mem, cpu, mem.scratch[PAIR], 1)
    for k in range(HIGH, 2 * HIGH - 1):
        free_frozen_pages(mem, cpu, mem.scratch[SINGLE + k], 0)
    expect(mem, cpu, frames_listed(mem), HIGH - BATCH + 1)  # the pair caused a drain
    free_frozen_pages(mem, cpu, mem.scratch[SINGLE + SINGLES - 1], 0)
    drain_all_pages(mem, cpu, 0)
    do_anonymous_page(mem, cpu, 0, 0, 0)
    expect(mem, cpu, mem.lru_batched[cpu], 1)
    zap_range(mem, cpu, 0, 0, 1)
    drain_all(mem)
    block = mem.scratch[LAST] >> mem.pageblock_order
    isolate_pageblock(mem, cpu, block)
    isolate_pageblock(mem, cpu, block ^ 1)
    free_frozen_pages(mem, cpu, mem.scratch[LAST], 0)
    expect(mem, cpu, 1 if is_buddy_block(mem, (block & ~1) << mem.pageblock_order, mem.pageblock_order + 1) else 0, 1)
    unisolate_pageblock(mem, cpu, block)
    unisolate_pageblock(mem, cpu, block ^ 1)
    return 0


MODEL = Model(
    "promises-lists",
    "per-CPU lists, LRU batches and free lists alone: they fill before they are emptied, and free neighbours merge",
    "P12, P16; I17, promise",
    small_geometry(1),
    prepare,
    steps,
    no_check,
    meetings=("pcp_drain",),
)
