"""Descriptors of balloon pages are used again, for another page or in another balloon, while scanners still know the old page.

CPU 0 owns two balloons, of which the first has two pages. It gives the first page back and takes in another page, which gets its
descriptor. It gives the second page back, takes the same frame with the same descriptor into its other balloon, and gives it back again.
CPU 1 isolates the first page and migrates it, CPU 2 the second. Both balloons must be empty at the end.
"""

from kernels.alloc.pages import alloc_frozen_pages
from kernels.base.jit import kernel
from kernels.base.layout import MT_MOVABLE, OFFLINE_ZERO
from kernels.types.balloon import balloon_page_dequeue, balloon_page_enqueue
from stress.explore.model import Model, small_geometry
from stress.explore.models.uncounted._balloons import FIRST, SECOND, empty_balloon, move

FRAME = SECOND + 1  # scratch: the frame that replaces the first page


@kernel
def prepare(mem, cpu):
    """Balloon 0 has two pages, and there is a frame for it."""
    for place in range(3):
        pfn = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
        mem.scratch[FIRST + place] = pfn
        if place < 2:
            balloon_page_enqueue(mem, cpu, 0, pfn)
    return 0


@kernel
def steps(mem, cpu):
    """The owner deflates and inflates; two scanners migrate.

    Returns     what was given back, or isolated
    """
    if cpu > 0:
        return move(mem, cpu, mem.scratch[FIRST + cpu - 1], True)
    deflated = balloon_page_dequeue(mem, cpu, 0, 0)
    balloon_page_enqueue(mem, cpu, 0, mem.scratch[FRAME])
    deflated += 2 * balloon_page_dequeue(mem, cpu, 0, 0)
    balloon_page_enqueue(mem, cpu, 1, alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE))
    return deflated + 4 * balloon_page_dequeue(mem, cpu, 1, 0)


@kernel
def check(mem, cpu):
    """The owner deflates again what it could not get before, and both balloons are empty."""
    for balloon in range(2):
        empty_balloon(mem, cpu, balloon)
    return 0


MODEL = Model(
    "balloon-reused",
    "descriptors of balloon pages are used again, for another page or balloon, while scanners isolate the old pages",
    "P10; D8, I9, I16",
    small_geometry(3),
    prepare,
    steps,
    check,
    params={"policy_offline": OFFLINE_ZERO},
    meetings=("met_deflate_on_isolated", "balloon_migrate"),
)
