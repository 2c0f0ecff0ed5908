"""Role tables: leaf page tables that are frames, populated, walked without a lock, written, zapped, and moved by compaction."""

from kernels.alloc.pages import cpu_node, free_frozen_pages
from kernels.base.atomics import load_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import ENOMEM, MT_MOVABLE
from kernels.base.random import random_below
from kernels.policy.pagealloc import alloc_pages
from kernels.types.pagetable import table_populate, table_walk, table_write, table_zap
from stress.role import Role

WALKS = 8  # of one step


@kernel
def pick_upper(mem, cpu):
    """An upper entry, half of the time one of the few that everybody uses.

    Progress    wait-free
    """
    if random_below(mem, cpu, 2):
        return random_below(mem, cpu, min(16, mem.nr_uppers))
    return random_below(mem, cpu, mem.nr_uppers)


@kernel
def tables_step(mem, cpu):
    """Walk a few tables; write, populate or zap one.

    Returns     0 or -ENOMEM
    Progress    bounded
    """
    for _ in range(WALKS):
        table_walk(mem, cpu, pick_upper(mem, cpu), 1)
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


ROLE = Role("tables", "leaf page tables that are frames: walked without a lock, written, zapped, and moved", tables_step)
