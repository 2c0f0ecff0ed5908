"""Anonymous folios and Offline blocks, moved back and forth by every interface on an idle machine."""

from kernels.alloc.buddy import nid_of
from kernels.alloc.isolation import isolate_pageblock, unisolate_pageblock
from kernels.alloc.pages import alloc_frozen_pages, cpu_node, drain_all_pages, free_frozen_pages
from kernels.alloc.release import lru_add_drain
from kernels.base.atomics import cycles, load_relaxed
from kernels.base.jit import entry, kernel
from kernels.base.layout import (
    FL_ISOLATED,
    HELD_CAPACITY,
    MIGRATE_ASYNC,
    MR_CONTIG_RANGE,
    MR_NUMA_MISPLACED,
    MT_MOVABLE,
    NR_ROLES_MAX,
    PTE_PFN_SHIFT,
    PTE_PRESENT,
    WINDOW_FRAMES,
)
from kernels.base.stage import STAGE_ISOLATE, stage_begin, stage_end
from kernels.map.rmap import zap_range
from kernels.map.tlb import current_pte
from kernels.migrate.folios import migrate_folios
from kernels.migrate.range import migrate_range
from kernels.migrate.scan import fill_candidates
from kernels.migrate.targets import FROM_ALLOCATOR
from kernels.migrate.window import migrate_window
from kernels.page.folio import folio_set
from kernels.page.lru import folio_isolate_lru
from kernels.page.memdesc import word_desc
from kernels.policy.fault import handle_fault
from kernels.policy.pagealloc import alloc_misplaced_dst, put_misplaced_dst
from kernels.types import balloon


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
    """Migrate the folios of a task's pages in turn, one a call, each to the other node.

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

    role_cycles[cpu, 0] gets the time from filling the bitmap to the leftovers. It does not include the isolation of the pageblock,
    which keeps the targets out of it.
    Returns     frames migrated
    Progress    blocking
    """
    migrated = 0
    for _ in range(nr_ops):
        base_pfn = pfn_of(mem, space, 0) >> mem.pageblock_order << mem.pageblock_order
        isolate_pageblock(mem, cpu, base_pfn >> mem.pageblock_order)
        lru_add_drain(mem, cpu)
        begin = cycles()
        nr_candidates = fill_candidates(mem, cpu, base_pfn, 1 << mem.pageblock_order)
        nr_left = migrate_range(mem, cpu, base_pfn, MIGRATE_ASYNC, MR_CONTIG_RANGE, FROM_ALLOCATOR)
        mem.role_cycles[cpu * NR_ROLES_MAX] += cycles() - begin
        migrated += nr_candidates - nr_left
        unisolate_pageblock(mem, cpu, base_pfn >> mem.pageblock_order)
    return migrated


@kernel
def hold_frame(mem, cpu):
    """Allocate a frame that stays allocated, without a memdesc word: scanners see no owner.

    Progress    blocking
    """
    pfn = alloc_frozen_pages(mem, cpu, cpu_node(mem, cpu), 0, MT_MOVABLE)
    if pfn >= 0:
        mem.held_pfn[cpu * HELD_CAPACITY + mem.held_count[cpu]] = pfn
        mem.held_count[cpu] += 1


@entry
def populate(mem, cpu, nr_spaces, nr_pages, stride):
    """Give every `stride`-th page of some tasks a folio of order 0, among frames that are held and never move.

    Returns     pages that are present
    Progress    blocking
    """
    present = 0
    for space in range(nr_spaces):
        for vpage in range(nr_pages):
            handle_fault(mem, cpu, space, vpage, 1, 0)
    lru_add_drain(mem, cpu)
    for space in range(nr_spaces):
        for vpage in range(nr_pages):
            if vpage % stride != 0:
                zap_range(mem, cpu, space, vpage, 1)
                hold_frame(mem, cpu)  # the frame just freed, from the top of this CPU's list: so no target is between the sources
            elif current_pte(mem, space, vpage) & PTE_PRESENT:
                present += 1
    drain_all_pages(mem, cpu, cpu_node(mem, cpu))
    return present


