"""Anonymous folios of one task, moved back and forth by both interfaces, on a machine that does nothing else."""

from kernels.alloc.buddy import nid_of
from kernels.alloc.isolation import isolate_pageblock, unisolate_pageblock
from kernels.alloc.release import lru_add_drain
from kernels.base.atomics import cycles, load_relaxed
from kernels.base.jit import entry, kernel
from kernels.base.layout import (
    FL_ISOLATED,
    MIGRATE_ASYNC,
    MR_CONTIG_RANGE,
    MR_NUMA_MISPLACED,
    NR_ROLES_MAX,
    PTE_PFN_SHIFT,
    PTE_PRESENT,
    WINDOW_FRAMES,
)
from kernels.map.tlb import current_pte
from kernels.migrate.folios import migrate_folios
from kernels.migrate.range import migrate_range
from kernels.migrate.scan import fill_candidates
from kernels.migrate.targets import FROM_ALLOCATOR
from kernels.page.folio import folio_set
from kernels.page.lru import folio_isolate_lru
from kernels.page.memdesc import word_desc
from kernels.policy.fault import handle_fault
from kernels.policy.pagealloc import alloc_misplaced_dst, put_misplaced_dst


@entry
def fault_in(mem, cpu, space, nr_pages):
    """Give the first pages of a task a folio each, on the LRU.

    Returns     pages that are present
    Progress    blocking
    """
    present = 0
    for vpage in range(nr_pages):
        handle_fault(mem, cpu, space, vpage, 1, 0)
        if current_pte(mem, space, vpage) & PTE_PRESENT:
            present += 1
    lru_add_drain(mem, cpu)
    return present


@kernel
def pfn_of(mem, space, vpage):
    """The frame of a page that is present.

    Progress    wait-free
    """
    return current_pte(mem, space, vpage) >> PTE_PFN_SHIFT


@entry
def migrate_one_folio(mem, cpu, space, nr_pages, nr_ops):
    """Migrate the folios of a task's pages in turn, one a call, each to the node that it is not on.

    Parameters  nr_pages: more than an LRU batch holds, since a folio in a batch cannot be isolated
    Returns     folios migrated
    Progress    blocking
    """
    migrated = 0
    for op in range(nr_ops):
        pfn = pfn_of(mem, space, op % nr_pages)
        desc = word_desc(load_relaxed(mem.memdesc, pfn))
        if folio_isolate_lru(mem, cpu, desc):
            folio_set(mem, desc, FL_ISOLATED)
            mem.folio_list[cpu * WINDOW_FRAMES] = desc
            nid = 1 - nid_of(mem, pfn)
            if migrate_folios(mem, cpu, 1, alloc_misplaced_dst, put_misplaced_dst, nid, MIGRATE_ASYNC, MR_NUMA_MISPLACED) == 0:
                migrated += 1
    return migrated


@entry
def migrate_one_range(mem, cpu, space, nr_ops):
    """Empty the pageblock in which a task's page 0 is, by (base_pfn, bitmap), again and again.

    The time from filling the bitmap to the leftovers is added to role_cycles[cpu, 0]; isolating the pageblock, without which the
    targets would be in it, is not.
    Returns     frames migrated
    Progress    blocking
    """
    migrated = 0
    for _ in range(nr_ops):
        base_pfn = pfn_of(mem, space, 0) >> mem.pageblock_order << mem.pageblock_order
        isolate_pageblock(mem, cpu, base_pfn >> mem.pageblock_order)
        lru_add_drain(mem, cpu)
        begin = cycles()
        nr_candidates = fill_candidates(mem, cpu, base_pfn)
        nr_left = migrate_range(mem, cpu, base_pfn, MIGRATE_ASYNC, MR_CONTIG_RANGE, FROM_ALLOCATOR)
        mem.role_cycles[cpu * NR_ROLES_MAX] += cycles() - begin
        migrated += nr_candidates - nr_left
        unisolate_pageblock(mem, cpu, base_pfn >> mem.pageblock_order)
    return migrated
