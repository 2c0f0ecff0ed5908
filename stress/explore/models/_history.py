"""How the tasks of a model record their operations, for stress/explore/linearizability.py.

The records and the clock are words of the machine, so that different histories are different final states, and every strategy sees
who reads the clock and who advances it. A return releases and a beginning acquires: an operation's stores have reached memory when it
returns, and none of its loads is made before it begins, whatever the memory model. Who has returned before somebody begins is
ordered before him, for the race detector, too: that is the order that linearizability is about.
"""

from kernels.base.atomics import fetch_add_release, load_acquire
from kernels.base.jit import kernel
from kernels.base.layout import GANG
from stress.explore.linearizability import INVOKED_SHIFT, KEY_SHIFT, RESULT_SHIFT, RETURNED_SHIFT

CLOCK = 0  # the word of gang_desc


@kernel
def invoke(mem):
    """The moment at which an operation begins."""
    return load_acquire(mem.gang_desc, CLOCK)  # ORDER: acquire, pairs with record()


@kernel
def record(mem, cpu, invoked, name, key, result):
    """An operation has returned.

    Parameters  name: its number in the oracle; result: -1 or more
    """
    returned = fetch_add_release(mem.gang_desc, CLOCK, 1) + 1  # ORDER: release, what was done is there
    number = mem.gang_word[cpu * GANG] + 1
    said = name | key << KEY_SHIFT | (result + 1) << RESULT_SHIFT
    mem.gang_word[cpu * GANG + number] = said | invoked << INVOKED_SHIFT | returned << RETURNED_SHIFT
    mem.gang_word[cpu * GANG] = number
