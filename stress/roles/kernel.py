"""Role kernel: memory that the kernel holds by address: kmalloc, drivers', counted, vmalloc and per-CPU blocks of orders 0 to 3."""

from kernels.alloc.pages import cpu_node, free_frozen_pages
from kernels.alloc.release import alloc_counted_pages, free_counted_pages
from kernels.base.atomics import store_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import (
    ENOMEM,
    HELD_CAPACITY,
    M_KMALLOC_LARGE,
    M_UNKNOWN,
    M_VMALLOC,
    MT_RECLAIMABLE,
    MT_UNMOVABLE,
    NONE_WORD,
    T_PERCPU,
)
from kernels.base.random import random_below
from kernels.map.access import check_stamp, stamp_frame
from kernels.page.folio import set_words
from kernels.policy.pagealloc import alloc_pages
from stress.roles._role import Role
from stress.roles._words import KERNEL_STAMP, set_misc_words

UNMOVABLE, RECLAIMABLE, COUNTED, VMALLOC, PERCPU = range(5)


@kernel
def say_what_it_is(mem, pfn, order, kind):
    """Write the memdesc words of an uncounted allocation.

    Progress    wait-free
    """
    if kind == UNMOVABLE:
        set_misc_words(mem, pfn, order, M_KMALLOC_LARGE)
    elif kind == VMALLOC:
        set_misc_words(mem, pfn, order, M_VMALLOC)
    elif kind == PERCPU:
        store_relaxed(mem.memdesc, pfn, T_PERCPU)
    else:
        set_misc_words(mem, pfn, order, M_UNKNOWN)


@kernel
def hold_one(mem, cpu):
    """Hold one more allocation, of random kind and order.

    Returns     0 or -ENOMEM
    Progress    as alloc_pages
    """
    kind = random_below(mem, cpu, 5)
    # vmalloc and per-CPU chunks consist of single frames
    order = random_below(mem, cpu, 4) if random_below(mem, cpu, 4) == 0 and kind < VMALLOC else 0
    return hold(mem, cpu, kind, order)


@kernel
def hold(mem, cpu, kind, order):
    """Allocate a block, stamp it and add it to the inventory; no other CPU may overwrite the stamp.

    Returns     0 or -ENOMEM
    Progress    as alloc_pages
    """
    nid = cpu_node(mem, cpu)
    place = cpu * HELD_CAPACITY + mem.held_count[cpu]
    if kind == COUNTED:
        desc = alloc_counted_pages(mem, cpu, nid, order, MT_UNMOVABLE)
        if desc < 0:
            return -ENOMEM
        mem.held_pfn[place] = desc
        stamp_frame(mem, mem.folio_pfn[desc], KERNEL_STAMP | cpu, 0)
    else:
        pfn = alloc_pages(mem, cpu, nid, order, MT_RECLAIMABLE if kind == RECLAIMABLE else MT_UNMOVABLE)
        if pfn < 0:
            return -ENOMEM
        say_what_it_is(mem, pfn, order, kind)
        stamp_frame(mem, pfn, KERNEL_STAMP | cpu, 0)
        mem.held_pfn[place] = pfn
    mem.held_order[place] = order
    mem.held_kind[place] = kind
    mem.held_count[cpu] += 1
    return 0


@kernel
def drop_one(mem, cpu):
    """Verify and free a random allocation of this CPU's; the last one takes its place in the inventory.

    Returns     frames freed
    Progress    as free_frozen_pages
    """
    held = mem.held_count[cpu]
    place = cpu * HELD_CAPACITY + random_below(mem, cpu, held)
    last = cpu * HELD_CAPACITY + held - 1
    what, order, kind = mem.held_pfn[place], mem.held_order[place], mem.held_kind[place]
    mem.held_pfn[place], mem.held_order[place], mem.held_kind[place] = mem.held_pfn[last], mem.held_order[last], mem.held_kind[last]
    mem.held_count[cpu] = held - 1
    if kind == COUNTED:
        check_stamp(mem, cpu, mem.folio_pfn[what], KERNEL_STAMP | cpu)
        free_counted_pages(mem, cpu, what, order)
    else:
        check_stamp(mem, cpu, what, KERNEL_STAMP | cpu)
        set_words(mem, what, order, NONE_WORD)
        free_frozen_pages(mem, cpu, what, order)
    return 1 << order


@kernel
def kernel_step(mem, cpu):
    """Allocate or free, around kernel_target allocations.

    Returns     0 or more, or -ENOMEM
    Progress    bounded
    """
    held = mem.held_count[cpu]
    grow = held == 0 or (held < HELD_CAPACITY and random_below(mem, cpu, 2 * mem.kernel_target) >= held)
    return hold_one(mem, cpu) if grow else drop_one(mem, cpu)


ROLE = Role(
    "kernel", "the kernel allocates and frees memory that it holds by address: kmalloc, drivers', counted, vmalloc, per-CPU", kernel_step
)
