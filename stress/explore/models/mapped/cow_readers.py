"""A write fault copies a shared page while other threads of the task read it through their translations, and write the copy.

Tasks 0 and 1 share a page. CPU 0 faults on it as task 0, and writes. CPU 1, which has the old translation, reads it as task 0, twice. CPU 2
writes it as task 0, if the entry allows. No read of task 0 may be older than the reads before it.
"""

from kernels.base.jit import kernel
from kernels.map.access import task_access
from kernels.policy.fault import do_wp_page
from stress.explore.model import Model, small_geometry
from stress.explore.models.mapped._pages import VPAGE, check_both, prepare_shared

READER = 1


@kernel
def prepare(mem, cpu):
    """CPU 1 has task 0's translation of the shared page."""
    prepare_shared(mem, cpu)
    task_access(mem, READER, 0, VPAGE, 0)
    return 0


@kernel
def steps(mem, cpu):
    """Fault and write; read twice; write.

    Returns     which accesses faulted
    """
    if cpu == READER:
        return task_access(mem, cpu, 0, VPAGE, 0) * 2 + task_access(mem, cpu, 0, VPAGE, 0)
    if cpu == 0:
        do_wp_page(mem, cpu, 0, VPAGE)
    return task_access(mem, cpu, 0, VPAGE, 1)


@kernel
def check(mem, cpu):
    """CPU 1 finds what was written; both tasks unmap the page, so that a wrong reference count is seen."""
    task_access(mem, READER, 0, VPAGE, 0)
    return check_both(mem, cpu)


MODEL = Model(
    "cow-readers",
    "a write fault copies a shared page while other threads read it and write the copy",
    "P14, P17; I12, I13",
    small_geometry(3, nr_tasks=4),
    prepare,
    steps,
    check,
    meetings=("cow_fault", "met_stale_tlb_met_flush", "met_shootdown_waited"),
)
