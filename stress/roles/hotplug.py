"""Role hotplug: memory blocks are evacuated and taken offline, and put online again."""

from kernels.alloc.pages import cpu_node
from kernels.base.atomics import load_relaxed
from kernels.base.jit import kernel
from kernels.base.random import random_below
from kernels.policy.hotplug import offline_pages, online_pages
from stress.roles._role import Role

PATIENCE = 64  # operations that a memory block stays offline, on average


@kernel
def try_offline(mem, cpu):
    """Take a memory block of this CPU's node offline, unless that would leave the node below its high watermark.

    Returns     0, or -EBUSY if a frame cannot be moved or another CPU has isolated a pageblock
    Progress    as offline_pages
    """
    nid, nr_blocks = cpu_node(mem, cpu), mem.memory_block_blocks
    if load_relaxed(mem.zone_free, nid) < (nr_blocks << mem.pageblock_order) + load_relaxed(mem.zone_high, nid):
        return 0
    nr_choices = (mem.frames_per_node >> mem.pageblock_order) // nr_blocks
    first = (nid * mem.frames_per_node >> mem.pageblock_order) + random_below(mem, cpu, nr_choices) * nr_blocks
    result = offline_pages(mem, cpu, first, first + nr_blocks)
    if result == 0:
        mem.offline_first[cpu] = first + 1
    return result


@kernel
def hotplug_step(mem, cpu):
    """Take a memory block offline, or put the one that this CPU holds online again with probability 1 / PATIENCE.

    Returns     0, or -EBUSY if the memory block cannot be taken offline
    Progress    bounded, blocking
    """
    held = mem.offline_first[cpu] - 1
    if held < 0:
        return try_offline(mem, cpu)
    if random_below(mem, cpu, PATIENCE) == 0:
        mem.offline_first[cpu] = 0
        return online_pages(mem, cpu, held, held + mem.memory_block_blocks)
    return 0


ROLE = Role("hotplug", "memory blocks are evacuated and taken offline, and put online again", hotplug_step)
