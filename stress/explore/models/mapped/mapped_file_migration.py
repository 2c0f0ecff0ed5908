"""A page of a file that a task has mapped is migrated while it is read through the mapping and truncated.

CPU 0 migrates it. CPU 1 truncates it, which unmaps it, and writes it, which reads it in anew. CPU 2 reads it through the mapping, twice.
"""

from kernels.base.jit import kernel
from kernels.base.layout import PTE_PFN_SHIFT
from kernels.map.access import file_access
from kernels.map.tlb import current_pte
from kernels.policy.fault import do_read_fault
from kernels.policy.filemap import file_truncate, file_write
from stress.explore.model import PARAMS, Model, small_geometry
from stress.explore.models._folios import drain_all, migrate_one

INDEX = 2
VPAGE = PARAMS["anon_pages"] + INDEX


@kernel
def prepare(mem, cpu):
    """The page is cached, written once, mapped, and on the LRU."""
    file_write(mem, cpu, 0, 0, INDEX, 0)
    do_read_fault(mem, cpu, 0, VPAGE, 0)
    mem.gang_pfn[0] = current_pte(mem, 0, VPAGE) >> PTE_PFN_SHIFT
    drain_all(mem)
    return 0


@kernel
def steps(mem, cpu):
    """Migrate; truncate and write; read.

    Returns     what became of it
    """
    if cpu == 0:
        return migrate_one(mem, cpu, mem.gang_pfn[0])
    if cpu == 1:
        dropped = file_truncate(mem, cpu, 0, INDEX)
        file_write(mem, cpu, 0, 0, INDEX, 0)
        return dropped
    return file_access(mem, cpu, 0, VPAGE) * 2 + file_access(mem, cpu, 0, VPAGE)


@kernel
def check(mem, cpu):
    """Nothing that was truncated is mapped still; all is dropped, so that a reference too many or too few is seen."""
    drain_all(mem)
    file_access(mem, cpu, 0, VPAGE)
    file_truncate(mem, cpu, 0, INDEX)
    return 0


MODEL = Model(
    "mapped-file-migration",
    "a mapped page of a file is migrated while it is read through the mapping and truncated",
    "linux-mm.md 2.2-2.5; C11, I10, I12, I13, I14",
    small_geometry(3),
    prepare,
    steps,
    check,
    meetings=("pgmigrate_success", "pgmajfault", "met_stale_tlb_met_flush"),
)
