"""Two CPUs fault on one hint while the page is unmapped, another one takes its place, and hints are put on anew.

A page of task 0 lies on node 0, carries a hint, and was last asked for by node 1. CPU 0 unmaps it, faults another one in, and puts a hint
on it. CPUs 1 and 2 fault on the hint, of node 1 and of node 0.
"""

from kernels.base.jit import kernel
from kernels.map.access import task_access
from kernels.map.rmap import zap_range
from kernels.policy.fault import do_anonymous_page
from kernels.policy.numa import do_numa_page, task_numa_work
from stress.explore.model import PARAMS, Model, small_geometry
from stress.explore.models.numa_compaction import VPAGE, check, prepare

ALL_PAGES = PARAMS["anon_pages"]


@kernel
def steps(mem, cpu):
    """Unmap, fault and hint; fault on the hint.

    Returns     whether an access faulted, or how many pages were hinted
    """
    if cpu == 0:
        zap_range(mem, cpu, 0, VPAGE, 1)
        do_anonymous_page(mem, cpu, 0, VPAGE, 0)
        return task_numa_work(mem, cpu, 0, ALL_PAGES)
    do_numa_page(mem, cpu, 0, VPAGE)
    return task_access(mem, cpu, 0, VPAGE, 1)


MODEL = Model(
    "hints-raced",
    "two faults on one hint while the page is unmapped, replaced and hinted anew",
    "linux-mm.md 2.10; I12, I14, I16",
    small_geometry(3, nr_nodes=2, nr_tasks=4),
    prepare,
    steps,
    check,
    meetings=("numa_pages_migrated", "numa_pte_updates", "met_hint_fault_raced"),
)
