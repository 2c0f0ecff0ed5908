"""Role virtiomem: a balloon grows by whole pageblocks, each evacuated for it, and shrinks by one block of its inventory."""

from kernels.alloc.pages import cpu_node
from kernels.base.jit import kernel
from kernels.base.layout import ENOMEM, HELD_CAPACITY
from kernels.base.random import random_below
from kernels.policy.contig import alloc_contig_pages
from kernels.types.balloon import deflate, inflate_pageblock
from stress.roles._role import Role


@kernel
def virtiomem_step(mem, cpu):
    """Inflate this CPU's balloon by a pageblock that is evacuated for it, or deflate it by one block.

    Models      virtio_mem_fake_offline(), virtio_mem_fake_online(), drivers/virtio/virtio_mem.c
    Differs     deflation frees one block of the balloon's inventory, a pageblock or less
    Returns     0 or -ENOMEM
    Progress    bounded, blocking
    """
    held, size = mem.balloon_pages[cpu], 1 << mem.pageblock_order
    if held > 0 and random_below(mem, cpu, 4):
        deflate(mem, cpu, cpu, random_below(mem, cpu, held))
        return 0
    if held + size > HELD_CAPACITY:
        return 0
    pfn = alloc_contig_pages(mem, cpu, cpu_node(mem, cpu), 1, random_below(mem, cpu, 1 << 20))
    if pfn < 0:
        return -ENOMEM
    inflate_pageblock(mem, cpu, cpu, pfn)
    return 0


ROLE = Role("virtiomem", "a balloon grows by whole pageblocks, each evacuated for it", virtiomem_step)
