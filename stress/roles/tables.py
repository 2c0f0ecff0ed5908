"""Role tables: leaf page tables that are frames are populated, walked without a lock, written and zapped while compaction moves them."""

from kernels.alloc.pages import cpu_node, free_frozen_pages
from kernels.base.atomics import load_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import ENOMEM, MT_MOVABLE, T_PAGETABLE
from kernels.base.random import random_below
from kernels.policy.pagealloc import alloc_pages
from kernels.types.pagetable import table_populate, table_walk, table_write, table_zap
from stress.roles._pick import is_isolated_now
from stress.roles._role import Role

WALKS = 8  # of one step
UPPERS_SEEN = 64
LONG_WALK = 1 << 14  # entries that a walk of an isolated table reads: tens of microseconds


@kernel
def pick_upper(mem, cpu):
    """An upper entry: in half of the cases one of the first 16, which all CPUs use.

    Progress    wait-free
    """
    if random_below(mem, cpu, 2):
        return random_below(mem, cpu, min(16, mem.nr_uppers))
    return random_below(mem, cpu, mem.nr_uppers)


@kernel
def find_isolated(mem, cpu):
    """An upper entry with a table that is isolated now, among UPPERS_SEEN from a random one on.

    Returns     the upper entry or -1
    Progress    wait-free
    """
    start = random_below(mem, cpu, mem.nr_uppers)
    for k in range(UPPERS_SEEN):
        slot = (start + k) % mem.nr_uppers
        pfn = load_relaxed(mem.upper, slot) - 1
        if pfn >= 0 and is_isolated_now(mem, pfn, T_PAGETABLE):
            return slot
    return -1


@kernel
def tables_step(mem, cpu):
    """Walk WALKS tables, and for longer one that is isolated; then write, populate or zap one.

    Returns     0 or -ENOMEM
    Progress    bounded
    """
    for _ in range(WALKS):
        table_walk(mem, cpu, pick_upper(mem, cpu), 1)
    moving = find_isolated(mem, cpu)
    if moving >= 0:
        table_walk(mem, cpu, moving, LONG_WALK)
    slot, choice = pick_upper(mem, cpu), random_below(mem, cpu, 16)
    if choice == 0:
        table_zap(mem, cpu, slot)
    elif load_relaxed(mem.upper, slot) == 0:
        pfn = alloc_pages(mem, cpu, cpu_node(mem, cpu), 0, MT_MOVABLE)
        if pfn < 0:
            return -ENOMEM
        if not table_populate(mem, cpu, slot, pfn):
            free_frozen_pages(mem, cpu, pfn, 0)
    else:
        table_write(mem, cpu, slot)
    return 0


ROLE = Role("tables", "leaf page tables in frames are walked without a lock, written and zapped while compaction moves them", tables_step)
