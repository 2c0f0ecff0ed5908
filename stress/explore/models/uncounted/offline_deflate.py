"""A balloon deflates, and takes the same frame in again, while its frames are isolated, migrated or put back.

CPU 0 owns a balloon with two blocks, gives both back, and inflates once more, mostly with a frame that it has just got back. CPU 1 isolates
the first block and migrates it to a frame of its own. CPU 2 isolates the second block and puts it back. Every frame must be free at the
end. There are no per-CPU lists: a freed frame is linked into a free list of the zone immediately.
"""

from kernels.alloc.pages import alloc_frozen_pages, free_frozen_pages
from kernels.base.atomics import load_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import MT_MOVABLE
from kernels.page.memdesc import is_offline_head
from kernels.types.offline import balloon_deflate, balloon_inflate, isolate_offline, migrate_offline, putback_offline
from stress.explore.model import Model, small_geometry
from stress.explore.models.uncounted._balloons import FIRST, SECOND, check_empty


@kernel
def prepare(mem, cpu):
    """The balloon of CPU 0 has two blocks."""
    for place in range(2):
        pfn = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
        mem.scratch[FIRST + place] = pfn
        balloon_inflate(mem, cpu, 0, pfn, 0)
    return 0


@kernel
def scan(mem, cpu, pfn):
    """Isolate a block if it is inflated now.

    Returns     whether this CPU has isolated it
    """
    # a hint: the compare-and-swap decides
    word = load_relaxed(mem.memdesc, pfn)
    return is_offline_head(word) and isolate_offline(mem, cpu, pfn, word)


@kernel
def steps(mem, cpu):
    """The owner deflates and inflates; a scanner migrates; a scanner puts back.

    Returns     what the call did
    """
    if cpu == 0:
        deflated = balloon_deflate(mem, cpu, 0, 0) + 2 * balloon_deflate(mem, cpu, 0, 0)
        balloon_inflate(mem, cpu, 0, alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE), 0)
        return deflated
    if cpu == 1:
        if not scan(mem, cpu, mem.scratch[FIRST]):
            return 0
        target = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
        moved = migrate_offline(mem, cpu, mem.scratch[FIRST], target)
        if not moved:
            free_frozen_pages(mem, cpu, target, 0)
        return 1 + moved
    if not scan(mem, cpu, mem.scratch[SECOND]):
        return 0
    return 2 if putback_offline(mem, cpu, mem.scratch[SECOND]) else 1


@kernel
def check(mem, cpu):
    """The owner deflates again what it could not get before, and the balloon is empty."""
    while balloon_deflate(mem, cpu, 0, 0) > 0:
        pass
    check_empty(mem, cpu, 0)
    return 0


MODEL = Model(
    "offline-deflate",
    "a balloon deflates and inflates again while scanners isolate, migrate and put back its frames",
    "P1; F-1, F-2, I16",
    small_geometry(3),
    prepare,
    steps,
    check,
    params={"pcp_high": 0},
    meetings=("met_deflate_on_isolated", "met_release_found_by_isolator", "balloon_migrate"),
)
