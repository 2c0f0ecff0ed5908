"""Choices that several roles share: a task, a page, and whether a frame is isolated now."""

from kernels.base.atomics import load_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import FAMILY_TASKS, U_ISOLATED, U_STATE_MASK
from kernels.base.random import random_below
from kernels.page.memdesc import word_desc, word_type


@kernel
def pick_space(mem, cpu):
    """A task: in three of four cases of the CPU's own family, so that CPUs both share pages and race for them.

    Progress    wait-free
    """
    nr_families = mem.nr_tasks // FAMILY_TASKS
    family = cpu % nr_families if random_below(mem, cpu, 4) else random_below(mem, cpu, nr_families)
    return family * FAMILY_TASKS + random_below(mem, cpu, FAMILY_TASKS)


@kernel
def pick_anon_page(mem, cpu):
    """A virtual page of anonymous memory: in half of the cases one of the first 64, which all CPUs use.

    Progress    wait-free
    """
    if random_below(mem, cpu, 2):
        return random_below(mem, cpu, min(64, mem.anon_pages))
    return random_below(mem, cpu, mem.anon_pages)


@kernel
def pick_file_index(mem, cpu):
    """A page of a file: in one of four cases one of the first 32.

    Progress    wait-free
    """
    if random_below(mem, cpu, 4):
        return random_below(mem, cpu, mem.file_pages)
    return random_below(mem, cpu, min(32, mem.file_pages))


@kernel
def is_isolated_now(mem, pfn, kind):
    """Whether a frame heads an object of type `kind` that is isolated now (a hint): an access to it races with its migration.

    Progress    wait-free
    """
    word = load_relaxed(mem.memdesc, pfn)
    return word_type(word) == kind and load_relaxed(mem.u_word, word_desc(word)) & U_STATE_MASK == U_ISOLATED
