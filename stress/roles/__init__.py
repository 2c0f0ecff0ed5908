"""What workers do: one file per role, found by scanning. `run_batch` is the one entry that runs all of them.

It dispatches by a chain of compiled comparisons, one per record, in the order of their names.
"""

import sys

from kernels.base import jit  # not `from ... import kernel`: that would hide the role `kernel`, a submodule here
from kernels.base.atomics import cycles
from kernels.base.layout import NR_ROLES_MAX
from kernels.base.vmstat import record_latency
from stress import registry
from stress.roles._role import Role

SCANNED_PACKAGE = True  # compiled code that imports this package depends on all its modules (kernels/base/cache.py)
ROLES: tuple[Role, ...] = tuple(registry.scan(sys.modules[__name__], Role).values())
ROLE_INDEX = {role.name: index for index, role in enumerate(ROLES)}
if len(ROLES) > NR_ROLES_MAX:
    raise registry.RegistryError(f"{len(ROLES)} roles, the layout has room for {NR_ROLES_MAX}")

SAMPLE_EVERY = 8  # one operation in so many is a latency sample; a power of two


@jit.kernel
def no_role(mem, cpu, role):
    """The end of the chain: there is no such role.

    Returns     -1
    Progress    wait-free
    """
    return -1


def _chain(index: int):  # type: ignore[no-untyped-def]  # kernels are untyped
    """The kernel that runs role `index`, or calls the kernel of the next one."""
    if index == len(ROLES):
        return no_role
    step, others = ROLES[index].step, _chain(index + 1)

    @jit.kernel
    def dispatch(mem, cpu, role):  # type: ignore[no-untyped-def]
        """Run one operation of a role.

        Returns     the result of the role's step: negative for a failure
        Progress    the role's
        """
        if role == index:
            return step(mem, cpu)
        return others(mem, cpu, role)

    return dispatch


_dispatch = _chain(0)


@jit.entry
def run_batch(mem, cpu, role, nr_ops):  # type: ignore[no-untyped-def]
    """Run `nr_ops` operations of a role on a CPU; count them and their failures, and record the latency of every eighth.

    Returns     failures
    Progress    the role's
    """
    failures = 0
    begin = cycles()
    for op in range(nr_ops):
        if op & (SAMPLE_EVERY - 1) == 0:
            start = cycles()
            if _dispatch(mem, cpu, role) < 0:
                failures += 1
            record_latency(mem, cpu, role, 1, cycles() - start)
        elif _dispatch(mem, cpu, role) < 0:
            failures += 1
    mem.role_ops[cpu * NR_ROLES_MAX + role] += nr_ops
    mem.role_fails[cpu * NR_ROLES_MAX + role] += failures
    mem.role_cycles[cpu * NR_ROLES_MAX + role] += cycles() - begin
    return failures
