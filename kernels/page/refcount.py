"""The reference count of a descriptor: the transitions of the count alone. A put that may free is in alloc/release.py.

Models      include/linux/page_ref.h (torvalds/linux 0c8ea05e); refcount = frozen-bit: "mm: implement page refcount locking via
            dedicated bit" (Gladyshev, v1, February 2026); P2, P4
Differs     gets, freezes and the freeze of the last put acquire only, where Linux's are fully ordered: none of them publishes anything, and
            page-table entries that were changed before a freeze are ordered by the full barrier of their flush
            frozen-bit: every adder that finds the bit set tries once to undo its addition, not only when the count is large
Invariants  I3: a frozen count means that the object is free or frozen; only the freezer or the allocator unfreezes it; I5
Protocol    get: add unless frozen, acquire; put: release, and acquire for the put that frees; freeze: n -> frozen, acquire;
            unfreeze: a release store, which makes what was done while frozen visible to the next get.
            cas: frozen is 0, and a get is a loop of compare-and-exchange.
            frozen-bit: frozen is negative, a get adds first and checks afterwards, and 0 is alive: the last put freezes 0; if a
            get came first, the owner of that reference frees.
"""

from kernels.base import counter
from kernels.base.atomics import (
    cas_acquire,
    cas_relaxed,
    fetch_add_acq_rel,
    fetch_add_acquire,
    fetch_add_relaxed,
    load_relaxed,
    store_release,
)
from kernels.base.bug import bug
from kernels.base.flavour import CHECKED
from kernels.base.jit import kernel, slow_kernel
from kernels.base.layout import BUG_REFCOUNT_UNDERFLOW, BUG_UNFREEZE_LIVE, FROZEN, REFCOUNT_FROZEN_BIT
from kernels.base.vmstat import count


@slow_kernel
def count_failed_cmpxchg(mem, cpu):
    """Count one turn of a retry loop. Out of line, so that a success does not jump over it.

    Progress    wait-free
    """
    count(mem, cpu, counter.CMPXCHG_FAILED, 1)


@kernel
def is_frozen(mem, value):
    """Whether a count is that of an object that is free or frozen.

    Progress    wait-free
    """
    return value < 0 if mem.policy_refcount == REFCOUNT_FROZEN_BIT else value == 0


@kernel
def frozen_value(mem):
    """The value of a frozen count.

    Progress    wait-free
    """
    return FROZEN if mem.policy_refcount == REFCOUNT_FROZEN_BIT else 0


@kernel
def add_unless_frozen(mem, desc):
    """Add one to the count, then check whether that took a reference.

    Models      page_ref_add_unless_zero() with PAGEREF_FROZEN_BIT
    Returns     True if the caller now owns one reference
    Progress    wait-free
    """
    # ORDER: acquire, pairs with ref_unfreeze; a get publishes nothing
    before = fetch_add_acquire(mem.refcount, desc, 1)
    if before >= 0:
        return True
    # ORDER: relaxed: the failed get reads nothing. The cas fails if another adder came later, which then undoes both additions, or if
    # the count was unfrozen by a store that overwrote the addition. It never subtracts: by then that could drop another CPU's reference.
    cas_relaxed(mem.refcount, desc, before + 1, FROZEN)
    return False


@kernel
def ref_try_get(mem, cpu, desc):
    """Take a reference unless the count is zero (freed or frozen; the caller cannot tell which).

    Models      folio_try_get() / page_ref_add_unless_zero(), include/linux/page_ref.h
    Returns     True if the caller now owns one reference
    Progress    lock-free; a retry means that another CPU moved the count
    """
    if mem.policy_refcount == REFCOUNT_FROZEN_BIT:
        return add_unless_frozen(mem, desc)
    while True:
        old = load_relaxed(mem.refcount, desc)
        if old <= 0:
            return False
        # ORDER: acquire, pairs with ref_unfreeze; a get publishes nothing, and every read-modify-write continues its release sequence
        if cas_acquire(mem.refcount, desc, old, old + 1) == old:
            return True
        count_failed_cmpxchg(mem, cpu)


@kernel
def ref_get(mem, desc, nr_refs):
    """Take references while already holding one.

    Models      folio_ref_add(), include/linux/page_ref.h
    Progress    wait-free
    """
    fetch_add_relaxed(mem.refcount, desc, nr_refs)


@kernel
def ref_put_testzero(mem, cpu, desc, nr_refs):
    """Give references back.

    Models      folio_ref_sub_and_test(), include/linux/page_ref.h
    Returns     True if that was the last one: the caller must free
    Progress    wait-free
    """
    # The result is only compared for equality: that compiles to a subtraction that sets flags, which the processor overlaps with the next
    # misses. With a test of the sign, a random get + put took 1.15 times as long, with an exchange-and-add 1.4 times. So the checked
    # flavours find a count below zero here; in the fast flavour the next unfreeze, which expects it frozen, or the checkers at rest do.
    # ORDER: release, this CPU's accesses come before the free; acquire, for the put that frees, pairs with the other puts' releases
    old = fetch_add_acq_rel(mem.refcount, desc, -nr_refs)
    if CHECKED:
        if old < nr_refs:
            bug(mem, cpu, BUG_REFCOUNT_UNDERFLOW, mem.folio_pfn[desc], old - nr_refs, nr_refs)
    if old != nr_refs:
        return False
    if mem.policy_refcount == REFCOUNT_FROZEN_BIT:
        # ORDER: acquire, for the put that frees. If a get came first, its owner puts last.
        if cas_acquire(mem.refcount, desc, 0, FROZEN) != 0:
            count(mem, cpu, counter.MET_PUT_LOST_TO_A_GET, 1)
            return False
    return True


@kernel
def ref_freeze(mem, cpu, desc, expected):
    """Take the count from exactly `expected` to frozen, so that no CPU can take a reference.

    Models      folio_ref_freeze(), include/linux/page_ref.h
    Returns     True if it is frozen now
    Progress    wait-free
    """
    count(mem, cpu, counter.CMPXCHG_TRIED, 1)
    # ORDER: acquire: reads of the frozen object stay after it. It publishes nothing; Linux's cmpxchg is fully ordered
    if cas_acquire(mem.refcount, desc, expected, frozen_value(mem)) == expected:
        return True
    count(mem, cpu, counter.CMPXCHG_FAILED, 1)
    return False


@kernel
def ref_unfreeze(mem, cpu, desc, nr_refs):
    """Unfreeze: what was done while frozen becomes visible to the next get.

    Models      folio_ref_unfreeze(), include/linux/page_ref.h
    Progress    wait-free
    """
    seen = load_relaxed(mem.refcount, desc)
    if not is_frozen(mem, seen) or nr_refs <= 0:
        bug(mem, cpu, BUG_UNFREEZE_LIVE, mem.folio_pfn[desc], seen, nr_refs)
    # ORDER: release, pairs with the acquire of ref_try_get
    store_release(mem.refcount, desc, nr_refs)
