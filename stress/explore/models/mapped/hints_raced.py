"""Faults on a NUMA hint while the page is unmapped, replaced by one page or by two, and hinted again.

A page of task 0 is on node 0 and in CPU 0's LRU batch, carries a hint, and was last accessed by node 1. CPU 0 unmaps it, faults another one
in, and puts hints on all mapped pages. CPU 1, of node 1, faults on the hint, writes, and unmaps the page. CPU 2 drains the batch, faults
two pages in, if none is mapped, and faults on the hint. No write may be lost, and no folio may be isolated twice.
"""

from kernels.alloc.release import lru_add_drain_cpu
from kernels.base.jit import kernel
from kernels.map.access import task_access
from kernels.map.rmap import zap_range
from kernels.map.tlb import current_pte
from kernels.policy.fault import do_anonymous_page
from kernels.policy.numa import clear_hint, do_numa_page, task_numa_work
from stress.explore.model import PARAMS, Model, small_geometry
from stress.explore.models._folios import drain_all, read_if_mapped
from stress.explore.models.mapped.numa_compaction import VPAGE, hint

ALL_PAGES = PARAMS["anon_pages"]


@kernel
def prepare(mem, cpu):
    """A page of node 0 is in CPU 0's LRU batch, hinted, and was last accessed by node 1."""
    do_anonymous_page(mem, cpu, 0, VPAGE, 0)
    hint(mem, VPAGE)
    return 0


@kernel
def steps(mem, cpu):
    """Unmap, fault and hint; fault on the hint, write and unmap; drain, fault two pages in, and fault on the hint.

    Returns     whether an access faulted, or how many pages were hinted
    """
    if cpu == 0:
        zap_range(mem, cpu, 0, VPAGE, 1)
        do_anonymous_page(mem, cpu, 0, VPAGE, 0)
        return task_numa_work(mem, cpu, 0, ALL_PAGES)
    if cpu == 2:
        lru_add_drain_cpu(mem, cpu, 0)
        do_anonymous_page(mem, cpu, 0, VPAGE, 1)
    do_numa_page(mem, cpu, 0, VPAGE)
    missed = task_access(mem, cpu, 0, VPAGE, 1)
    if cpu == 1:
        zap_range(mem, cpu, 0, VPAGE, 1)
    return missed


@kernel
def check(mem, cpu):
    """Every write is found, and the pages are unmapped, so that a wrong reference count is seen."""
    drain_all(mem)
    for vpage in range(VPAGE, VPAGE + 2):
        clear_hint(mem, cpu, 0, vpage, current_pte(mem, 0, vpage))
        read_if_mapped(mem, cpu, 0, vpage)
    zap_range(mem, cpu, 0, VPAGE, 2)
    return 0


MODEL = Model(
    "hints-raced",
    "faults on a hint while the page is unmapped, replaced by a folio of two and hinted again",
    "P13, P14; I12, I14, I16",
    small_geometry(3, nr_nodes=2, nr_tasks=4),
    prepare,
    steps,
    check,
    meetings=("numa_pages_migrated", "numa_pte_updates", "met_hint_fault_raced", "thp_fault_alloc"),
)
