"""Choices that several roles share: which task, which page, and what a scanner holds at this moment."""

from kernels.base.atomics import load_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import FAMILY_TASKS, U_ISOLATED, U_STATE_MASK
from kernels.base.random import random_below
from kernels.page.memdesc import word_desc, word_type


@kernel
def pick_space(mem, cpu):
    """A task: three times out of four of the CPU's own family, so that there is something to share and something to race.

    Progress    wait-free
    """
    nr_families = mem.nr_tasks // FAMILY_TASKS
    family = cpu % nr_families if random_below(mem, cpu, 4) else random_below(mem, cpu, nr_families)
    return family * FAMILY_TASKS + random_below(mem, cpu, FAMILY_TASKS)


@kernel
def pick_anon_page(mem, cpu):
    """A virtual page of anonymous memory: half of the time one of the 64 that everybody uses.

    Progress    wait-free
    """
    if random_below(mem, cpu, 2):
        return random_below(mem, cpu, min(64, mem.anon_pages))
    return random_below(mem, cpu, mem.anon_pages)


@kernel
def pick_file_index(mem, cpu):
    """A page of a file, one in four times one of the first 32.

    Progress    wait-free
    """
    if random_below(mem, cpu, 4):
        return random_below(mem, cpu, mem.file_pages)
    return random_below(mem, cpu, min(32, mem.file_pages))


@kernel
def is_isolated_now(mem, pfn, kind):
    """Whether a frame heads an object of type `kind` that somebody has isolated (a hint): who meets it now races its migration.

    Progress    wait-free
    """
    word = load_relaxed(mem.memdesc, pfn)
    return word_type(word) == kind and load_relaxed(mem.u_word, word_desc(word)) & U_STATE_MASK == U_ISOLATED
