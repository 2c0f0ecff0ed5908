"""Role anon: tasks read and write their memory, unmap it and fork."""

from kernels.base.jit import kernel
from kernels.base.layout import ENOMEM, FAMILY_TASKS
from kernels.base.random import random_below
from kernels.map.access import file_access, task_access
from kernels.map.rmap import zap_range
from kernels.policy.fault import fork_range, handle_fault
from stress.roles._pick import pick_anon_page, pick_space
from stress.roles._role import Role

MAX_FAULTS = 8  # of one access; the task gives up on a page that is taken away this often


@kernel
def touch(mem, cpu, space, vpage, write, order):
    """One access, with the faults that it causes.

    Returns     0 or -ENOMEM
    Progress    bounded
    """
    for _ in range(MAX_FAULTS):
        result = task_access(mem, cpu, space, vpage, write) if vpage < mem.anon_pages else file_access(mem, cpu, space, vpage)
        if result == 0:
            return 0
        if handle_fault(mem, cpu, space, vpage, write, order) < 0:
            return -ENOMEM
    return 0


@kernel
def fork_some(mem, cpu):
    """Fork a few pages of a task to a later one of its family.

    Returns     0
    Progress    as fork_range
    """
    space = pick_space(mem, cpu)
    parent = space - space % FAMILY_TASKS + random_below(mem, cpu, FAMILY_TASKS - 1)
    child = parent + 1 + random_below(mem, cpu, FAMILY_TASKS - 1 - parent % FAMILY_TASKS)
    fork_range(mem, cpu, parent, child, pick_anon_page(mem, cpu), 1 + random_below(mem, cpu, 8))
    return 0


@kernel
def churn(mem, cpu):
    """Fault in a folio at the end of a task's memory and unmap it immediately, four times, of random order.

    Descriptors and frames are used for less than a microsecond and then reused in other pairs, so that a delayed speculator meets them.

    Returns     0 or -ENOMEM
    Progress    bounded
    """
    space = pick_space(mem, cpu)
    vpage = (mem.anon_pages & ~3) - 4
    result = 0
    for _ in range(4):
        result = min(result, touch(mem, cpu, space, vpage, 1, random_below(mem, cpu, 1 + min(2, mem.max_order_anon))))
        zap_range(mem, cpu, space, vpage, 4)
    return result


@kernel
def anon_step(mem, cpu):
    """One operation: mostly an access, sometimes an unmap or a fork; after a failed allocation the task unmaps memory.

    Returns     0 or -ENOMEM
    Progress    bounded
    """
    choice = random_below(mem, cpu, 1000)
    if choice < 15:
        return fork_some(mem, cpu)
    if choice >= 600:
        return churn(mem, cpu)
    space = pick_space(mem, cpu)
    if choice < 60:
        zap_range(mem, cpu, space, pick_anon_page(mem, cpu), 1 + random_below(mem, cpu, 16))
        return 0
    if choice < 110:
        vpage = mem.anon_pages + random_below(mem, cpu, mem.task_pages - mem.anon_pages)
        return touch(mem, cpu, space, vpage, 0, 0)
    order = random_below(mem, cpu, 1 + min(4, mem.max_order_anon)) if choice < 140 else 0
    result = touch(mem, cpu, space, pick_anon_page(mem, cpu), choice & 1, order)
    if result < 0:
        zap_range(mem, cpu, space, random_below(mem, cpu, mem.anon_pages), 256)
    return result


ROLE = Role("anon", "tasks read, write, unmap and fork anonymous memory, and verify what they read", anon_step)
