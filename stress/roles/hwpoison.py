"""Role hwpoison: random frames are soft-offlined, and after a while unpoisoned."""

from kernels.base.jit import kernel
from kernels.base.layout import POISONED
from kernels.base.random import random_below
from kernels.policy.hwpoison import soft_offline_page, unpoison_memory
from stress.roles._role import Role


@kernel
def hwpoison_step(mem, cpu):
    """Soft-offline a random frame, or unpoison the one of this CPU's that was poisoned first.

    Returns     0, or -EBUSY if the frame cannot be moved or was allocated meanwhile
    Progress    bounded
    """
    held, base = mem.poison_count[cpu], cpu * POISONED
    if random_below(mem, cpu, POISONED) < held:
        pfn = mem.poison_pfn[base]
        for k in range(held - 1):
            mem.poison_pfn[base + k] = mem.poison_pfn[base + k + 1]
        mem.poison_count[cpu] = held - 1
        unpoison_memory(mem, cpu, pfn)
        return 0
    pfn = random_below(mem, cpu, mem.nr_frames)
    result = soft_offline_page(mem, cpu, pfn)
    if result == 0:
        mem.poison_pfn[base + held] = pfn
        mem.poison_count[cpu] = held + 1
    return result


ROLE = Role("hwpoison", "random frames, free or in use, are soft-offlined and later unpoisoned", hwpoison_step)
