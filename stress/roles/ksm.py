"""Role ksm: pages of two tasks of a family are compared and, if their contents are equal, merged."""

from kernels.base.jit import kernel
from kernels.base.layout import FAMILY_TASKS
from kernels.base.random import random_below
from kernels.policy.ksm import ksm_merge
from stress.roles._pick import pick_anon_page, pick_space
from stress.roles._role import Role

PAGES_SEEN = 16


@kernel
def ksm_step(mem, cpu):
    """Compare PAGES_SEEN pages of two tasks, and merge those with equal contents.

    Returns     mappings of KSM pages that were made
    Progress    bounded, blocking
    """
    space = pick_space(mem, cpu)
    other = space - space % FAMILY_TASKS + (space + 1 + random_below(mem, cpu, FAMILY_TASKS - 1)) % FAMILY_TASKS
    merged = 0
    for _ in range(PAGES_SEEN):
        merged += ksm_merge(mem, cpu, space, other, pick_anon_page(mem, cpu))
    return merged


ROLE = Role("ksm", "pages of a family with equal contents are merged, read-only, until a task writes", ksm_step)
