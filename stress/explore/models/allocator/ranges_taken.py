"""Two CPUs isolate and take overlapping ranges of pageblocks while a frame in them is poisoned.

CPU 0 wants pageblocks 0 to 2, CPU 1 wants 1 to 3, so each has one that the other wants in the middle. A CPU that gets its range takes it
offline and puts it online again. CPU 2 frees a frame of pageblock 2, and takes another one from the buddy as the victim of a memory error.
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
    """CPU 2 holds a frame of pageblock 2; all frames before it are free."""
    for k in range(12):
        mem.scratch[k] = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
    for k in range(12):
        if mem.scratch[k] != VICTIM - 1:
            free_frozen_pages(mem, cpu, mem.scratch[k], 0)
    return 0


@kernel
def check_isolated(mem, cpu, first_block, end_block):
    """A bug if a pageblock that this CPU has isolated is not: another CPU took it."""
    for block in range(first_block, end_block):
        migratetype = load_relaxed(mem.block_migratetype, block)
        if migratetype != MT_ISOLATE:
            bug(mem, cpu, BUG_ISOLATED_TYPE, block << mem.pageblock_order, migratetype, MT_ISOLATE)


@kernel
def take(mem, cpu, first_block, end_block):
    """Isolate pageblocks, and take their frames if all are free.

    Returns     0: one of them was isolated; 1: a frame was in use; 2: the frames are the caller's, still isolated
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

    Returns     what the call did
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
    """The checkers at rest find a pageblock that is isolated and a frame that is not free."""
    drain_all_pages(mem, cpu, 0)
    return 0


MODEL = Model(
    "ranges-taken",
    "two overlapping ranges of pageblocks are isolated, taken offline and put online, while a frame is freed and one poisoned",
    "P12, P20, P21; E4, I15, I17, I18",
    small_geometry(3, pageblock_order=2),
    prepare,
    steps,
    check,
    meetings=("hwpoison_pages", "online_succeeded"),
)
