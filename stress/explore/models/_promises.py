"""What calls promise of their cost and their success, beside the invariants. A model reports a broken promise by BUG_PROMISE."""

from kernels.base.bug import bug
from kernels.base.jit import kernel
from kernels.base.layout import BUG_PROMISE, COUNTER_STRIDE


@kernel
def expect(mem, cpu, seen, wanted):
    """A bug if a call did not do what it promises."""
    if seen != wanted:
        bug(mem, cpu, BUG_PROMISE, -1, seen, wanted)


@kernel
def counted(mem, cpu, item):
    """How often a CPU has counted an item. Counters are not put back between schedules, so only differences mean something."""
    return mem.counters[cpu * COUNTER_STRIDE + item]
