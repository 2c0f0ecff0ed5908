"""GUP-fast against the unmapping of its page and the immediate reuse of the frame.

CPU 0 unmaps a page and maps a new one there, mostly in the same frame. CPU 1 pins it by GUP-fast and writes through the pin, CPU 2 takes a
reference for reading; either may put last. A pin or reference must be on the page that was mapped.
"""

from kernels.alloc.release import folio_put
from kernels.base.jit import kernel
from kernels.map.access import anon_mapping, check_stamp, gup_fast, owner_stamp
from kernels.map.rmap import zap_range
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import new_page
from stress.explore.models.mapped._pages import VPAGE, check_one, prepare_written, write_through_pin


@kernel
def steps(mem, cpu):
    """Unmap and map a new page; write through a pin; read through a reference.

    Returns     what the call returned
    """
    if cpu == 0:
        zapped = zap_range(mem, cpu, 0, VPAGE, 1)
        new_page(mem, cpu, 0, VPAGE)
        return zapped
    if cpu == 1:
        return write_through_pin(mem, cpu)
    desc = gup_fast(mem, cpu, 0, VPAGE, 0)
    if desc < 0:
        return 0
    check_stamp(mem, cpu, mem.folio_pfn[desc], owner_stamp(anon_mapping(0), VPAGE))
    folio_put(mem, cpu, desc)
    return 1


MODEL = Model(
    "gup-unmap",
    "GUP-fast against the unmapping of its page and the next use of its frame",
    "P6, P14; B2, I5, I10",
    small_geometry(3, nr_tasks=4),
    prepare_written,
    steps,
    check_one,
    meetings=("met_gup_pte_changed", "spec_kept", "met_shootdown_waited"),
)
