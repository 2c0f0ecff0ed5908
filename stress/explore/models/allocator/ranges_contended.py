"""A contiguous allocation and a memory block that goes offline want a pageblock that another CPU isolates.

CPU 0 allocates a pageblock as a contiguous range, gives it back, takes it offline and puts it online again. CPU 1 isolates and evacuates
the same pageblock, and gives it back. CPU 2 does so, too, and then takes another pageblock offline and puts it online again. A CPU that
loses must leave nothing isolated.
"""

from kernels.alloc.isolation import unisolate_pageblock
from kernels.alloc.pages import drain_all_pages
from kernels.base.bug import bug
from kernels.base.jit import kernel
from kernels.base.layout import BUG_ISOLATED_TYPE
from kernels.policy.contig import alloc_contig_range, free_contig_range, isolate_and_evacuate
from kernels.policy.hotplug import offline_pages, online_pages
from stress.explore.model import Model, small_geometry

BLOCK, OTHER = 2, 4


@kernel
def prepare(mem, cpu):
    """Every frame is free."""
    drain_all_pages(mem, cpu, 0)
    return 0


@kernel
def allocate(mem, cpu):
    """Allocate the pageblock, and give it back.

    Returns     whether it was available
    """
    start, nr_frames = BLOCK << mem.pageblock_order, 1 << mem.pageblock_order
    if alloc_contig_range(mem, cpu, start, start + nr_frames) >= 0:
        return 0
    free_contig_range(mem, cpu, start, nr_frames)
    return 1


@kernel
def replug(mem, cpu, block):
    """Take a pageblock offline, and put it online again.

    Returns     whether it was available
    """
    if offline_pages(mem, cpu, block, block + 1) < 0:
        return 0
    online_pages(mem, cpu, block, block + 1)
    return 1


@kernel
def steps(mem, cpu):
    """Allocate and replug; evacuate; evacuate and replug.

    Returns     which calls succeeded
    """
    if cpu == 0:
        return allocate(mem, cpu) * 2 + replug(mem, cpu, BLOCK)
    evacuated = 0
    if isolate_and_evacuate(mem, cpu, BLOCK) >= 0:
        unisolate_pageblock(mem, cpu, BLOCK)
        evacuated = 1
    if cpu == 2:
        return evacuated * 2 + replug(mem, cpu, OTHER)
    return evacuated


@kernel
def check(mem, cpu):
    """Nothing is isolated; the checkers at rest find a frame that is not free."""
    if mem.zone_nr_isolate[0] != 0:
        bug(mem, cpu, BUG_ISOLATED_TYPE, -1, mem.zone_nr_isolate[0], 0)
    drain_all_pages(mem, cpu, 0)
    return 0


MODEL = Model(
    "ranges-contended",
    "a contiguous allocation and an offlining memory block want a pageblock that another CPU isolates",
    "P12, P20; E4, I15, I17, I18",
    small_geometry(3, pageblock_order=2),
    prepare,
    steps,
    check,
    meetings=("offline_succeeded", "online_succeeded"),
)
