"""NUMA balancing and compaction want the same folio.

A page of task 0 is on node 0 and carries a hint. CPU 1, of node 1, faults on it for the second time in a row, so that the page should move
to node 1, and then writes it. CPU 0 migrates it within its node as compaction does. At most one of them may isolate the folio, and no write
may be lost.
"""

from kernels.base.atomics import fetch_or_acq_rel, load_relaxed, store_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import PTE_PFN_SHIFT, PTE_PROTNONE
from kernels.map.access import task_access
from kernels.map.rmap import zap_range
from kernels.map.tlb import current_pte
from kernels.page.memdesc import word_desc
from kernels.policy.numa import do_numa_page
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import drain_all, migrate_one, new_page

VPAGE = 2
FRAME = 0  # scratch: the frame of the page


@kernel
def hint(mem, vpage):
    """Put a hint on a page of task 0 that node 1 accessed last."""
    pfn = current_pte(mem, 0, vpage) >> PTE_PFN_SHIFT
    store_relaxed(mem.cpupid, word_desc(load_relaxed(mem.memdesc, pfn)), 1)
    fetch_or_acq_rel(mem.pte, vpage, PTE_PROTNONE)  # ORDER: acq_rel, as task_numa_work()


@kernel
def prepare(mem, cpu):
    """A page of node 0 is on the LRU, hinted, and was last accessed by node 1."""
    mem.scratch[FRAME] = new_page(mem, cpu, 0, VPAGE)
    hint(mem, VPAGE)
    return 0


@kernel
def steps(mem, cpu):
    """Compact; fault on the hint, and write.

    Returns     whether the page moved, or the access faulted
    """
    if cpu == 0:
        return migrate_one(mem, cpu, mem.scratch[FRAME])
    do_numa_page(mem, cpu, 0, VPAGE)
    return task_access(mem, cpu, 0, VPAGE, 1)


@kernel
def check(mem, cpu):
    """Every write is found, and the page is unmapped, so that a wrong reference count is seen."""
    drain_all(mem)
    do_numa_page(mem, cpu, 0, VPAGE)
    task_access(mem, cpu, 0, VPAGE, 0)
    drain_all(mem)
    zap_range(mem, cpu, 0, VPAGE, 1)
    return 0


MODEL = Model(
    "numa-compaction",
    "NUMA balancing and compaction want the same folio",
    "P7, P8, P11, P13; I14, I16",
    small_geometry(2, nr_nodes=2, nr_tasks=4),
    prepare,
    steps,
    check,
    meetings=("pgmigrate_success", "numa_pages_migrated", "met_hint_fault_raced"),
)
