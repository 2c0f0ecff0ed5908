"""What loads may return under RMO: a model whose variant is the first word of scratch."""

from kernels.base.atomics import (
    cas_relaxed,
    fence_seq_cst,
    fetch_add_acquire,
    fetch_add_relaxed,
    load_acquire,
    load_relaxed,
    store_relaxed,
    store_release,
)
from kernels.base.bug import bug, relax
from kernels.base.jit import kernel
from kernels.base.layout import BUG_WORD_CHANGED
from stress.explore.model import Model, small_geometry

DATA, FLAG, NOISE, OWN = 0, 16, 32, 48
#: name -> whether readers see one word as it is and the other, or the same one later, as it was, which PSO forbids
VARIANTS = {
    "relaxed": True,
    "acquire": False,
    "acquire behind relaxed": True,
    "two acquires": False,
    "fence": False,
    "relaxed addition between": True,
    "acquiring addition between": False,
    "one word twice": False,
    "one word, a compare-and-exchange that fails": False,
    "one word, an own store": False,
    "plain": False,
    "after a spin": True,
    "four, relaxed": True,
    "four, acquire": False,
    "asserted": True,
}
NAMES = tuple(VARIANTS)
(RELAXED, ACQUIRE, ACQUIRE_BEHIND, ACQUIRES, FENCE, RMW, RMW_ACQUIRE, CORR, CAS, OWN_STORE, PLAIN, SPIN, IRIW, IRIW_ACQUIRE,
 ASSERTED) = range(len(VARIANTS))  # fmt: skip


@kernel
def first_load(mem, cpu, variant, word):
    """The load that is ordered before the second one, or is not."""
    if variant in (ACQUIRE, ACQUIRES, IRIW_ACQUIRE):
        return load_acquire(mem.contents, word)  # ORDER: acquire, what the variant says
    if variant == CAS:
        return cas_relaxed(mem.contents, word, 7, 8)
    seen = load_relaxed(mem.contents, word)
    if variant == SPIN:
        spins = 0
        while seen == 0:
            spins = relax(mem, cpu, spins)
            seen = load_relaxed(mem.contents, word)
    if variant == FENCE:
        fence_seq_cst()  # ORDER: seq_cst, what the variant says
    if variant == RMW:
        fetch_add_relaxed(mem.contents, OWN, 1)
    if variant == RMW_ACQUIRE:
        fetch_add_acquire(mem.contents, OWN, 1)  # ORDER: acquire, what the variant says
    return seen


@kernel
def second_load(mem, variant, word):
    """The load that may be early."""
    if variant in (ACQUIRE_BEHIND, ACQUIRES):
        return load_acquire(mem.contents, word)  # ORDER: acquire, what the variant says
    return mem.contents[word] if variant == PLAIN else load_relaxed(mem.contents, word)


@kernel
def read(mem, cpu, variant):
    """Two words, and 10 times the first one more than the second."""
    one_word = variant in (CORR, CAS)
    if variant == ASSERTED:
        load_relaxed(mem.contents, NOISE)
    if variant == OWN_STORE:
        fetch_add_relaxed(mem.contents, DATA, 1)
        return 10 if load_relaxed(mem.contents, DATA) == 0 else 0
    if cpu == 3:
        first = first_load(mem, cpu, variant, DATA)
        return 10 * first + second_load(mem, variant, FLAG)
    first = first_load(mem, cpu, variant, FLAG)
    if variant == ASSERTED:
        load_relaxed(mem.contents, NOISE)
    second = second_load(mem, variant, FLAG if one_word else DATA)
    if variant == ASSERTED and first == 1 and second == 0:
        bug(mem, cpu, BUG_WORD_CHANGED, 0, second, 1)
    return 10 * first + second


@kernel
def steps(mem, cpu):
    """A writer of both words, or one of each, and readers."""
    variant = mem.scratch[0]
    if variant in (IRIW, IRIW_ACQUIRE):
        if cpu < 2:
            store_relaxed(mem.contents, FLAG if cpu == 0 else DATA, 1)
            return 0
        return read(mem, cpu, variant)
    if cpu == 0:
        if variant == ASSERTED:
            store_relaxed(mem.contents, NOISE, 1)
        store_relaxed(mem.contents, DATA, 1)
        store_release(mem.contents, FLAG, 1)  # ORDER: release, of the data; what readers pair with it is the variant
    return read(mem, cpu, variant) if cpu == 1 else 0


@kernel
def prepare(mem, cpu):
    """The variant that fails, until Python writes another one down."""
    mem.scratch[0] = ASSERTED
    return 0


@kernel
def check(mem, cpu):
    """Nothing to look at."""
    return 0


MODEL = Model("rmo", "what loads may return", "C11", small_geometry(4, words_per_frame=32), prepare, steps, check, at_rest=False)
