"""Role zram: compressed pages as objects behind handles, written, read and freed while compaction moves the frames under them."""

from kernels.alloc.pages import cpu_node, free_frozen_pages
from kernels.base.atomics import load_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import ENOMEM, MT_MOVABLE, NR_ZS_CLASSES, OBJ_SHIFT, T_MOVABLE, U_ISOLATED, U_STATE_MASK, ZS_HANDLES
from kernels.base.random import random_below
from kernels.page.memdesc import word_desc, word_type
from kernels.policy.pagealloc import alloc_pages
from kernels.types.zspage import zs_access, zs_free, zs_malloc, zs_malloc_new
from stress.role import Role

HANDLES_SEEN = 32


@kernel
def is_isolated_now(mem, handle):
    """Whether a handle's object is in a zspage that somebody has isolated (a hint).

    Progress    wait-free
    """
    obj = load_relaxed(mem.zs_obj, handle) - 1
    if obj < 0:
        return False
    word = load_relaxed(mem.memdesc, obj >> OBJ_SHIFT)
    return word_type(word) == T_MOVABLE and load_relaxed(mem.u_word, word_desc(word)) & U_STATE_MASK == U_ISOLATED


@kernel
def pick_handle(mem, cpu):
    """A handle of this CPU: of HANDLES_SEEN from a random one on, the first whose zspage is isolated now, else that one.

    Progress    wait-free
    """
    start = random_below(mem, cpu, mem.zs_target)
    for k in range(HANDLES_SEEN):
        handle = cpu * ZS_HANDLES + (start + k) % mem.zs_target
        if is_isolated_now(mem, handle):
            return handle
    return cpu * ZS_HANDLES + start


@kernel
def fill_handle(mem, cpu, handle):
    """An object of a random class for a free handle.

    Returns     0 or -ENOMEM
    Progress    as alloc_pages
    """
    which = random_below(mem, cpu, mem.nr_nodes) * NR_ZS_CLASSES + random_below(mem, cpu, NR_ZS_CLASSES)
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
def zram_step(mem, cpu):
    """Fill a free handle; of one in use, read or write the object, or free it.

    Returns     0 or -ENOMEM
    Progress    bounded
    """
    handle = pick_handle(mem, cpu)
    if load_relaxed(mem.zs_obj, handle) == 0:
        return fill_handle(mem, cpu, handle)
    choice = random_below(mem, cpu, 4)
    zs_access(mem, cpu, handle, choice & 1)
    if choice == 0:
        zs_free(mem, cpu, handle)
    return 0


ROLE = Role("zram", "zsmalloc objects behind handles, in zspages that compaction moves", zram_step)
