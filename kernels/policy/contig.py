"""One pageblock, evacuated: isolate, drain, migrate what is in it, and say what is left.

Models      alloc_contig_range(), mm/page_alloc.c (from memory), for a range of one pageblock
Differs     the caller decides what to do with the empty block and gives it back with unisolate_pageblock()
Invariants  I15, I18
"""

from kernels.alloc.buddy import nid_of
from kernels.alloc.hugetlb import huge_dissolve
from kernels.alloc.isolation import isolate_pageblock, nr_allocated_in_block
from kernels.alloc.pages import free_frozen_pages
from kernels.alloc.release import lru_add_drain
from kernels.base.jit import kernel
from kernels.base.layout import MIGRATE_SYNC, MR_CONTIG_RANGE
from kernels.migrate.targets import FROM_ALLOCATOR
from kernels.migrate.window import migrate_window

MAX_TRIES = 5


@kernel
def dissolve_free_huge_page(mem, cpu, block):
    """Free the hugetlb folio of a pageblock, if it is in the pool.

    Models      dissolve_free_hugetlb_folios(), mm/hugetlb.c, for a range of one pageblock
    Progress    as free_frozen_pages
    """
    pfn = block << mem.pageblock_order
    if huge_dissolve(mem, cpu, nid_of(mem, pfn), pfn):
        free_frozen_pages(mem, cpu, pfn, mem.pageblock_order)


@kernel
def evacuate_block(mem, cpu, block):
    """Migrate everything movable out of an isolated pageblock.

    Models      __alloc_contig_migrate_range(), mm/page_alloc.c
    Returns     frames of it that are still allocated (a hint: others free into it meanwhile)
    Progress    at most MAX_TRIES rounds
    """
    base_pfn = block << mem.pageblock_order
    lru_add_drain(mem, cpu)
    for _ in range(MAX_TRIES):
        if migrate_window(mem, cpu, base_pfn, 1 << mem.pageblock_order, MIGRATE_SYNC, MR_CONTIG_RANGE, FROM_ALLOCATOR) <= 0:
            break
    dissolve_free_huge_page(mem, cpu, block)
    return nr_allocated_in_block(mem, block)


@kernel
def isolate_and_evacuate(mem, cpu, block):
    """Isolate a pageblock and empty it as far as possible; it stays isolated.

    Returns     frames still allocated in it, or -1 if somebody else has isolated it
    Progress    bounded, blocking
    """
    if not isolate_pageblock(mem, cpu, block):
        return -1
    return evacuate_block(mem, cpu, block)
