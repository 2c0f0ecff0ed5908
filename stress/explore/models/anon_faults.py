"""Faults on a page that is not there, while hints are put on the task's pages and the range is unmapped.

CPU 0 faults with a folio of two pages and writes. CPU 1 faults with a single page within them, and writes. CPU 2 puts hints on what is
mapped, and takes the second page away.
"""

from kernels.base.jit import kernel
from kernels.map.access import task_access
from kernels.map.rmap import zap_range
from kernels.map.tlb import current_pte
from kernels.policy.fault import do_anonymous_page
from kernels.policy.numa import clear_hint, task_numa_work
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import drain_all

VPAGE, NR_HINTED = 0, 2


@kernel
def prepare(mem, cpu):
    """Nothing is mapped."""
    return 0


@kernel
def steps(mem, cpu):
    """Fault and write, with two pages or one; hint and unmap.

    Returns     which accesses faulted, or how many pages were hinted
    """
    if cpu == 2:
        marked = task_numa_work(mem, cpu, 0, NR_HINTED)
        zap_range(mem, cpu, 0, VPAGE + 1, 1)
        return marked
    do_anonymous_page(mem, cpu, 0, VPAGE + cpu, 1 - cpu)
    return task_access(mem, cpu, 0, VPAGE + cpu, 1)


@kernel
def check(mem, cpu):
    """Every write is found, and all is unmapped, so that a reference too many or too few is seen."""
    drain_all(mem)
    for vpage in range(VPAGE, VPAGE + 2):
        clear_hint(mem, cpu, 0, vpage, current_pte(mem, 0, vpage))
        task_access(mem, cpu, 0, vpage, 0)
    zap_range(mem, cpu, 0, VPAGE, 2)
    return 0


MODEL = Model(
    "anon-faults",
    "two faults on overlapping ranges that are not mapped, against hints and unmapping",
    "linux-mm.md 2.3, 2.10; I12, I13, I14",
    small_geometry(3, nr_tasks=4),
    prepare,
    steps,
    check,
    meetings=("thp_fault_alloc", "numa_pte_updates"),
)
