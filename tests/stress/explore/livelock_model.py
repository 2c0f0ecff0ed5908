"""CPUs that get nowhere, CPUs that only seem to, and one that takes long: the word VARIANT says which."""

from kernels.base.atomics import fetch_add_relaxed, load_relaxed, store_relaxed
from kernels.base.bug import relax
from kernels.base.jit import kernel
from stress.explore.model import Model, small_geometry

VARIANT, WORDS = range(2)  # scratch: the variant; from WORDS on, what the CPUs write and read
UNDO, POLL, YIELD, UNDO_ENDS, POLL_ENDS, COUNT = range(6)
NEVER_END, END = (UNDO, POLL, YIELD), (UNDO_ENDS, POLL_ENDS)
TURNS, COUNTED = 40, 4500


@kernel
def undo(mem, cpu, turns):
    """Make the word one's own, and look, so many times; for ever if that is 0."""
    made = 0
    while turns == 0 or made < turns:
        store_relaxed(mem.scratch, WORDS, cpu)
        load_relaxed(mem.scratch, WORDS)
        made += 1


@kernel
def yield_to_each_other(mem, cpu):
    """Offer, see that the other offers, take it back, and let it go first: for ever."""
    spins = 0
    while True:
        store_relaxed(mem.scratch, WORDS + cpu, 1)
        load_relaxed(mem.scratch, WORDS + 1 - cpu)
        store_relaxed(mem.scratch, WORDS + cpu, 0)
        spins = relax(mem, cpu, spins)


@kernel
def steps(mem, cpu):
    """What the variant says."""
    variant = mem.scratch[VARIANT]
    if variant == UNDO:
        undo(mem, cpu, 0)
    elif variant == UNDO_ENDS:
        undo(mem, cpu, TURNS)
    elif variant == YIELD:
        yield_to_each_other(mem, cpu)
    elif variant == POLL or (variant == POLL_ENDS and cpu == 0):  # for a word that nobody, or the other CPU, writes
        while load_relaxed(mem.scratch, WORDS + 2 + (variant == POLL) * cpu) == 0:
            pass
    elif variant == POLL_ENDS:
        store_relaxed(mem.scratch, WORDS + 2, 1)
    elif variant == COUNT:
        for _ in range(COUNTED):
            fetch_add_relaxed(mem.scratch, WORDS, 1)
    return 0


@kernel
def prepare(mem, cpu):
    """Nothing."""
    return 0


@kernel
def check(mem, cpu):
    """Nothing."""
    return 0


MODEL = Model("livelock", "for ever", "L2", small_geometry(2), prepare, steps, check, at_rest=False)
