"""Pages of two tasks with the same contents are merged while one is pinned and written.

CPU 0 merges the pages of tasks 0 and 1 at a virtual page. CPU 1 pins task 0's page by GUP-fast and writes through the pin. CPU 2 reads task
1's page. At the end as many tasks must map the merged page as the merge reported.
"""

from kernels.base.atomics import load_relaxed
from kernels.base.bug import bug
from kernels.base.jit import kernel
from kernels.base.layout import BUG_STRANGER, PTE_PFN_SHIFT, T_KSM
from kernels.map.access import task_access
from kernels.map.tlb import current_pte
from kernels.page.memdesc import word_type
from kernels.policy.ksm import ksm_merge
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import new_page
from stress.explore.models.mapped._pages import VPAGE, check_both, write_through_pin

MERGED = 0  # scratch: how many pages ksm_merge() reported


@kernel
def prepare(mem, cpu):
    """Both tasks have a page that was never written."""
    for space in range(2):
        new_page(mem, cpu, space, VPAGE)
    return 0


@kernel
def steps(mem, cpu):
    """Merge; write through a pin; read.

    Returns     what the call returned
    """
    if cpu == 0:
        merged = ksm_merge(mem, cpu, 0, 1, VPAGE)
        mem.scratch[MERGED] = merged
        return merged
    if cpu == 1:
        return write_through_pin(mem, cpu)
    return task_access(mem, cpu, 1, VPAGE, 0)


@kernel
def check(mem, cpu):
    """As many tasks map the merged page as the merge reported; every write is found, and both pages are unmapped."""
    merged = 0
    for space in range(2):
        word = load_relaxed(mem.memdesc, current_pte(mem, space, VPAGE) >> PTE_PFN_SHIFT)
        merged += 1 if word_type(word) == T_KSM else 0
    if merged != mem.scratch[MERGED]:
        bug(mem, cpu, BUG_STRANGER, -1, merged, mem.scratch[MERGED])
    return check_both(mem, cpu)


MODEL = Model(
    "ksm-merge",
    "two pages with the same contents are merged while one is pinned and written",
    "P6, P17; I13",
    small_geometry(3, nr_tasks=4),
    prepare,
    steps,
    check,
    meetings=("ksm_merged", "met_ksm_refused_by_reference", "spec_kept"),
)
