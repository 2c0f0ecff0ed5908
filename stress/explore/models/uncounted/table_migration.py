"""A leaf page table is written and zapped while compaction migrates it and a walker reads it without a lock.

CPU 0 writes the table and zaps it. CPU 1 isolates its frame and migrates it. CPU 2 walks through the upper entry, twice. A CPU that has
freed a frame allocates it again immediately and writes into it, so a walker that is still in it reads another owner's stamp.
"""

from kernels.alloc.pages import alloc_frozen_pages, free_frozen_pages
from kernels.base.atomics import load_acquire
from kernels.base.jit import kernel
from kernels.base.layout import MT_MOVABLE, T_PAGETABLE
from kernels.map.access import stamp_frame
from kernels.page.memdesc import word_type
from kernels.types.pagetable import isolate_pagetable, migrate_pagetable, table_populate, table_walk, table_write, table_zap
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import no_check, stock_list

SLOT = 3
FRAME = 0  # scratch: the frame of the table


@kernel
def prepare(mem, cpu):
    """One upper entry has a table, and CPU 1's list a free frame."""
    pfn = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
    mem.scratch[FRAME] = pfn
    table_populate(mem, cpu, SLOT, pfn)
    stock_list(mem, 1)
    return 0


@kernel
def use_again(mem, cpu):
    """Allocate a frame, mostly the last that was freed, and write into it."""
    pfn = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
    stamp_frame(mem, pfn, 0, 0)
    free_frozen_pages(mem, cpu, pfn, 0)


@kernel
def move(mem, cpu, pfn):
    """Isolate a table and migrate it, as compaction does.

    Returns     1: moved; 0: its owner was faster
    """
    # ORDER: acquire, pairs with the publication of the word; the compare-and-swap decides
    word = load_acquire(mem.memdesc, pfn)
    if word_type(word) != T_PAGETABLE or not isolate_pagetable(mem, cpu, pfn, word):
        return 0
    target = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
    moved = migrate_pagetable(mem, cpu, pfn, target, word)
    if not moved:
        free_frozen_pages(mem, cpu, target, 0)
    return moved


@kernel
def steps(mem, cpu):
    """Write and zap; migrate; walk.

    Returns     whether it moved, or what the walks saw
    """
    if cpu == 2:
        seen = 0
        for _ in range(2):
            seen += table_walk(mem, cpu, SLOT, 1)
        return seen
    moved = 0
    if cpu == 0:
        table_write(mem, cpu, SLOT)
        table_zap(mem, cpu, SLOT)
    else:
        moved = move(mem, cpu, mem.scratch[FRAME])
    use_again(mem, cpu)
    return moved


MODEL = Model(
    "table-migration",
    "a leaf page table is written and zapped while compaction migrates it and a walker reads it",
    "P15; B3, I11, I13",
    small_geometry(3),
    prepare,
    steps,
    no_check,
    meetings=("pgtable_migrate", "met_table_moved_under_walker", "met_table_gone_while_isolated", "met_rcu_waited_for_reader"),
)
