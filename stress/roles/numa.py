"""Role numa: NUMA hints are set on tasks' memory, and accesses from this CPU's node fault on them."""

from kernels.base.jit import kernel
from kernels.base.random import random_below
from kernels.policy.numa import task_numa_work
from stress.roles._pick import pick_anon_page, pick_space
from stress.roles._role import Role
from stress.roles.anon import touch


@kernel
def numa_step(mem, cpu):
    """Set hints on 16 pages of a task, or read four of its pages.

    Returns     0 or -ENOMEM
    Progress    bounded
    """
    space = pick_space(mem, cpu)
    if random_below(mem, cpu, 4) == 0:
        task_numa_work(mem, cpu, space, 16)
        return 0
    result = 0
    for _ in range(4):
        result = min(result, touch(mem, cpu, space, pick_anon_page(mem, cpu), 0, 0))
    return result


ROLE = Role(
    "numa", "NUMA balancing: prot-none hints, hint faults, and folios migrated to a node after its second fault in a row", numa_step
)
