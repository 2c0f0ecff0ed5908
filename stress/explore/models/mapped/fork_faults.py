"""A task forks a page, which may be pinned, while its child faults a page in at the same place.

CPU 0 forks a page of task 0 to task 1, faults on it as task 0, and writes. If the child already had a page, the page is still task 0's
alone and is not copied, since it may be pinned. CPU 1 faults a page in for task 1, if it has none, and writes it. CPU 2 pins task 0's page
by GUP-fast for writing, and writes through the pin. Task 0 must find what was written through the pin.
"""

from kernels.base.jit import kernel
from kernels.map.access import task_access
from kernels.policy.fault import do_wp_page, fork_range
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import fault_in
from stress.explore.models.mapped._pages import VPAGE, check_both, prepare_written, write_through_pin


@kernel
def steps(mem, cpu):
    """Fork, fault and write; fault as the child, and write; write through a pin.

    Returns     what the calls returned
    """
    if cpu == 0:
        copied = fork_range(mem, cpu, 0, 1, VPAGE, 1)
        do_wp_page(mem, cpu, 0, VPAGE)
        return copied * 2 - task_access(mem, cpu, 0, VPAGE, 1)
    if cpu == 1:
        fault_in(mem, cpu, 1, VPAGE)
        return task_access(mem, cpu, 1, VPAGE, 1)
    return write_through_pin(mem, cpu)


MODEL = Model(
    "fork-faults",
    "a fork of a page that may be pinned against a fault of the child at the same place",
    "P6, P17; I13",
    small_geometry(3, nr_tasks=4),
    prepare_written,
    steps,
    check_both,
    meetings=("met_cow_on_pinned", "fork", "cow_reuse", "cow_fault"),
)
