"""A leaf page table is installed by two CPUs at the same time, written, zapped and migrated under walkers.

CPUs 0 and 1 each install a table in a frame of their own behind one upper entry; one of them is too late. CPU 0 writes the installed table;
CPU 1 zaps it. CPU 2 walks, isolates CPU 0's frame as soon as it is a table, migrates it, and walks again. A walker may not read a freed
table.
"""

from kernels.alloc.pages import alloc_frozen_pages, free_frozen_pages
from kernels.base.jit import kernel
from kernels.base.layout import MT_MOVABLE
from kernels.types.pagetable import table_populate, table_walk, table_write, table_zap
from stress.explore.model import Model, small_geometry
from stress.explore.models.uncounted.table_migration import SLOT, move, use_again

FRAMES = 0  # scratch: the frames of CPU 0 and of CPU 1


@kernel
def prepare(mem, cpu):
    """Two frames."""
    for k in range(2):
        mem.scratch[FRAMES + k] = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
    return 0


@kernel
def steps(mem, cpu):
    """Install and write; install and zap; walk and migrate.

    Returns     whether the table was installed; what the walks saw and whether it moved
    """
    if cpu == 2:
        seen = table_walk(mem, cpu, SLOT, 1)
        moved = move(mem, cpu, mem.scratch[FRAMES])
        return moved * 4 + seen * 2 + table_walk(mem, cpu, SLOT, 1)
    pfn = mem.scratch[FRAMES + cpu]
    installed = table_populate(mem, cpu, SLOT, pfn)
    if not installed:
        free_frozen_pages(mem, cpu, pfn, 0)
    if cpu == 0:
        table_write(mem, cpu, SLOT)
    else:
        table_zap(mem, cpu, SLOT)
        use_again(mem, cpu)
    return 1 if installed else 0


@kernel
def check(mem, cpu):
    """The table is walked and zapped; the checkers at rest find one that is left."""
    table_walk(mem, cpu, SLOT, 1)
    table_zap(mem, cpu, SLOT)
    return 0


MODEL = Model(
    "table-populated",
    "a leaf page table is installed twice, written, zapped and migrated under walkers",
    "P15; B3, I11, I13",
    small_geometry(3),
    prepare,
    steps,
    check,
    meetings=("pgtable_alloc", "pgtable_migrate", "met_rcu_waited_for_reader"),
)
