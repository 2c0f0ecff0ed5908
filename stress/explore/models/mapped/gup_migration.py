"""GUP-fast for writing, and a task that writes, against the migration of their page.

CPU 0 migrates a mapped anonymous page. CPU 1 pins it by GUP-fast, writes through the pin as a device does, and takes the pin back. CPU 2 is
the task: it writes through its translation, or finds that it has to wait for the migration, and leaves it at that.
"""

from kernels.base.atomics import load_acquire
from kernels.base.jit import kernel
from kernels.base.layout import INCARNATION_SHIFT
from kernels.map.access import anon_mapping, check_stamp, gup_fast, owner_stamp, raise_oracle, task_access, unpin_folio, write_frame
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import migrate_one, new_page, read_and_unmap

VPAGE = 2


@kernel
def prepare(mem, cpu):
    """One page of task 0 is mapped, and its translation is known to CPU 2."""
    mem.gang_pfn[0] = new_page(mem, cpu, 0, VPAGE)
    task_access(mem, 2, 0, VPAGE, 1)
    return 0


@kernel
def write_through_pin(mem, cpu):
    """Pin, write, and take the pin back.

    Returns     whether it could be pinned
    """
    # ORDER: acquire, before the page is reached; a page that is unmapped meanwhile proves nothing
    before = load_acquire(mem.oracle, VPAGE)
    desc = gup_fast(mem, cpu, 0, VPAGE, 1)
    if desc < 0:
        return 0
    pfn = mem.folio_pfn[desc]
    check_stamp(mem, cpu, pfn, owner_stamp(anon_mapping(0), VPAGE))
    write_frame(mem, cpu, pfn)
    raise_oracle(mem, VPAGE, before >> INCARNATION_SHIFT)
    unpin_folio(mem, cpu, desc)
    return 1


@kernel
def steps(mem, cpu):
    """Migrate; write through a pin; write through a translation.

    Returns     what became of it
    """
    if cpu == 0:
        return migrate_one(mem, cpu, mem.gang_pfn[0])
    if cpu == 1:
        return write_through_pin(mem, cpu)
    return task_access(mem, cpu, 0, VPAGE, 1)


@kernel
def check(mem, cpu):
    """Every write is found, and the page is unmapped, so that a reference too many or too few is seen."""
    read_and_unmap(mem, cpu, 1, VPAGE)
    return 0


MODEL = Model(
    "gup-migration",
    "GUP-fast for writing and a writing task against the migration of their page",
    "linux-mm.md 2.3-2.5; B4, I12, I13",
    small_geometry(3, nr_tasks=4),
    prepare,
    steps,
    check,
    meetings=("pgmigrate_success", "met_count_unexpected", "met_gup_pte_changed", "spec_kept", "met_stale_tlb_met_flush"),
)
