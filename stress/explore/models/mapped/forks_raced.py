"""Two forks of one page at the same time, while the task writes the page and copies it.

CPU 0 forks a page of task 0 to task 1, and as task 1 copies it and writes. CPU 1 forks it to task 2, faults on it as task 0, and writes.
CPU 2, which has a translation with write permission, writes it as task 0, faults on it and writes again. Each task must find its own
writes.
"""

from kernels.base.jit import kernel
from kernels.map.access import task_access
from kernels.policy.fault import do_wp_page, fork_range
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import read_and_unmap
from stress.explore.models.mapped._pages import VPAGE, prepare_written

WRITER = 2  # of prepare_written()


@kernel
def steps(mem, cpu):
    """Fork, fault and write as the child; fork, fault and write; write, fault and write.

    Returns     which accesses faulted, and whether the child got the page
    """
    copied, space = 0, 0
    if cpu == WRITER:
        copied = task_access(mem, cpu, 0, VPAGE, 1)
    else:
        copied = fork_range(mem, cpu, 0, 1 + cpu, VPAGE, 1)
        space = 1 - cpu
    do_wp_page(mem, cpu, space, VPAGE)
    return copied * 2 + task_access(mem, cpu, space, VPAGE, 1)


@kernel
def check(mem, cpu):
    """Each task finds its writes and unmaps the page, so that a wrong reference count is seen."""
    read_and_unmap(mem, cpu, 3, VPAGE)
    return 0


MODEL = Model(
    "forks-raced",
    "two forks of one page at the same time, while its task writes and copies it",
    "P14, P17; I12, I13",
    small_geometry(3, nr_tasks=4),
    prepare_written,
    steps,
    check,
    meetings=("fork", "cow_fault", "cow_reuse", "met_stale_tlb_met_flush"),
)
