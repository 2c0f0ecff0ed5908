"""Today's balloon pages, which have a descriptor and a count: deflation against isolation, migration and a speculator.

CPU 0 owns a balloon with two pages, gives both back and inflates again. CPU 1 isolates the first page and migrates it. CPU 2 takes a
reference on the first page through its word, and may be the one that puts last. balloon-zero is the same with counts that are frozen for
life.
"""

from kernels.alloc.pages import alloc_frozen_pages, free_frozen_pages
from kernels.alloc.release import folio_put, try_get_pfn
from kernels.base.atomics import load_acquire
from kernels.base.bug import bug
from kernels.base.jit import kernel
from kernels.base.layout import BUG_BALLOON_LOST, MT_MOVABLE, OFFLINE_COUNTED
from kernels.types.balloon import (
    balloon_page_dequeue,
    balloon_page_enqueue,
    is_balloon_page,
    isolate_balloon_page,
    migrate_balloon_page,
    putback_balloon_page,
)
from stress.explore.model import Model, small_geometry


@kernel
def prepare(mem, cpu):
    """Two pages in the balloon of CPU 0, and a free frame on CPU 1's list."""
    for place in range(2):
        pfn = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
        mem.gang_pfn[place] = pfn
        balloon_page_enqueue(mem, cpu, 0, pfn)
    free_frozen_pages(mem, 1, alloc_frozen_pages(mem, 1, 0, 0, MT_MOVABLE), 0)
    return 0


@kernel
def move(mem, cpu, pfn, migrate):
    """Compaction: isolate a page, and migrate it or put it back.

    Returns     1 if it was isolated
    """
    # ORDER: acquire, pairs with the publication of the word; what decides stands under the balloon's lock
    word = load_acquire(mem.memdesc, pfn)
    if not is_balloon_page(mem, word) or not isolate_balloon_page(mem, cpu, pfn, word):
        return 0
    if migrate:
        migrate_balloon_page(mem, cpu, pfn, alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE), word)
    else:
        putback_balloon_page(mem, cpu, word)
    return 1


@kernel
def deflate_and_inflate(mem, cpu):
    """The owner: both pages back, and one in.

    Returns     what it could give back
    """
    deflated = balloon_page_dequeue(mem, cpu, 0, 0) + 2 * balloon_page_dequeue(mem, cpu, 0, 0)
    balloon_page_enqueue(mem, cpu, 0, alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE))
    return deflated


@kernel
def steps(mem, cpu):
    """Owner; scanner; speculator.

    Returns     what became of it
    """
    if cpu == 0:
        return deflate_and_inflate(mem, cpu)
    if cpu == 1:
        return move(mem, cpu, mem.gang_pfn[0], True)
    desc = try_get_pfn(mem, cpu, mem.gang_pfn[0])
    if desc < 0:
        return 0
    folio_put(mem, cpu, desc)
    return 1


@kernel
def check(mem, cpu):
    """The owner asks again for what it could not have, and the balloon is empty then."""
    while balloon_page_dequeue(mem, cpu, 0, 0) > 0:
        pass
    if mem.balloon_pages[0] != 0:
        bug(mem, cpu, BUG_BALLOON_LOST, -1, mem.balloon_pages[0], 0)
    return 0


MODEL = Model(
    "balloon-counted",
    "balloon pages with a count: deflation and inflation against isolation, migration and a speculator",
    "linux-mm.md 2.7; D8, I2, I16; policy offline = counted",
    small_geometry(3),
    prepare,
    steps,
    check,
    params={"policy_offline": OFFLINE_COUNTED},
    meetings=("met_deflate_on_isolated", "balloon_migrate", "spec_kept", "spec_failed_on_zero"),
)
