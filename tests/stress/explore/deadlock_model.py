"""Three CPUs that take two locks each in a ring: a seeded deadlock."""

from kernels.base.jit import kernel
from kernels.base.lock import spin_lock, spin_unlock
from stress.explore.model import Model, small_geometry

ROUNDS = 3


@kernel
def steps(mem, cpu):
    """Take the own lock, then the next CPU's, some times."""
    for _ in range(ROUNDS):
        spin_lock(mem, cpu, cpu, 0)
        spin_lock(mem, cpu, (cpu + 1) % 3, 0)
        spin_unlock(mem, cpu, (cpu + 1) % 3)
        spin_unlock(mem, cpu, cpu)
    return 0


@kernel
def prepare(mem, cpu):
    """Nothing."""
    return 0


@kernel
def check(mem, cpu):
    """Nothing."""
    return 0


MODEL = Model("ring", "locks in a ring", "L2", small_geometry(3), prepare, steps, check, at_rest=False)
