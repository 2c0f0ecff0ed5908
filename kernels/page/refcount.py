"""The reference count of a descriptor: the transitions of the count alone. A put that may free stands in alloc/release.py.

Models      include/linux/page_ref.h (torvalds/linux 0c8ea05e); refcount = frozen-bit: "mm: implement page refcount locking via
            dedicated bit" (Gladyshev, v2, April 2026), as linux-mm.md 1.2 tells it
Differs     gets, freezes and the freeze of the last put acquire only, where Linux's are fully ordered: none of them publishes anything, and
            page-table entries that were changed before a freeze are ordered by the full barrier of their flush
            frozen-bit: every adder that meets the bit tries once to take its addition back, not only when the count is large
Invariants  I3: frozen means free or frozen, and only the freezer or the allocator leaves it; I5
Protocol    get: add unless frozen, acquire; put: release, and acquire for the one that frees; freeze: n -> frozen, acquire;
            unfreeze: a release store, which makes what was done while frozen visible to the next get.
            cas: frozen is 0, and a get is a loop of compare-and-exchange.
            frozen-bit: frozen is negative, a get adds first and looks afterwards, and 0 is alive: who puts last freezes 0, and
            if a get was faster, leaves the freeing to its owner.
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
    """Count one turn of a retry loop, out of line: in line, it is what a success jumps over.

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
    """What freezing leaves in a count.

    Progress    wait-free
    """
    return FROZEN if mem.policy_refcount == REFCOUNT_FROZEN_BIT else 0


@kernel
def add_unless_frozen(mem, desc):
    """Add a reference, and find out whether that was one.

    Models      page_ref_add_unless_zero() with PAGEREF_FROZEN_BIT
    Returns     True if the caller now owns one reference
    Progress    wait-free
    """
    # ORDER: acquire, pairs with ref_unfreeze; a get publishes nothing
    before = fetch_add_acquire(mem.refcount, desc, 1)
    if before >= 0:
        return True
    # ORDER: relaxed: nothing was learned. It fails if another adder came after, who takes both back, or if the count was unfrozen,
    # by a store that does not know of the addition. It never subtracts: that would be a stranger's reference by then.
    cas_relaxed(mem.refcount, desc, before + 1, FROZEN)
    return False


@kernel
def ref_try_get(mem, cpu, desc):
    """Take a reference unless the count is zero (freed or frozen; nobody can tell which).

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
        # ORDER: acquire, pairs with ref_unfreeze; a get publishes nothing, and any read-modify-write goes on with its release sequence
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
    # Only compared for equality: then it is a subtraction that sets flags, which the processor overlaps with the next misses. Asking for
    # its sign, too, made a random get + put 1.15 times as slow, an exchange-and-add 1.4 times; so a count below zero is found here by
    # the checked flavours, and in the fast one by the next unfreeze, which wants it frozen, or by the checkers at rest.
    # ORDER: release hands my accesses to whoever frees; acquire, for the one that frees, pairs with the others' releases
    old = fetch_add_acq_rel(mem.refcount, desc, -nr_refs)
    if CHECKED:
        if old < nr_refs:
            bug(mem, cpu, BUG_REFCOUNT_UNDERFLOW, mem.folio_pfn[desc], old - nr_refs, nr_refs)
    if old != nr_refs:
        return False
    if mem.policy_refcount == REFCOUNT_FROZEN_BIT:
        # ORDER: acquire, for the one that frees. Lost against a get: its owner puts last.
        if cas_acquire(mem.refcount, desc, 0, FROZEN) != 0:
            count(mem, cpu, counter.MET_PUT_LOST_TO_A_GET, 1)
            return False
    return True


@kernel
def ref_freeze(mem, cpu, desc, expected):
    """Take the count from exactly `expected` to frozen, so that nobody can get a reference.

    Models      folio_ref_freeze(), include/linux/page_ref.h
    Returns     True if it is frozen now
    Progress    wait-free
    """
    count(mem, cpu, counter.CMPXCHG_TRIED, 1)
    # ORDER: acquire: what is read while frozen is not read before. It publishes nothing; Linux's cmpxchg is fully ordered
    if cas_acquire(mem.refcount, desc, expected, frozen_value(mem)) == expected:
        return True
    count(mem, cpu, counter.CMPXCHG_FAILED, 1)
    return False


@kernel
def ref_unfreeze(mem, cpu, desc, nr_refs):
    """Leave frozen: what was done while frozen becomes visible to the next get.

    Models      folio_ref_unfreeze(), include/linux/page_ref.h
    Progress    wait-free
    """
    seen = load_relaxed(mem.refcount, desc)
    if not is_frozen(mem, seen) or nr_refs <= 0:
        bug(mem, cpu, BUG_UNFREEZE_LIVE, mem.folio_pfn[desc], seen, nr_refs)
    # ORDER: release, pairs with the acquire of ref_try_get
    store_release(mem.refcount, desc, nr_refs)
