"""Role netpool: each CPU receives frames of its page pool in fragments, which any CPU consumes."""

from kernels.alloc.pages import cpu_node, free_frozen_pages
from kernels.base.jit import kernel
from kernels.base.layout import ENOMEM, MT_UNMOVABLE, NET_FRAGMENTS, NET_SLOTS
from kernels.base.random import random_below
from kernels.policy.pagealloc import alloc_pages
from kernels.types.netpool import netpool_add, netpool_cached, netpool_consume, netpool_receive
from stress.roles._role import Role


@kernel
def netpool_step(mem, cpu):
    """Receive a frame in up to NET_FRAGMENTS fragments, and consume fragments from NET_FRAGMENTS random slots.

    Returns     0 or -ENOMEM
    Progress    bounded
    """
    pfn = netpool_cached(mem, cpu)
    if pfn < 0:
        pfn = alloc_pages(mem, cpu, cpu_node(mem, cpu), 0, MT_UNMOVABLE)
        if pfn < 0:
            return -ENOMEM
        if not netpool_add(mem, cpu, pfn):
            free_frozen_pages(mem, cpu, pfn, 0)
            return -ENOMEM
    nr_slots = mem.nr_cpus * NET_SLOTS
    netpool_receive(mem, cpu, pfn, 1 + random_below(mem, cpu, NET_FRAGMENTS), cpu * NET_SLOTS + random_below(mem, cpu, NET_SLOTS))
    for _ in range(NET_FRAGMENTS):
        netpool_consume(mem, cpu, random_below(mem, cpu, nr_slots))
    return 0


ROLE = Role("netpool", "frames of page pools are received in fragments, consumed by any CPU and recycled", netpool_step)
