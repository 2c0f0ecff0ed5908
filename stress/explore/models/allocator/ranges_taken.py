"""Ranges of pageblocks are isolated and taken whole, by two CPUs that want some of the same, while a frame of them is poisoned.

CPU 0 wants pageblocks 0 to 2, CPU 1 wants 1 to 3, so that each has one that is the other's in the middle; who has them takes them offline
and puts them online again. CPU 2 frees a frame of
pageblock 2, and takes another one off the buddy as the victim of a memory error.
"""

from kernels.alloc.isolation import take_isolated_range
from kernels.alloc.pages import alloc_frozen_pages, drain_all_pages, free_frozen_pages
from kernels.base.atomics import load_relaxed
from kernels.base.bug import bug
from kernels.base.jit import kernel
from kernels.base.layout import BUG_ISOLATED_TYPE, MT_ISOLATE, MT_MOVABLE
from kernels.policy.contig import start_isolate_page_range, undo_isolate_page_range
from kernels.policy.hotplug import leave_zone, online_pages
from kernels.policy.hwpoison import poison_free_frame, unpoison_memory
from stress.explore.model import Model, small_geometry

VICTIM = 10  # in pageblock 2


@kernel
def prepare(mem, cpu):
    """CPU 2 holds a frame of pageblock 2, all others before it are free."""
    for k in range(12):
        mem.scratch[k] = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
    for k in range(12):
        if mem.scratch[k] != VICTIM - 1:
            free_frozen_pages(mem, cpu, mem.scratch[k], 0)
    return 0


@kernel
def check_isolated(mem, cpu, first_block, end_block):
    """A bug if a pageblock that this CPU has isolated is not: somebody else took it for its own."""
    for block in range(first_block, end_block):
        migratetype = load_relaxed(mem.block_migratetype, block)
        if migratetype != MT_ISOLATE:
            bug(mem, cpu, BUG_ISOLATED_TYPE, block << mem.pageblock_order, migratetype, MT_ISOLATE)


@kernel
def take(mem, cpu, first_block, end_block):
    """Isolate pageblocks, and take what is in them if all of it is free.

    Returns     0: somebody has isolated one of them; 1: something is in use; 2: they are the caller's. Isolated still but for 0
    """
    start, end = first_block << mem.pageblock_order, end_block << mem.pageblock_order
    if not start_isolate_page_range(mem, cpu, first_block, end_block):
        return 0
    drain_all_pages(mem, cpu, 0)
    check_isolated(mem, cpu, first_block, end_block)
    if take_isolated_range(mem, cpu, start, end) >= 0:
        check_isolated(mem, cpu, first_block, end_block)
        undo_isolate_page_range(mem, cpu, first_block, end_block)
        return 1
    return 2


@kernel
def steps(mem, cpu):
    """Take offline and put online; free and poison.

    Returns     what became of it
    """
    if cpu < 2:
        taken = take(mem, cpu, cpu, cpu + 3)
        if taken == 2:
            leave_zone(mem, cpu, cpu, cpu + 3)
            check_isolated(mem, cpu, cpu, cpu + 3)
            online_pages(mem, cpu, cpu, cpu + 3)
        return taken
    free_frozen_pages(mem, cpu, VICTIM - 1, 0)
    poisoned = poison_free_frame(mem, cpu, VICTIM)
    if poisoned:
        unpoison_memory(mem, cpu, VICTIM)
    return 1 if poisoned else 0


@kernel
def check(mem, cpu):
    """The checkers at rest say it all: nothing is isolated, and every frame is free."""
    drain_all_pages(mem, cpu, 0)
    return 0


MODEL = Model(
    "ranges-taken",
    "two ranges of pageblocks that overlap are isolated, taken offline and put online, while a frame is freed and one poisoned",
    "linux-mm.md 2.1; E4, I15, I17, I18",
    small_geometry(3, pageblock_order=2),
    prepare,
    steps,
    check,
    meetings=("hwpoison_pages", "online_succeeded"),
)
