"""Role hugetlb: huge folios are taken from the pool or allocated as surplus, held for a while and put; sometimes one is dissolved."""

from kernels.alloc.buddy import nid_of
from kernels.alloc.hugetlb import huge_add_surplus, huge_dequeue
from kernels.alloc.pages import cpu_node
from kernels.alloc.release import folio_put
from kernels.base.atomics import load_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import ENOMEM, HUGE_HELD, HUGE_POOL, MT_MOVABLE
from kernels.base.random import random_below
from kernels.map.access import check_stamp, stamp_frame
from kernels.policy.contig import dissolve_free_huge_page
from kernels.policy.pagealloc import alloc_pages
from stress.roles._role import Role

HUGE_STAMP = 1 << 55  # of the first frame; the low bits are the CPU that holds it


@kernel
def take_huge(mem, cpu):
    """Take a huge folio from the pool, or allocate a surplus one while the pool has room for all of them.

    Returns     0 or -ENOMEM
    Progress    as alloc_pages
    """
    nid = cpu_node(mem, cpu)
    desc = huge_dequeue(mem, cpu, nid)
    if desc < 0:
        if load_relaxed(mem.huge_nr, nid) >= HUGE_POOL - mem.nr_cpus:
            return -ENOMEM
        pfn = alloc_pages(mem, cpu, nid, mem.pageblock_order, MT_MOVABLE)
        if pfn < 0:
            return -ENOMEM
        desc = huge_add_surplus(mem, cpu, nid_of(mem, pfn), pfn)
    stamp_frame(mem, mem.folio_pfn[desc], HUGE_STAMP | cpu, 0)
    mem.huge_held[cpu * HUGE_HELD + mem.huge_count[cpu]] = desc
    mem.huge_count[cpu] += 1
    return 0


@kernel
def hugetlb_step(mem, cpu):
    """Take a huge folio, or verify and put one; sometimes dissolve a random free folio of the pool.

    Returns     0 or -ENOMEM
    Progress    bounded
    """
    held, nid = mem.huge_count[cpu], cpu_node(mem, cpu)
    if random_below(mem, cpu, 32) == 0:
        free = load_relaxed(mem.huge_free, nid)
        if free > 0:  # a hint: the folio may be taken, and its descriptor reused, by now
            desc = load_relaxed(mem.huge_desc, nid * HUGE_POOL + random_below(mem, cpu, free))
            dissolve_free_huge_page(mem, cpu, load_relaxed(mem.folio_pfn, desc) >> mem.pageblock_order)
        return 0
    if random_below(mem, cpu, HUGE_HELD) >= held:
        return take_huge(mem, cpu)
    desc = mem.huge_held[cpu * HUGE_HELD + held - 1]
    mem.huge_count[cpu] = held - 1
    check_stamp(mem, cpu, mem.folio_pfn[desc], HUGE_STAMP | cpu)
    folio_put(mem, cpu, desc)
    return 0


ROLE = Role("hugetlb", "huge folios are taken from a pool or as surplus, put by the last holder, and dissolved", hugetlb_step)
