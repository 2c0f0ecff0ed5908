"""What hints, waits and flushes promise beside another CPU.

CPU 0 unmaps a page of task 0 that carries a hint, faults another one in, and puts hints on all mapped pages up to it; then it migrates a
second page, and unmaps a page of task 1. CPU 1 removes the hint of the first page, perhaps too late, waits if it meets the migration of the
second page, and also unmaps task 1's page. A hint on another page than the one that faulted must stay; a wait for a migration must last
until it is over; a CPU that finds nothing to unmap must flush nothing.
"""

from kernels.base.atomics import load_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import PTE_MIGRATION, PTE_PFN_SHIFT, PTE_PROTNONE
from kernels.map.rmap import zap_range
from kernels.map.tlb import current_pte
from kernels.policy.fault import do_anonymous_page, migration_entry_wait
from kernels.policy.numa import clear_hint, task_numa_work
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import migrate_one, new_page, unmap_everything
from stress.explore.models._promises import expect
from stress.explore.models.mapped.numa_compaction import hint

HINTED, MOVED, UNMAPPED = 2, 4, 6
HINTED_PTE, GENERATION = range(2)  # scratch: the entry that carries the hint; the flush generation of task 1


@kernel
def prepare(mem, cpu):
    """A hinted page in the LRU batch, which keeps its frame from being used again; one to be migrated; one of task 1."""
    do_anonymous_page(mem, cpu, 0, HINTED, 0)
    hint(mem, HINTED)
    mem.scratch[HINTED_PTE] = current_pte(mem, 0, HINTED)
    new_page(mem, cpu, 0, MOVED)
    new_page(mem, cpu, 1, UNMAPPED)
    mem.scratch[GENERATION] = load_relaxed(mem.tlb_generation, 1)
    return 0


@kernel
def steps(mem, cpu):
    """Unmap, fault, hint, and migrate; remove a hint, and wait. Both unmap.

    Returns     whether the page moved, or its migration was met
    """
    seen = 0
    if cpu == 0:
        zap_range(mem, cpu, 0, HINTED, 1)
        do_anonymous_page(mem, cpu, 0, HINTED, 0)
        task_numa_work(mem, cpu, 0, HINTED + 1)
        seen = migrate_one(mem, cpu, current_pte(mem, 0, MOVED) >> PTE_PFN_SHIFT)
    else:
        clear_hint(mem, cpu, 0, HINTED, mem.scratch[HINTED_PTE])
        entry = current_pte(mem, 0, MOVED)
        if entry & PTE_MIGRATION:
            migration_entry_wait(mem, cpu, 0, MOVED)
            expect(mem, cpu, 1 if current_pte(mem, 0, MOVED) == entry else 0, 0)
            seen = 2
    zap_range(mem, cpu, 1, UNMAPPED, 1)
    return seen


@kernel
def check(mem, cpu):
    """The page that was faulted in has its hint, and task 1 was flushed once. All pages are unmapped."""
    expect(mem, cpu, current_pte(mem, 0, HINTED) & PTE_PROTNONE, PTE_PROTNONE)
    expect(mem, cpu, load_relaxed(mem.tlb_generation, 1), mem.scratch[GENERATION] + 1)
    return unmap_everything(mem, cpu)


MODEL = Model(
    "promises-raced",
    "hints, waits for a migration and flushes against another CPU: each has its effect, and only once",
    "P7, P8, P13, P14; I12, I14, promise",
    small_geometry(2, nr_tasks=4),
    prepare,
    steps,
    check,
    meetings=("met_hint_fault_raced", "met_fault_on_migration_entry", "pgmigrate_success"),
)
