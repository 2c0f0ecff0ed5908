"""Programs that are data: each CPU's operations, and what they load, are in its flight recorder, a tape that no other CPU touches.

Operations compile to what they are on x86: a store and a load to plain moves (relaxed), a fence to mfence or its like (seq_cst), an
exchange to a locked xchg. `cas` and `add` are locked, too; `lock` waits for a word as spin_lock() does, `unlock` releases it, `spin`
waits until a word is not 0. Under PSO a release store differs from a plain one, and a relaxed exchange from a locked one.
The explored flavour schedules them (programs.py), the fast one runs them on real processors (real.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kernels.base.atomics import (
    cas_acquire,
    cas_seq_cst,
    exchange_relaxed,
    exchange_seq_cst,
    fence_seq_cst,
    fetch_add_seq_cst,
    load_acquire,
    load_relaxed,
    store_relaxed,
    store_release,
)
from kernels.base.bug import relax
from kernels.base.jit import kernel
from kernels.base.layout import RING_EVENTS

(STOP, STORE, LOAD, FENCE, EXCHANGE, CAS, ADD, LOCK, UNLOCK, STORE_RELEASE, EXCHANGE_RELAXED, SPIN) = range(12)
VARIABLE_STRIDE = 16  # words from one variable to the next: a pair of cache lines each
MAX_VARIABLES = 64
MAX_THREADS = 8


@dataclass(frozen=True)
class Operation:
    """One operation of a program: kind, variable, value to write, and for `cas` the value expected."""

    kind: int
    variable: int = 0
    value: int = 0
    expected: int = 0


@kernel
def wait(mem, cpu, kind, variable):  # type: ignore[no-untyped-def]
    """Take a lock, or wait until a word is not 0.

    Progress    blocking
    """
    spins = 0
    if kind == LOCK:
        # ORDER: acquire, pairs with the unlock before it
        while cas_acquire(mem.contents, variable, 0, 1) != 0:
            spins = relax(mem, cpu, spins)
    else:
        # ORDER: acquire, pairs with the release that wrote the word, if it was one
        while load_acquire(mem.contents, variable) == 0:
            spins = relax(mem, cpu, spins)


@kernel
def access(mem, cpu, at, kind, variable):  # type: ignore[no-untyped-def]
    """Make one operation of a program, the one at `at` of the tapes, on a word of `contents`.

    Returns     the word seen
    Progress    blocking for LOCK and SPIN, else bounded
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
    elif kind == LOCK or kind == SPIN:
        wait(mem, cpu, kind, variable)
    elif kind == UNLOCK:
        store_release(mem.contents, variable, 0)  # ORDER: release, pairs with the next lock
    elif kind == STORE_RELEASE:
        store_release(mem.contents, variable, value)  # ORDER: release, what the program says
    elif kind == EXCHANGE_RELAXED:
        return exchange_relaxed(mem.contents, variable, value)
    return 0


def write_tapes(arrays: Any, threads: Sequence[Sequence[Operation]], nr_cpus: int) -> None:
    """Write a program on the tapes of a machine; a CPU without a thread stops immediately."""
    for cpu in range(nr_cpus):
        operations = threads[cpu] if cpu < len(threads) else ()
        for k, each in enumerate([*operations, Operation(STOP)]):
            at = cpu * RING_EVENTS + k
            arrays["ring_event"][at], arrays["ring_pfn"][at] = each.kind, each.variable
            arrays["ring_result"][at], arrays["ring_cycles"][at] = each.value, each.expected
