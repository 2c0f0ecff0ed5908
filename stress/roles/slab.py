"""Role slab: kernel objects are allocated, verified and freed by the CPU that holds them; reclaim takes empty slabs."""

from kernels.alloc.pages import cpu_node, free_frozen_pages
from kernels.base.jit import kernel
from kernels.base.layout import ENOMEM, MT_RECLAIMABLE, SLAB_HELD
from kernels.base.random import random_below
from kernels.policy.pagealloc import alloc_pages
from kernels.types.objects import object_check, object_stamp
from kernels.types.slab import slab_alloc, slab_alloc_new, slab_free, slab_object_words
from stress.roles._role import Role

SLAB_STAMP = 1 << 57  # of an object; the low bits are the CPU that holds it


@kernel
def hold_object(mem, cpu):
    """Allocate an object, stamp it and add it to the inventory.

    Returns     0 or -ENOMEM
    Progress    as alloc_pages
    """
    nid = cpu_node(mem, cpu)
    obj = slab_alloc(mem, cpu, nid, cpu)
    if obj < 0:
        pfn = alloc_pages(mem, cpu, nid, 0, MT_RECLAIMABLE)
        if pfn < 0:
            return -ENOMEM
        obj = slab_alloc_new(mem, cpu, pfn, cpu)
        if obj < 0:
            free_frozen_pages(mem, cpu, pfn, 0)
            return -ENOMEM
    object_stamp(mem, obj, slab_object_words(mem), SLAB_STAMP | cpu, obj)
    mem.slab_obj[cpu * SLAB_HELD + mem.slab_count[cpu]] = obj
    mem.slab_count[cpu] += 1
    return 0


@kernel
def drop_object(mem, cpu):
    """Verify and free a random object of this CPU's; the last one takes its place in the inventory.

    Returns     0
    Progress    as slab_free
    """
    last = cpu * SLAB_HELD + mem.slab_count[cpu] - 1
    place = cpu * SLAB_HELD + random_below(mem, cpu, mem.slab_count[cpu])
    obj = mem.slab_obj[place]
    mem.slab_obj[place] = mem.slab_obj[last]
    mem.slab_count[cpu] -= 1
    object_check(mem, cpu, obj, slab_object_words(mem), cpu, SLAB_STAMP | cpu, obj)
    slab_free(mem, cpu, obj, cpu)
    return 0


@kernel
def slab_step(mem, cpu):
    """Allocate or free an object, around slab_target objects; sometimes half of them are freed in one operation.

    Returns     0 or -ENOMEM
    Progress    bounded
    """
    held = mem.slab_count[cpu]
    if held > 0 and random_below(mem, cpu, 256) == 0:
        for _ in range(held // 2):
            drop_object(mem, cpu)
        return 0
    grow = held == 0 or (held < SLAB_HELD and random_below(mem, cpu, 2 * mem.slab_target) >= held)
    return hold_object(mem, cpu) if grow else drop_object(mem, cpu)


ROLE = Role("slab", "kernel objects are allocated from slabs, which never move; reclaim frees empty slabs", slab_step)
