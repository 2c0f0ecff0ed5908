"""Ways to hand a plain word from CPU to CPU, right and wrong: a model whose variant is the first word of scratch."""

from kernels.base.atomics import (
    cas_acquire,
    cas_relaxed,
    cas_release,
    fence_seq_cst,
    fetch_add_relaxed,
    load_acquire,
    load_relaxed,
    store_relaxed,
    store_release,
)
from kernels.base.bug import relax
from kernels.base.jit import kernel
from stress.explore.model import Model, small_geometry

PAYLOAD, FLAG = 0, 16
#: name -> whether plain accesses race. The number of a variant is its place here
VARIANTS = {
    "nothing": True,
    "release, acquire": False,
    "relaxed, acquire": True,
    "release, relaxed": True,
    "two fences": False,
    "a fence of the writer alone": True,
    "a fence of the reader alone": True,
    "release, relaxed addition, acquire": False,
    "release, relaxed store over it, acquire": True,
    "lock": False,
    "lock given back relaxed": True,
    "atomic store, plain load": True,
    "plain store, atomic load": True,
    "atomic store, atomic load": False,
    "acquire of a compare-and-exchange that fails": False,
    "release of a compare-and-exchange that fails": True,
    "plain loads": False,
}
NAMES = tuple(VARIANTS)
(NOTHING, MP, MP_RELAXED_STORE, MP_RELAXED_LOAD, FENCES, WRITER_FENCE, READER_FENCE, SEQUENCE, BROKEN_SEQUENCE, LOCK, WEAK_LOCK,
 ATOMIC_STORE, ATOMIC_LOAD, ATOMICS, CAS_FAILS_ACQUIRE, CAS_FAILS_RELEASE, LOADS) = range(len(VARIANTS))  # fmt: skip


@kernel
def send(mem, variant):
    """Write the payload, raise the flag."""
    mem.contents[PAYLOAD] = 1
    if variant in (MP, MP_RELAXED_LOAD, SEQUENCE, BROKEN_SEQUENCE, CAS_FAILS_ACQUIRE):
        store_release(mem.contents, FLAG, 1)  # ORDER: release, pairs with receive()
    elif variant == CAS_FAILS_RELEASE:
        cas_release(mem.contents, FLAG, 7, 1)  # ORDER: release, of a store that is not made
        store_relaxed(mem.contents, FLAG, 1)
    else:
        if variant in (FENCES, WRITER_FENCE):
            fence_seq_cst()  # ORDER: seq_cst, in the place of a release
        store_relaxed(mem.contents, FLAG, 1)


@kernel
def receive(mem, variant):
    """Read the payload if the flag is up."""
    wanted = 3 if variant in (SEQUENCE, BROKEN_SEQUENCE) else 1
    if variant in (MP_RELAXED_LOAD, FENCES, WRITER_FENCE, READER_FENCE):
        seen = load_relaxed(mem.contents, FLAG)
    elif variant == CAS_FAILS_ACQUIRE:
        seen = cas_acquire(mem.contents, FLAG, 7, 8)  # ORDER: acquire, pairs with send()
    else:
        seen = load_acquire(mem.contents, FLAG)  # ORDER: acquire, pairs with send()
    if variant in (FENCES, READER_FENCE):
        fence_seq_cst()  # ORDER: seq_cst, in the place of an acquire
    return mem.contents[PAYLOAD] if seen == wanted else 0


@kernel
def pass_on(mem, variant):
    """Make of the flag what does, or does not, continue the release sequence."""
    if variant == SEQUENCE:
        fetch_add_relaxed(mem.contents, FLAG, 2)
    elif load_relaxed(mem.contents, FLAG) == 1:
        store_relaxed(mem.contents, FLAG, 3)


@kernel
def locked(mem, cpu, variant):
    """Add to the payload under a lock."""
    spins = 0
    while cas_acquire(mem.contents, FLAG, 0, 1) != 0:  # ORDER: acquire, pairs with the owner's release
        spins = relax(mem, cpu, spins)
    mem.contents[PAYLOAD] += 1
    if variant == LOCK:
        store_release(mem.contents, FLAG, 0)  # ORDER: release, pairs with the next owner's acquire
    else:
        cas_relaxed(mem.contents, FLAG, 1, 0)


@kernel
def steps(mem, cpu):
    """A writer, a reader, and between them one who passes on."""
    variant = mem.scratch[0]
    if variant in (LOCK, WEAK_LOCK):
        locked(mem, cpu, variant)
    elif variant in (ATOMIC_STORE, ATOMIC_LOAD, ATOMICS, LOADS, NOTHING):
        if cpu == 0 and variant == LOADS:
            return mem.contents[PAYLOAD]
        if cpu == 0 and variant in (ATOMIC_LOAD, NOTHING):
            mem.contents[PAYLOAD] = 1
        elif cpu == 0:
            store_relaxed(mem.contents, PAYLOAD, 1)
        elif cpu == 1 and variant in (ATOMIC_LOAD, ATOMICS):
            return load_relaxed(mem.contents, PAYLOAD)
        elif cpu == 1:
            return mem.contents[PAYLOAD]
    elif cpu == 0:
        send(mem, variant)
    elif cpu == 1:
        return receive(mem, variant)
    elif variant in (SEQUENCE, BROKEN_SEQUENCE):
        pass_on(mem, variant)
    return 0


@kernel
def prepare(mem, cpu):
    """Python writes the variant down."""
    return 0


@kernel
def check(mem, cpu):
    """Nothing to look at."""
    return 0


MODEL = Model("races", "ways to hand a word on", "C11", small_geometry(3, words_per_frame=32), prepare, steps, check, at_rest=False)
