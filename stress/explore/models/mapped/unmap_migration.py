"""A page is migrated while its task writes it, unmaps it, and faults another one in at its place.

CPU 0 migrates the page of task 0; then it faults a page in, if none is mapped, and writes it. CPU 1 unmaps the page. CPU 2 writes it, and
reads it. No write may be lost, and an unmapped page may not come back.
"""

from kernels.base.atomics import load_relaxed
from kernels.base.bug import bug
from kernels.base.jit import kernel
from kernels.base.layout import BUG_STRANGER, INCARNATION_SHIFT, PTE_PFN_SHIFT, PTE_PRESENT, STAMP_VERSION
from kernels.map.access import task_access
from kernels.map.rmap import zap_range
from kernels.map.tlb import current_pte
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import drain_all, fault_in, migrate_one, new_page

VPAGE = 2
WRITES_AFTERWARDS = 2  # one of CPU 0, and one of CPU 2
FRAME, INCARNATION = range(2)  # scratch: the frame of the page, and which incarnation of the virtual page it is


@kernel
def prepare(mem, cpu):
    """Task 0 wrote its page more often than a replacement can be. It is in frame 0, to which an empty entry seems to lead."""
    new_page(mem, cpu, 0, VPAGE + 1)
    mem.scratch[FRAME] = new_page(mem, cpu, 0, VPAGE)
    for _ in range(WRITES_AFTERWARDS + 1):
        task_access(mem, cpu, 0, VPAGE, 1)
    mem.scratch[INCARNATION] = load_relaxed(mem.oracle, VPAGE) >> INCARNATION_SHIFT
    return 0


@kernel
def steps(mem, cpu):
    """Migrate, fault and write; unmap; write and read.

    Returns     what the calls returned
    """
    if cpu == 0:
        moved = migrate_one(mem, cpu, mem.scratch[FRAME])
        fault_in(mem, cpu, 0, VPAGE)
        task_access(mem, cpu, 0, VPAGE, 1)
        return moved
    if cpu == 1:
        return zap_range(mem, cpu, 0, VPAGE, 1)
    return task_access(mem, cpu, 0, VPAGE, 1) + task_access(mem, cpu, 0, VPAGE, 0)


@kernel
def check(mem, cpu):
    """Every write is found, but for those to a page that was unmapped, which is not mapped again. The page is unmapped."""
    drain_all(mem)
    task_access(mem, cpu, 0, VPAGE, 0)
    pte = current_pte(mem, 0, VPAGE)
    if pte & PTE_PRESENT != 0 and load_relaxed(mem.oracle, VPAGE) >> INCARNATION_SHIFT != mem.scratch[INCARNATION]:
        found = load_relaxed(mem.contents, (pte >> PTE_PFN_SHIFT) * mem.words_per_frame + STAMP_VERSION)
        if found > WRITES_AFTERWARDS:
            bug(mem, cpu, BUG_STRANGER, pte >> PTE_PFN_SHIFT, found, WRITES_AFTERWARDS)
    zap_range(mem, cpu, 0, VPAGE, 1)
    return 0


MODEL = Model(
    "unmap-migration",
    "a page is migrated while its task writes it, unmaps it and faults another one in",
    "P7, P8, P14; I12, I13, I14",
    small_geometry(3, nr_tasks=4),
    prepare,
    steps,
    check,
    meetings=("pgmigrate_success", "met_stale_tlb_met_flush", "met_isolation_raced_free"),
)
