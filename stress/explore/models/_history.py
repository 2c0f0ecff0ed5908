"""How the tasks of a model record their operations, for stress/explore/linearizability.py.

The records and the clock are words of the machine, so that different histories are different final states, and every strategy sees
who reads the clock and who advances it. A return is a relaxed read-modify-write: it orders nothing in the eyes of the race detector, but
under x86-TSO an operation's stores have reached memory when it returns.
"""

from kernels.base.atomics import fetch_add_relaxed, load_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import GANG
from stress.explore.linearizability import INVOKED_SHIFT, KEY_SHIFT, RESULT_SHIFT, RETURNED_SHIFT

CLOCK = 0  # the word of gang_desc


@kernel
def invoke(mem):
    """The moment at which an operation begins."""
    return load_relaxed(mem.gang_desc, CLOCK)


@kernel
def record(mem, cpu, invoked, name, key, result):
    """An operation has returned.

    Parameters  name: its number in the oracle; result: -1 or more
    """
    returned = fetch_add_relaxed(mem.gang_desc, CLOCK, 1) + 1
    number = mem.gang_word[cpu * GANG] + 1
    said = name | key << KEY_SHIFT | (result + 1) << RESULT_SHIFT
    mem.gang_word[cpu * GANG + number] = said | invoked << INVOKED_SHIFT | returned << RETURNED_SHIFT
    mem.gang_word[cpu * GANG] = number
