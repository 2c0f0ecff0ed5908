"""Two CPUs that add to a word by a load and a store: one preemption between them loses an update. Other accesses need no preemption."""

from kernels.base.atomics import load_relaxed, store_relaxed
from kernels.base.bug import bug
from kernels.base.jit import kernel
from kernels.base.layout import BUG_WORD_CHANGED
from stress.explore.model import Model, small_geometry

SUM, NOISE, ROUNDS = 0, 1, 3


@kernel
def steps(mem, cpu):
    """Store to a word that only the other CPU reads, some times before the addition and after it.

    Returns     the sum that this CPU has stored
    """
    for _ in range(ROUNDS):
        store_relaxed(mem.scratch, NOISE + cpu, 1)
        load_relaxed(mem.scratch, NOISE + 1 - cpu)
    total = load_relaxed(mem.scratch, SUM) + 1
    store_relaxed(mem.scratch, SUM, total)
    for _ in range(ROUNDS):
        load_relaxed(mem.scratch, NOISE + 1 - cpu)
        store_relaxed(mem.scratch, NOISE + cpu, 0)
    return total


@kernel
def prepare(mem, cpu):
    """Nothing.

    Returns     0
    """
    return 0


@kernel
def check(mem, cpu):
    """Every addition counts.

    Returns     0
    """
    if load_relaxed(mem.scratch, SUM) != mem.nr_cpus:
        bug(mem, cpu, BUG_WORD_CHANGED, 0, load_relaxed(mem.scratch, SUM), mem.nr_cpus)
    return 0


MODEL = Model("lost-update", "additions that are not atomic", "-", small_geometry(2), prepare, steps, check, at_rest=False)
