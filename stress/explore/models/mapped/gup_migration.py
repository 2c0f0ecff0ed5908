"""GUP-fast for writing, and a task that writes, against the migration of their page.

CPU 0 migrates a mapped anonymous page. CPU 1 pins it by GUP-fast, writes through the pin as a device does, and unpins it. CPU 2 is the
task: it writes through its translation, or meets the migration and gives up. No write may be lost.
"""

from kernels.base.jit import kernel
from kernels.map.access import task_access
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import migrate_one
from stress.explore.models.mapped._pages import FRAME, VPAGE, check_one, prepare_written, write_through_pin


@kernel
def steps(mem, cpu):
    """Migrate; write through a pin; write through a translation.

    Returns     what the call returned
    """
    if cpu == 0:
        return migrate_one(mem, cpu, mem.scratch[FRAME])
    if cpu == 1:
        return write_through_pin(mem, cpu)
    return task_access(mem, cpu, 0, VPAGE, 1)


MODEL = Model(
    "gup-migration",
    "GUP-fast for writing and a writing task against the migration of their page",
    "P6-P8, P14; B4, I12, I13",
    small_geometry(3, nr_tasks=4),
    prepare_written,
    steps,
    check_one,
    meetings=("pgmigrate_success", "met_count_unexpected", "met_gup_pte_changed", "spec_kept", "met_stale_tlb_met_flush"),
)
