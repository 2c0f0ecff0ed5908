"""A task forks while the page that it shares is migrated, and pinned.

CPU 0 migrates a page of task 0. CPU 1 forks it to task 1, and then writes it as task 0, if the entry allows. CPU 2 pins it by GUP-fast for
writing. Both tasks must find their writes.
"""

from kernels.base.jit import kernel
from kernels.map.access import task_access
from kernels.policy.fault import fork_range
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import migrate_one
from stress.explore.models.mapped._pages import FRAME, VPAGE, check_both, prepare_written, write_through_pin


@kernel
def steps(mem, cpu):
    """Migrate; fork, and write; write through a pin.

    Returns     what the calls returned
    """
    if cpu == 0:
        return migrate_one(mem, cpu, mem.scratch[FRAME])
    if cpu == 1:
        copied = fork_range(mem, cpu, 0, 1, VPAGE, 1)
        task_access(mem, cpu, 0, VPAGE, 1)
        return copied
    return write_through_pin(mem, cpu)


MODEL = Model(
    "fork-migration",
    "a fork against the migration of the page that it shares, and against a pin",
    "P6-P8, P17; I13, I14",
    small_geometry(3, nr_tasks=4),
    prepare_written,
    steps,
    check_both,
    meetings=("pgmigrate_success", "met_cow_on_pinned", "met_count_unexpected", "fork"),
)
