"""A page that two tasks share is migrated while one faults on it to write and the other reads it; its old frame is used again.

CPU 0 migrates the page, then maps a new page of a stranger, a task of another family, mostly in the frame that has become free. CPU 1
faults on the page as task 0, and writes. CPU 2, which has the translation, reads the page as task 1, then switches to the stranger, a
translation of which has the same place in the TLB, and back. No access may reach another owner's frame.
"""

from kernels.base.jit import kernel
from kernels.base.layout import FAMILY_TASKS
from kernels.map.access import task_access
from kernels.map.rmap import zap_range
from kernels.policy.fault import do_wp_page
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import migrate_one, new_page, read_and_unmap, read_if_mapped
from stress.explore.models.mapped._pages import FRAME, VPAGE, prepare_shared

STRANGER, ITS_VPAGE = 1 + FAMILY_TASKS, VPAGE ^ FAMILY_TASKS  # the place of task 1's translation, see tlb.translate()
READER = 2


@kernel
def prepare(mem, cpu):
    """The page is on the LRU, and CPU 2 has task 1's translation."""
    prepare_shared(mem, cpu)
    task_access(mem, READER, 1, VPAGE, 0)
    return 0


@kernel
def steps(mem, cpu):
    """Migrate and map a stranger's page; fault and write; read as task 1, as the stranger and as task 1.

    Returns     whether the page moved, or which accesses faulted
    """
    if cpu == 0:
        moved = migrate_one(mem, cpu, mem.scratch[FRAME])
        new_page(mem, cpu, STRANGER, ITS_VPAGE)
        return moved
    if cpu == 1:
        do_wp_page(mem, cpu, 0, VPAGE)
        return task_access(mem, cpu, 0, VPAGE, 1)
    missed = task_access(mem, cpu, 1, VPAGE, 0)
    missed = missed * 2 + task_access(mem, cpu, STRANGER, ITS_VPAGE, 0)
    return missed * 2 + task_access(mem, cpu, 1, VPAGE, 0)


@kernel
def check(mem, cpu):
    """Every write is found, and all pages are unmapped, so that a wrong reference count is seen."""
    read_if_mapped(mem, READER, 1, VPAGE)
    read_and_unmap(mem, cpu, 2, VPAGE)
    read_if_mapped(mem, cpu, STRANGER, ITS_VPAGE)
    zap_range(mem, cpu, STRANGER, ITS_VPAGE, 1)
    return 0


MODEL = Model(
    "cow-migration",
    "a shared page is migrated while one task faults on it to write, another reads it, and its frame is used again",
    "P7, P8, P14, P17; I12, I13, I14",
    small_geometry(3, nr_tasks=2 * FAMILY_TASKS),
    prepare,
    steps,
    check,
    meetings=("pgmigrate_success", "cow_fault", "met_count_unexpected", "met_stale_tlb_met_flush"),
)
