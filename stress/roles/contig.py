"""Role contig: contiguous ranges of pageblocks are isolated, evacuated, taken, held for a while and given back."""

from kernels.alloc.pages import cpu_node
from kernels.base.jit import kernel
from kernels.base.layout import ENOMEM, M_UNKNOWN, NONE_WORD
from kernels.base.random import random_below
from kernels.map.access import check_stamp, stamp_frame
from kernels.page.folio import set_words
from kernels.policy.contig import alloc_contig_pages, free_contig_range
from stress.roles._role import Role
from stress.roles._words import set_misc_words

CONTIG_STAMP = 1 << 57  # of the first frame of each pageblock; the low bits are the CPU that holds it


@kernel
def take_range(mem, cpu):
    """Allocate contig_blocks contiguous pageblocks, as a driver would.

    Returns     0 or -ENOMEM
    Progress    as alloc_contig_pages
    """
    nr_blocks = mem.contig_blocks
    first = alloc_contig_pages(mem, cpu, cpu_node(mem, cpu), nr_blocks, random_below(mem, cpu, 1 << 20))
    if first < 0:
        return -ENOMEM
    for k in range(nr_blocks):
        pfn = first + (k << mem.pageblock_order)
        set_misc_words(mem, pfn, mem.pageblock_order, M_UNKNOWN)
        stamp_frame(mem, pfn, CONTIG_STAMP | cpu, 0)
    mem.contig_first[cpu] = first + 1
    mem.contig_held[cpu] = nr_blocks
    return 0


@kernel
def drop_range(mem, cpu):
    """Verify and give back the range that this CPU holds.

    Progress    as free_contig_range
    """
    first, nr_blocks = mem.contig_first[cpu] - 1, mem.contig_held[cpu]
    mem.contig_first[cpu] = 0
    mem.contig_held[cpu] = 0
    for k in range(nr_blocks):
        pfn = first + (k << mem.pageblock_order)
        check_stamp(mem, cpu, pfn, CONTIG_STAMP | cpu)
        set_words(mem, pfn, mem.pageblock_order, NONE_WORD)
    free_contig_range(mem, cpu, first, nr_blocks << mem.pageblock_order)


@kernel
def contig_step(mem, cpu):
    """Allocate a range, or give back the one that this CPU holds.

    Returns     0 or -ENOMEM
    Progress    bounded, blocking
    """
    if mem.contig_held[cpu] == 0:
        return take_range(mem, cpu)
    drop_range(mem, cpu)
    return 0


ROLE = Role("contig", "contiguous ranges of pageblocks are isolated, evacuated, taken and given back", contig_step)
