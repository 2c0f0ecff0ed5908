"""Role zram: zsmalloc objects are written, read and freed through handles while compaction moves their zspages."""

from kernels.alloc.pages import cpu_node, free_frozen_pages
from kernels.base.atomics import load_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import ENOMEM, MT_MOVABLE, NR_ZS_CLASSES, OBJ_SHIFT, T_MOVABLE, ZS_HANDLES
from kernels.base.random import random_below
from kernels.page.memdesc import word_desc
from kernels.policy.pagealloc import alloc_pages
from kernels.types.zspage import zs_access, zs_free, zs_malloc, zs_malloc_new
from stress.roles._pick import is_isolated_now
from stress.roles._role import Role

HANDLES_SEEN = 32
RUN = 16  # successive handles that are filled with objects of one class, and freed, together, so that zspages become empty


@kernel
def find_isolated(mem, cpu):
    """A handle of this CPU with an isolated zspage, among HANDLES_SEEN from a random one on; preferably its zspage's last object.

    Returns     the handle or -1
    Progress    wait-free
    """
    start, found = random_below(mem, cpu, mem.zs_target), -1
    for k in range(HANDLES_SEEN):
        handle = cpu * ZS_HANDLES + (start + k) % mem.zs_target
        obj = load_relaxed(mem.zs_obj, handle) - 1
        if obj >= 0 and is_isolated_now(mem, obj >> OBJ_SHIFT, T_MOVABLE):
            if is_last_object(mem, handle):
                return handle
            found = handle
    return found


@kernel
def is_last_object(mem, handle):
    """Whether a handle's object is the last one in its zspage (a hint).

    Progress    wait-free
    """
    obj = load_relaxed(mem.zs_obj, handle) - 1
    return obj >= 0 and load_relaxed(mem.u_inuse, word_desc(load_relaxed(mem.memdesc, obj >> OBJ_SHIFT))) == 1


@kernel
def fill_handle(mem, cpu, which, handle):
    """Allocate an object of class `which` for a free handle.

    Returns     0 or -ENOMEM
    Progress    as alloc_pages
    """
    if zs_malloc(mem, cpu, which, handle):
        return 0
    pfn = alloc_pages(mem, cpu, cpu_node(mem, cpu), 0, MT_MOVABLE)
    if pfn < 0:
        return -ENOMEM
    if not zs_malloc_new(mem, cpu, which, handle, pfn):
        free_frozen_pages(mem, cpu, pfn, 0)
        return -ENOMEM
    return 0


@kernel
def fill_run(mem, cpu, place):
    """Allocate objects of one random class for the free handles of a run.

    Returns     0 or -ENOMEM
    Progress    as alloc_pages
    """
    which = random_below(mem, cpu, mem.nr_nodes) * NR_ZS_CLASSES + random_below(mem, cpu, NR_ZS_CLASSES)
    for k in range(RUN):
        handle = cpu * ZS_HANDLES + (place + k) % mem.zs_target
        if load_relaxed(mem.zs_obj, handle) == 0:
            result = fill_handle(mem, cpu, which, handle)
            if result < 0:
                return result
    return 0


@kernel
def free_run(mem, cpu, place):
    """Free the objects of a run.

    Progress    as zs_free
    """
    for k in range(RUN):
        handle = cpu * ZS_HANDLES + (place + k) % mem.zs_target
        if load_relaxed(mem.zs_obj, handle) != 0:
            zs_free(mem, cpu, handle)


@kernel
def zram_step(mem, cpu):
    """Free the last object of an isolated zspage; otherwise fill a run, free one, or read or write one object.

    Returns     0 or -ENOMEM
    Progress    bounded
    """
    handle = find_isolated(mem, cpu)
    if handle >= 0 and is_last_object(mem, handle):
        zs_free(mem, cpu, handle)
        return 0
    place = random_below(mem, cpu, mem.zs_target) if handle < 0 else handle - cpu * ZS_HANDLES
    choice = random_below(mem, cpu, 4 * RUN)
    if load_relaxed(mem.zs_obj, cpu * ZS_HANDLES + place) == 0:
        return fill_run(mem, cpu, place)
    if choice < 4:
        free_run(mem, cpu, place)
    else:
        zs_access(mem, cpu, cpu * ZS_HANDLES + place, choice & 1)
    return 0


ROLE = Role("zram", "zsmalloc objects are written, read and freed through handles while compaction moves their zspages", zram_step)
