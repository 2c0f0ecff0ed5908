"""What models of balloons share: compaction of a page that has a descriptor, and the end, when a balloon must be empty."""

from kernels.alloc.pages import alloc_frozen_pages
from kernels.base.atomics import load_acquire
from kernels.base.bug import bug
from kernels.base.jit import kernel
from kernels.base.layout import BUG_BALLOON_LOST, MT_MOVABLE
from kernels.types.balloon import (
    balloon_page_dequeue,
    balloon_page_enqueue,
    is_balloon_page,
    isolate_balloon_page,
    migrate_balloon_page,
    putback_balloon_page,
)
from stress.explore.models._folios import stock_list

FIRST, SECOND = range(2)  # scratch: the pages that balloon 0 begins with


@kernel
def prepare(mem, cpu):
    """Balloon 0 has two pages; a free frame is on CPU 1's list."""
    for place in range(2):
        pfn = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
        mem.scratch[FIRST + place] = pfn
        balloon_page_enqueue(mem, cpu, 0, pfn)
    stock_list(mem, 1)
    return 0


@kernel
def move(mem, cpu, pfn, migrate):
    """Isolate a page, as compaction does, and migrate it or put it back.

    Returns     1 if it was isolated
    """
    # ORDER: acquire, pairs with the publication of the word; the fields that decide are read under the balloon's lock
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
    """Give two pages back, and inflate by one.

    Returns     which deflations found a page
    """
    deflated = balloon_page_dequeue(mem, cpu, 0, 0) + 2 * balloon_page_dequeue(mem, cpu, 0, 0)
    balloon_page_enqueue(mem, cpu, 0, alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE))
    return deflated


@kernel
def check_empty(mem, cpu, balloon):
    """A bug if a balloon that has been deflated has pages."""
    if mem.balloon_pages[balloon] != 0:
        bug(mem, cpu, BUG_BALLOON_LOST, -1, mem.balloon_pages[balloon], 0)


@kernel
def empty_balloon(mem, cpu, balloon):
    """Deflate a balloon, pages included that were isolated before; it is empty then."""
    while balloon_page_dequeue(mem, cpu, balloon, 0) > 0:
        pass
    check_empty(mem, cpu, balloon)


@kernel
def check(mem, cpu):
    """Balloon 0 gives everything back."""
    empty_balloon(mem, cpu, 0)
    return 0
