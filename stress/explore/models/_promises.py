"""What calls promise of their cost and their success: no invariant, but what they are there for. A model says so by BUG_PROMISE."""

from kernels.base.bug import bug
from kernels.base.jit import kernel
from kernels.base.layout import BUG_PROMISE, COUNTER_STRIDE


@kernel
def expect(mem, cpu, seen, wanted):
    """A bug if what a call did is not what it promises."""
    if seen != wanted:
        bug(mem, cpu, BUG_PROMISE, -1, seen, wanted)


@kernel
def counted(mem, cpu, item):
    """How often a CPU has counted something; counters are not put back between schedules, so only differences say anything."""
    return mem.counters[cpu * COUNTER_STRIDE + item]
