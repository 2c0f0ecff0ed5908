"""Write faults on a page that a fork has shared: copied or reused, while others write, read and unmap it.

Task 0 and its child, task 1, map one page read-only. CPU 0 faults on it as task 0 and writes. CPU 1 reads it as task 0, so that it has the
translation, faults on it, reads and writes. CPU 2 faults on it as task 1, writes, and unmaps it, so that task 0 may become its only owner.
CPU 3 writes it as task 0, if the entry allows, and unmaps it there. Each task must read its own writes only.
"""

from kernels.base.jit import kernel
from kernels.map.access import task_access
from kernels.map.rmap import zap_range
from kernels.policy.fault import do_wp_page
from stress.explore.model import Model, small_geometry
from stress.explore.models.mapped._pages import VPAGE, check_both, prepare_shared


@kernel
def steps(mem, cpu):
    """Fault and write; read, fault, read and write; as the child fault, write and unmap; write and unmap.

    Returns     which accesses faulted
    """
    if cpu == 3:
        missed = task_access(mem, cpu, 0, VPAGE, 1)
        zap_range(mem, cpu, 0, VPAGE, 1)
        return missed
    if cpu == 2:
        do_wp_page(mem, cpu, 1, VPAGE)
        missed = task_access(mem, cpu, 1, VPAGE, 1)
        zap_range(mem, cpu, 1, VPAGE, 1)
        return missed
    missed = 0
    if cpu == 1:
        missed += task_access(mem, cpu, 0, VPAGE, 0)
    do_wp_page(mem, cpu, 0, VPAGE)
    if cpu == 1:
        missed += task_access(mem, cpu, 0, VPAGE, 0)
    return missed + task_access(mem, cpu, 0, VPAGE, 1)


MODEL = Model(
    "cow-faults",
    "write faults on a shared page by two CPUs of one task and one of its child, while it is unmapped in both",
    "P14, P17; I12, I13",
    small_geometry(4, nr_tasks=4),
    prepare_shared,
    steps,
    check_both,
    meetings=("cow_fault", "cow_reuse", "met_stale_tlb_met_flush"),
)
