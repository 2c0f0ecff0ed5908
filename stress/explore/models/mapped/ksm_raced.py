"""Pages of two tasks with the same contents are merged while one is unmapped and replaced, and the other is written and unmapped.

CPU 0 merges the pages of tasks 0 and 1 at a virtual page. CPU 1 unmaps task 0's page, faults another one in, and writes it. CPU 2, which
has a translation with write permission, writes task 1's page, faults on it if it is read-only, writes again, and unmaps it. No write may be
lost.
"""

from kernels.base.jit import kernel
from kernels.map.access import task_access
from kernels.map.rmap import zap_range
from kernels.policy.fault import do_wp_page
from kernels.policy.ksm import ksm_merge
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import fault_in
from stress.explore.models.mapped._pages import VPAGE, check_both
from stress.explore.models.mapped.ksm_merge import prepare as prepare_pages


@kernel
def prepare(mem, cpu):
    """Both tasks have written their page once, task 1 on CPU 2."""
    prepare_pages(mem, cpu)
    task_access(mem, cpu, 0, VPAGE, 1)
    task_access(mem, 2, 1, VPAGE, 1)
    return 0


@kernel
def steps(mem, cpu):
    """Merge; unmap, fault and write; write, fault, write and unmap.

    Returns     what the calls returned
    """
    if cpu == 0:
        return ksm_merge(mem, cpu, 0, 1, VPAGE)
    if cpu == 1:
        zap_range(mem, cpu, 0, VPAGE, 1)
        fault_in(mem, cpu, 0, VPAGE)
        return task_access(mem, cpu, 0, VPAGE, 1)
    missed = task_access(mem, cpu, 1, VPAGE, 1)
    do_wp_page(mem, cpu, 1, VPAGE)
    missed = missed * 2 + task_access(mem, cpu, 1, VPAGE, 1)
    zap_range(mem, cpu, 1, VPAGE, 1)
    return missed


MODEL = Model(
    "ksm-raced",
    "two pages with the same contents are merged while one is replaced and the other is written and unmapped",
    "P14, P17; I3, I12, I13",
    small_geometry(3, nr_tasks=4),
    prepare,
    steps,
    check_both,
    meetings=("ksm_merged", "met_ksm_broken_by_write", "met_stale_tlb_met_flush"),
)
