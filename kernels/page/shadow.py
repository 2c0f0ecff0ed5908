"""The shadow word of each frame: in the buddy, on a per-CPU list, owned or captured, as the full checks expect it. Not in the fast flavour.

Invariants  I2: one owner; a double free or a double allocation is a compare-and-exchange that finds another state.
            I18: nothing is taken from an isolated pageblock
"""

from kernels.base.atomics import cas_relaxed, load_unseen
from kernels.base.bug import bug
from kernels.base.flavour import CHECKED
from kernels.base.jit import kernel
from kernels.base.layout import BUG_ISOLATED_ALLOC, BUG_SHADOW, MT_ISOLATE, SH_BUDDY


@kernel
def shadow_set(mem, cpu, pfn, order, before, after):
    """shadow_move() for an isolator, which may take frames of the pageblocks that it isolated.

    Progress    wait-free
    """
    if CHECKED:
        if mem.shadow_on:
            for k in range(1 << order):
                seen = cas_relaxed(mem.shadow, pfn + k, before, after)
                if seen != before:
                    bug(mem, cpu, BUG_SHADOW, pfn + k, seen, before)


@kernel
def shadow_move(mem, cpu, pfn, order, before, after):
    """Move the 2^order frames at `pfn` from state `before` to `after` (layout.SH_*); a bug if a frame was in another state.

    Progress    wait-free
    """
    if CHECKED:
        if mem.shadow_on:
            # exact: a CPU that takes frames from the buddy holds zone->lock
            if before == SH_BUDDY and load_unseen(mem.block_migratetype, pfn >> mem.pageblock_order) == MT_ISOLATE:
                bug(mem, cpu, BUG_ISOLATED_ALLOC, pfn, MT_ISOLATE, after)
            shadow_set(mem, cpu, pfn, order, before, after)
