"""Litmus programs as a model: what a CPU does is data, which lies with what it loads in its flight recorder, a tape that nobody shares.

Operations compile to what they are on x86: a store and a load to plain moves (relaxed), a fence to mfence or its like (seq_cst), an
exchange to a locked xchg. `cas` and `add` are locked, too; `lock` waits for a word as spin_lock() does, `unlock` releases it. Under PSO
a store that releases and an exchange that orders nothing are something else than the plain ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from kernels.base.atomics import (
    cas_acquire,
    cas_seq_cst,
    exchange_relaxed,
    exchange_seq_cst,
    fence_seq_cst,
    fetch_add_seq_cst,
    load_relaxed,
    store_relaxed,
    store_release,
)
from kernels.base.bug import relax
from kernels.base.jit import kernel
from kernels.base.layout import RING_EVENTS
from stress.explore.engine import Engine
from stress.explore.model import Model, small_geometry

(STOP, STORE, LOAD, FENCE, EXCHANGE, CAS, ADD, LOCK, UNLOCK, STORE_RELEASE, EXCHANGE_RELAXED) = range(11)
VARIABLE_STRIDE = 16  # words between variables: a line pair each
MAX_VARIABLES = 8
MAX_THREADS = 8
MASK48 = (1 << 48) - 1


@dataclass(frozen=True)
class Operation:
    """One operation of a program: kind, variable, value to write, and for `cas` the value expected."""

    kind: int
    variable: int = 0
    value: int = 0
    expected: int = 0


@kernel
def access(mem, cpu, at, kind, variable):  # type: ignore[no-untyped-def]
    """Make one operation of a program.

    Returns     the word seen
    Progress    blocking for a lock
    """
    value = mem.ring_result[at]
    if kind == STORE:
        store_relaxed(mem.contents, variable, value)
    elif kind == LOAD:
        return load_relaxed(mem.contents, variable)
    elif kind == FENCE:
        fence_seq_cst()  # ORDER: seq_cst, what the program says
    elif kind == EXCHANGE:
        return exchange_seq_cst(mem.contents, variable, value)  # ORDER: seq_cst, a locked xchg
    elif kind == CAS:
        return cas_seq_cst(mem.contents, variable, mem.ring_cycles[at], value)  # ORDER: seq_cst, a locked cmpxchg
    elif kind == ADD:
        return fetch_add_seq_cst(mem.contents, variable, value)  # ORDER: seq_cst, a locked xadd
    elif kind == LOCK:
        spins = 0
        # ORDER: acquire, pairs with the unlock before it
        while cas_acquire(mem.contents, variable, 0, 1) != 0:
            spins = relax(mem, cpu, spins)
    elif kind == UNLOCK:
        store_release(mem.contents, variable, 0)  # ORDER: release, pairs with the next lock
    elif kind == STORE_RELEASE:
        store_release(mem.contents, variable, value)  # ORDER: release, what the program says
    elif kind == EXCHANGE_RELAXED:
        return exchange_relaxed(mem.contents, variable, value)
    return 0


@kernel
def steps(mem, cpu):  # type: ignore[no-untyped-def]
    """Run a CPU's program from its tape.

    Returns     a digest of all words seen
    Progress    blocking
    """
    digest = 0
    for k in range(RING_EVENTS):
        at = cpu * RING_EVENTS + k
        kind = mem.ring_event[at]
        if kind == STOP:
            break
        seen = access(mem, cpu, at, kind, mem.ring_pfn[at] * VARIABLE_STRIDE)
        mem.ring_cycles[at + RING_EVENTS // 2] = seen
        digest = (digest * 1000003 + seen + 1) & MASK48
    return digest


@kernel
def prepare(mem, cpu):  # type: ignore[no-untyped-def]
    """The program is written on the tapes by Python.

    Returns     0
    """
    return 0


@kernel
def check(mem, cpu):  # type: ignore[no-untyped-def]
    """Python looks at the final states.

    Returns     0
    """
    return 0


def program_model(nr_threads: int) -> Model:
    """The model of programs of so many threads."""
    return Model(
        f"programs-{nr_threads}",
        "programs that are data",
        "litmus tests",
        small_geometry(nr_threads, frames_per_node=64),
        prepare,
        steps,
        check,
        at_rest=False,
    )


class Programs:
    """An engine that runs programs of up to MAX_THREADS threads, one after the other."""

    def __init__(self, memory: str) -> None:
        self.engine = Engine(program_model(MAX_THREADS), memory, races=False, privacy=False)

    def load(self, threads: Sequence[Sequence[Operation]], initial: Sequence[int]) -> None:
        """Write a program on the tapes, and the initial values of its variables."""
        arrays = self.engine.mem.arrays
        for cpu in range(MAX_THREADS):
            operations = threads[cpu] if cpu < len(threads) else ()
            for k, each in enumerate([*operations, Operation(STOP)]):
                at = cpu * RING_EVENTS + k
                arrays["ring_event"][at], arrays["ring_pfn"][at] = each.kind, each.variable
                arrays["ring_result"][at], arrays["ring_cycles"][at] = each.value, each.expected
        self.engine.set_tasks(len(threads))
        self.engine.put_back()
        for variable in range(MAX_VARIABLES):
            arrays["contents"][variable * VARIABLE_STRIDE] = initial[variable] if variable < len(initial) else 0

    def seen(self, cpu: int, k: int) -> int:
        """The word that operation k of a CPU saw in the schedule that ended last."""
        return int(self.engine.mem.arrays["ring_cycles"][cpu * RING_EVENTS + RING_EVENTS // 2 + k])

    def variable(self, number: int) -> int:
        """The value of a variable after the schedule that ended last."""
        return int(self.engine.mem.arrays["contents"][number * VARIABLE_STRIDE])
