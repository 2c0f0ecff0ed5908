"""The allocator's slow path, for callers that may sleep.

Models      __alloc_pages_slowpath(), mm/page_alloc.c; folio_alloc(), alloc_misplaced_dst_folio(), mm/migrate.c
Differs     reclaim and direct compaction run in the allocating CPU; there is no OOM killer, the caller gets -1
Invariants  L1: one round of reclaim, one drain, one round of compaction, then success or failure
"""

from kernels.alloc.pages import alloc_frozen_pages, alloc_on_node, drain_all_pages, first_node, free_frozen_pages, zone_watermark_ok
from kernels.alloc.release import lru_add_drain
from kernels.base import counter
from kernels.base.atomics import cycles, load_relaxed
from kernels.base.jit import kernel, slow_kernel
from kernels.base.layout import MT_MOVABLE, WAIT_PAGEBLOCK
from kernels.base.vmstat import count, record_wait
from kernels.migrate.targets import FROM_ALLOCATOR, free_target_folio, publish_target
from kernels.page.folio import desc_free, folio_prepare
from kernels.policy.compaction import try_to_compact_pages
from kernels.policy.reclaim import shrink_node


@kernel
def alloc_pages_slowpath(mem, cpu, nid, order, migratetype):
    """2^order frames without a count: from the lists, else by reclaim, by a drain, by compaction.

    Models      __alloc_pages_slowpath(), mm/page_alloc.c
    Returns     pfn or -1
    Progress    bounded, blocking
    """
    nid = first_node(mem, nid, migratetype)
    pfn = alloc_frozen_pages(mem, cpu, nid, order, migratetype)
    if pfn < 0:
        count(mem, cpu, counter.ALLOCSTALL, 1)
        lru_add_drain(mem, cpu)
        shrink_node(mem, cpu, nid, max(32, 2 << order))
        pfn = alloc_frozen_pages(mem, cpu, nid, order, migratetype)
    if pfn < 0:
        drain_all_pages(mem, cpu, nid)
        pfn = alloc_frozen_pages(mem, cpu, nid, order, migratetype)
    if pfn < 0 and order > 0:
        if try_to_compact_pages(mem, cpu, nid, order):
            pfn = alloc_frozen_pages(mem, cpu, nid, order, migratetype)
    return pfn


@slow_kernel
def alloc_pageblock(mem, cpu, nid, migratetype):
    """A block of pageblock_order frames, the size of a huge page, so it is counted and timed.

    Models      alloc_pages() for a THP
    Returns     pfn or -1
    Progress    as alloc_pages_slowpath
    """
    begin = cycles()
    pfn = alloc_pages_slowpath(mem, cpu, nid, mem.pageblock_order, migratetype)
    count(mem, cpu, counter.PAGEBLOCK_TRIED, 1)
    if pfn >= 0:
        count(mem, cpu, counter.PAGEBLOCK_SUCCEEDED, 1)
        record_wait(mem, cpu, WAIT_PAGEBLOCK, cycles() - begin)
    return pfn


@kernel
def alloc_pages(mem, cpu, nid, order, migratetype):
    """2^order frames without a count, reclaiming and compacting if need be.

    Models      __alloc_pages_noprof(), mm/page_alloc.c
    Returns     pfn or -1
    Progress    bounded, blocking
    """
    if order == mem.pageblock_order:
        return alloc_pageblock(mem, cpu, nid, migratetype)
    return alloc_pages_slowpath(mem, cpu, nid, order, migratetype)


@kernel
def alloc_folio(mem, cpu, nid, order, kind, mapping, index):
    """A folio that no other CPU can find yet: frames and a descriptor, count zero.

    Models      folio_alloc(), mm/page_alloc.c
    Returns     the descriptor, to be published or discarded; or -1
    Progress    as alloc_pages
    """
    pfn = alloc_pages(mem, cpu, nid, order, MT_MOVABLE)
    if pfn < 0:
        return -1
    return folio_prepare(mem, cpu, kind, pfn, order, mapping, index)


@kernel
def discard_folio(mem, cpu, desc):
    """Free a folio that was never published.

    Progress    as free_frozen_pages
    """
    pfn, order = mem.folio_pfn[desc], mem.folio_order[desc]
    desc_free(mem, cpu, desc)
    free_frozen_pages(mem, cpu, pfn, order)


@kernel
def alloc_misplaced_dst(mem, cpu, src, nid):
    """get_new_folio of NUMA balancing: on this node or not at all, without reclaim.

    Models      alloc_misplaced_dst_folio(), mm/migrate.c
    Returns     a descriptor with one reference, or -1
    Progress    as alloc_on_node
    """
    order = mem.folio_order[src]
    if not zone_watermark_ok(mem, nid, order, load_relaxed(mem.zone_high, nid)):
        return -1
    pfn = alloc_on_node(mem, cpu, nid, order, MT_MOVABLE)
    return publish_target(mem, cpu, src, pfn) if pfn >= 0 else -1


@kernel
def put_misplaced_dst(mem, cpu, dst, nid):
    """put_new_folio of NUMA balancing.

    Models      folio_put() as migrate_pages() uses it without a put_new_folio
    Progress    as free_frozen_pages
    """
    free_target_folio(mem, cpu, dst, FROM_ALLOCATOR)
