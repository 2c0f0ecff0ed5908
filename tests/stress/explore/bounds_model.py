"""A CPU that writes beyond an array, one that waits in vain before it begins, and one that forgets to say how it went."""

from kernels.base.atomics import load_relaxed, store_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import SCRATCH_WORDS
from stress.explore.model import Model, small_geometry


@kernel
def steps(mem, cpu):
    """CPU 1 writes the word after the last one."""
    if cpu == 1:
        store_relaxed(mem.scratch, SCRATCH_WORDS, 7)
    return 0


@kernel
def forgetful_steps(mem, cpu):
    """A path without a result."""
    if load_relaxed(mem.scratch, 0) == 0:
        return 1
    return None


@kernel
def prepare(mem, cpu):
    """Nothing."""
    return 0


@kernel
def spinning_prepare(mem, cpu):
    """Wait for somebody who does not run yet."""
    while load_relaxed(mem.scratch, 0) == 0:
        pass
    return 0


MODEL = Model("bounds", "beyond an array", "-", small_geometry(2), prepare, steps, prepare, at_rest=False)
SPINNING = Model("spinning", "never begins", "-", small_geometry(1), spinning_prepare, prepare, prepare, at_rest=False)
FORGETFUL = Model("forgetful", "no result", "-", small_geometry(1), prepare, forgetful_steps, prepare, at_rest=False)
