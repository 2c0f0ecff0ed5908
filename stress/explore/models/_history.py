"""How the CPUs of a model record their operations, for stress/explore/linearizability.py.

The records and the clock are words of the machine, so different histories are different final states, and the strategies choose between
CPUs that read the clock and CPUs that advance it. A return releases and an invocation acquires: the stores of an operation have reached
memory when it returns, and no load of it is made before it begins, under every memory model. So an operation that returned before another
one began happens before it for the race detector, too. Linearizability is about that order.
"""

from kernels.base.atomics import fetch_add_release, load_acquire
from kernels.base.jit import kernel
from stress.explore.linearizability import CLOCK, HISTORY, HISTORY_WORDS, INVOKED_SHIFT, KEY_SHIFT, RESULT_SHIFT, RETURNED_SHIFT


@kernel
def invoke(mem):
    """The moment at which an operation begins."""
    return load_acquire(mem.scratch, CLOCK)  # ORDER: acquire, pairs with record()


@kernel
def record(mem, cpu, invoked, name, key, result):
    """Record an operation that has returned.

    Parameters  name: its number in the oracle; result: -1 or more
    """
    returned = fetch_add_release(mem.scratch, CLOCK, 1) + 1  # ORDER: release, the operation's stores come before
    row = HISTORY + cpu * HISTORY_WORDS
    number = mem.scratch[row] + 1
    outcome = name | key << KEY_SHIFT | (result + 1) << RESULT_SHIFT
    mem.scratch[row + number] = outcome | invoked << INVOKED_SHIFT | returned << RETURNED_SHIFT
    mem.scratch[row] = number
