"""A page of a file that a task has mapped is migrated while it is read through the mapping and truncated.

CPU 0 migrates it. CPU 1 truncates it, which unmaps it, and writes it, which reads it in again. CPU 2 reads it through the mapping, twice. A
truncated page may not stay mapped.
"""

from kernels.base.jit import kernel
from kernels.base.layout import PTE_PFN_SHIFT
from kernels.map.access import file_access
from kernels.map.tlb import current_pte
from kernels.policy.filemap import file_write
from stress.explore.model import Model, small_geometry
from stress.explore.models._files import INDEX, VPAGE, check_mapped, map_page_of_file, truncate_and_write
from stress.explore.models._folios import migrate_one

FRAME = 0  # scratch: the frame of the page


@kernel
def prepare(mem, cpu):
    """The page is cached, written once, mapped, and on the LRU."""
    file_write(mem, cpu, 0, 0, INDEX, 0)
    map_page_of_file(mem, cpu, VPAGE)
    mem.scratch[FRAME] = current_pte(mem, 0, VPAGE) >> PTE_PFN_SHIFT
    return 0


@kernel
def steps(mem, cpu):
    """Migrate; truncate and write; read twice.

    Returns     what the calls returned
    """
    if cpu == 0:
        return migrate_one(mem, cpu, mem.scratch[FRAME])
    if cpu == 1:
        return truncate_and_write(mem, cpu, INDEX)
    return file_access(mem, cpu, 0, VPAGE) * 2 + file_access(mem, cpu, 0, VPAGE)


MODEL = Model(
    "mapped-file-migration",
    "a mapped page of a file is migrated while it is read through the mapping and truncated",
    "P5, P7, P8, P14, P18; I10, I12, I13, I14",
    small_geometry(3),
    prepare,
    steps,
    check_mapped,
    meetings=("pgmigrate_success", "pgmajfault", "met_stale_tlb_met_flush"),
)
