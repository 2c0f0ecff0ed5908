"""Role ksm: looks for two tasks of a family with the same page, and merges what they have."""

from kernels.base.jit import kernel
from kernels.base.layout import FAMILY_TASKS
from kernels.base.random import random_below
from kernels.policy.ksm import ksm_merge
from stress.roles._pick import pick_anon_page, pick_space
from stress.roles._role import Role

PAGES_SEEN = 16


@kernel
def ksm_step(mem, cpu):
    """Compare PAGES_SEEN pages of two tasks, merging those that are the same.

    Returns     mappings of KSM pages that were made
    Progress    bounded, blocking
    """
    space = pick_space(mem, cpu)
    other = space - space % FAMILY_TASKS + (space + 1 + random_below(mem, cpu, FAMILY_TASKS - 1)) % FAMILY_TASKS
    merged = 0
    for _ in range(PAGES_SEEN):
        merged += ksm_merge(mem, cpu, space, other, pick_anon_page(mem, cpu))
    return merged


ROLE = Role("ksm", "pages of a family with the same contents made one, read-only, until somebody writes", ksm_step)
