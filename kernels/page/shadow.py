"""The shadow owner word of each frame: where the full checks believe it to be. Nothing in the fast flavour.

Invariants  I2: one owner; a double free or a double allocation is a compare-and-swap that finds another state
"""

from kernels.base.atomics import cas_relaxed
from kernels.base.bug import bug
from kernels.base.jit import CHECKED, kernel
from kernels.base.layout import BUG_SHADOW


@kernel
def shadow_move(mem, cpu, pfn, order, before, after):
    """Move the 2^order frames at `pfn` from state `before` to `after` (layout.SH_*); a bug if one was elsewhere.

    Progress    wait-free
    """
    if CHECKED:
        if mem.shadow_on:
            for k in range(1 << order):
                seen = cas_relaxed(mem.shadow, pfn + k, before, after)
                if seen != before:
                    bug(mem, cpu, BUG_SHADOW, pfn + k, seen, before)
