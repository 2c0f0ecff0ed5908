"""A page is migrated while its task writes it, unmaps it, and faults another one in at its place.

CPU 0 migrates the page of task 0; then it faults one in, if none is there, and writes it. CPU 1 unmaps it. CPU 2 writes it, and reads it.
"""

from kernels.base.jit import kernel
from kernels.map.access import task_access
from kernels.map.rmap import zap_range
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import drain_all, fault_in, migrate_one, new_page

VPAGE = 2


@kernel
def prepare(mem, cpu):
    """A page of task 0."""
    mem.gang_pfn[0] = new_page(mem, cpu, 0, VPAGE)
    return 0


@kernel
def steps(mem, cpu):
    """Migrate, fault and write; unmap; write and read.

    Returns     what became of it
    """
    if cpu == 0:
        moved = migrate_one(mem, cpu, mem.gang_pfn[0])
        fault_in(mem, cpu, 0, VPAGE)
        task_access(mem, cpu, 0, VPAGE, 1)
        return moved
    if cpu == 1:
        return zap_range(mem, cpu, 0, VPAGE, 1)
    return task_access(mem, cpu, 0, VPAGE, 1) + task_access(mem, cpu, 0, VPAGE, 0)


@kernel
def check(mem, cpu):
    """Every write is found, and the page is unmapped, so that a reference too many or too few is seen."""
    drain_all(mem)
    task_access(mem, cpu, 0, VPAGE, 0)
    zap_range(mem, cpu, 0, VPAGE, 1)
    return 0


MODEL = Model(
    "unmap-migration",
    "a page is migrated while its task writes it, unmaps it and faults another one in",
    "linux-mm.md 2.3-2.5; I12, I13, I14",
    small_geometry(3, nr_tasks=4),
    prepare,
    steps,
    check,
    meetings=("pgmigrate_success", "met_stale_tlb_met_flush", "met_isolation_raced_free"),
)