@entry
def depopulate(mem, cpu, nr_spaces, nr_pages):
    """Unmap the first pages of some tasks, and free the frames that were held between them.

    Parameters  nr_pages: at most WINDOW_FRAMES
    Returns     pages that were mapped
    Progress    blocking
    """
    zapped = 0
    for space in range(nr_spaces):
        zapped += zap_range(mem, cpu, space, 0, nr_pages)
    while mem.held_count[cpu] > 0:
        mem.held_count[cpu] -= 1
        free_frozen_pages(mem, cpu, mem.held_pfn[cpu * HELD_CAPACITY + mem.held_count[cpu]], 0)
    drain_all_pages(mem, cpu, cpu_node(mem, cpu))
    return zapped


@entry
def inflate(mem, cpu, nr_frames):
    """Put frames into this CPU's balloon, one by one.

    Returns     frames in it
    Progress    blocking
    """
    for _ in range(nr_frames):
        pfn = alloc_frozen_pages(mem, cpu, cpu_node(mem, cpu), 0, MT_MOVABLE)
        if pfn >= 0:
            balloon.inflate(mem, cpu, cpu, pfn, 0)
    return mem.balloon_pages[cpu]


@entry
def deflate(mem, cpu, nr_frames):
    """Take frames out of this CPU's balloon.

    Returns     frames freed
    Progress    blocking
    """
    given = 0
    while given < nr_frames and mem.balloon_pages[cpu] > 0:
        given += balloon.deflate(mem, cpu, cpu, 0)
    drain_all_pages(mem, cpu, cpu_node(mem, cpu))
    return given


@entry
def evacuate(mem, cpu, first_block, nr_blocks):
    """Migrate what is movable out of neighbouring pageblocks, by the interface of the policy; stages are timed if `timing` is set.

    Parameters  nr_blocks: at most window_blocks
    Returns     frames isolated but not migrated, or -1 if nothing was isolated
    Progress    blocking
    """
    base_pfn, nr_frames = first_block << mem.pageblock_order, nr_blocks << mem.pageblock_order
    for k in range(nr_blocks):
        isolate_pageblock(mem, cpu, first_block + k)
    lru_add_drain(mem, cpu)
    left = migrate_window(mem, cpu, base_pfn, nr_frames, MIGRATE_ASYNC, MR_CONTIG_RANGE, FROM_ALLOCATOR)
    for k in range(nr_blocks):
        unisolate_pageblock(mem, cpu, first_block + k)
    return left


@entry
def migrate_by_folios(mem, cpu, space, nr_pages, stride, batch):
    """Migrate every `stride`-th page of a task through migrate_folios(), `batch` folios a call; its stages are timed.

    Parameters  batch: 1..WINDOW_FRAMES
    Returns     folios not migrated
    Progress    blocking
    """
    left, vpage = 0, 0
    lru_add_drain(mem, cpu)
    while vpage < nr_pages:
        begin, nr_folios = stage_begin(mem), 0
        while vpage < nr_pages and nr_folios < batch:
            desc = word_desc(load_relaxed(mem.memdesc, pfn_of(mem, space, vpage)))
            if folio_isolate_lru(mem, cpu, desc):
                folio_set(mem, desc, FL_ISOLATED)
                mem.folio_list[cpu * WINDOW_FRAMES + nr_folios] = desc
                nr_folios += 1
            vpage += stride
        stage_end(mem, cpu, STAGE_ISOLATE, begin)
        nid = cpu_node(mem, cpu)
        left += migrate_folios(mem, cpu, nr_folios, alloc_misplaced_dst, put_misplaced_dst, nid, MIGRATE_ASYNC, MR_NUMA_MISPLACED)
    return left
