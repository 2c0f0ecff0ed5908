"""Descriptors without a count: the state of a zspage, slab, page table or page-pool frame beside its memdesc word.

Models      zpdesc, ptdesc and slab as the memdesc project wants them: from TYPESAFE_BY_RCU slabs, no refcount, no page lock, no lru
            (Memdescs, "Path"; movable_ops rework, 2506.2/05012); P3, P10
Differs     one pool serves all four; folios' descriptors come from another pool, so no try_get ever reaches one of these
Invariants  F-2: no speculative reference succeeds on one; I6; I16: one isolator, and the state word decides which CPU frees
Protocol    the state word holds frame, type, isolator and state, and changes by compare-and-exchange of the whole of it: success grants
            the current incarnation. PRIVATE -> LIVE after the memdesc word is written (release). LIVE -> ISOLATED by an isolator,
            LIVE -> PRIVATE by the owner that destroys the object. An owner that finds ISOLATED swaps in RELEASED and no longer uses
            the object. ISOLATED -> LIVE, at the same frame or at another, by the isolator alone; it frees what it finds RELEASED.
"""

from kernels.base.atomics import cas_acq_rel, load_acquire, load_relaxed, store_relaxed, store_release
from kernels.base.bug import bug, chaos_point
from kernels.base.jit import kernel
from kernels.base.layout import (
    BUG_UDESC_STATE,
    EV_UDESC_STATE,
    LC_DESC,
    U_CPU_SHIFT,
    U_FREE,
    U_ISOLATED,
    U_LIVE,
    U_PFN_SHIFT,
    U_PRIVATE,
    U_RELEASED,
    U_STATE_MASK,
    U_TYPE_SHIFT,
)
from kernels.base.lock import spin_lock, spin_unlock
from kernels.base.vmstat import trace
from kernels.page.memdesc import desc_word, word_desc, word_type


@kernel
def udesc_word(kind, pfn, state, cpu):
    """A state word. `cpu` is the isolator, 0 in all states but ISOLATED.

    Progress    wait-free
    """
    return pfn << U_PFN_SHIFT | kind << U_TYPE_SHIFT | cpu << U_CPU_SHIFT | state


@kernel
def udesc_pfn(mem, udesc):
    """The frame of a descriptor whose owner's lock the caller holds, or that the caller isolated.

    Progress    wait-free
    """
    return load_relaxed(mem.u_word, udesc) >> U_PFN_SHIFT


@kernel
def udesc_alloc(mem, cpu, kind, pfn, owner):
    """A descriptor for a frame, PRIVATE.

    Parameters  kind: layout.Type; owner: a value that the type defines
    Returns     its index, or -1 if all are in use
    Progress    blocking on the pool's lock
    """
    spin_lock(mem, cpu, mem.lock_udesc, LC_DESC)
    top = mem.udesc_top[0]
    udesc = -1
    if top > 0:
        udesc = mem.udesc_stack[top - 1]
        mem.udesc_top[0] = top - 1
    spin_unlock(mem, cpu, mem.lock_udesc)
    if udesc >= 0:
        mem.u_owner[udesc] = owner
        mem.u_inuse[udesc] = 0
        mem.u_next[udesc] = 0
        mem.u_prev[udesc] = 0
        store_relaxed(mem.u_word, udesc, udesc_word(kind, pfn, U_PRIVATE, 0))
    return udesc


@kernel
def udesc_free(mem, cpu, udesc):
    """Free a descriptor. A late reader may find it reused for another object immediately.

    Progress    blocking on the pool's lock
    """
    store_relaxed(mem.u_word, udesc, U_FREE)
    spin_lock(mem, cpu, mem.lock_udesc, LC_DESC)
    mem.udesc_stack[mem.udesc_top[0]] = udesc
    mem.udesc_top[0] += 1
    spin_unlock(mem, cpu, mem.lock_udesc)


@kernel
def udesc_publish(mem, kind, udesc, pfn):
    """Write the frame's memdesc word, then set LIVE: from then on the object may be isolated.

    Progress    wait-free
    """
    store_relaxed(mem.memdesc, pfn, desc_word(kind, udesc))
    # ORDER: release, what the owner wrote to frame and descriptor comes before any isolation
    store_release(mem.u_word, udesc, udesc_word(kind, pfn, U_LIVE, 0))


@kernel
def udesc_move(mem, cpu, udesc, seen, now):
    """Swap a state word.

    Returns     True if it was `seen`
    Progress    wait-free
    """
    # ORDER: acq_rel, what the last owner did comes before, what the next one does after
    if cas_acq_rel(mem.u_word, udesc, seen, now) == seen:
        trace(mem, cpu, EV_UDESC_STATE, now >> U_PFN_SHIFT, (seen & U_STATE_MASK) << 8 | now & U_STATE_MASK)
        return True
    return False


@kernel
def udesc_idle(mem, word, pfn):
    """Whether isolating what a memdesc word leads to may succeed (a hint).

    Progress    wait-free
    """
    return load_relaxed(mem.u_word, word_desc(word)) == udesc_word(word_type(word), pfn, U_LIVE, 0)


@kernel
def udesc_isolate(mem, cpu, pfn, word):
    """LIVE -> ISOLATED by this CPU, if the word still leads to this frame's descriptor.

    Parameters  word: the memdesc word as read when the frame was found; the descriptor may belong to another object since
    Returns     True if this CPU holds its isolation
    Progress    wait-free
    """
    kind = word_type(word)
    chaos_point(mem, cpu)
    return udesc_move(mem, cpu, word_desc(word), udesc_word(kind, pfn, U_LIVE, 0), udesc_word(kind, pfn, U_ISOLATED, cpu))


@kernel
def udesc_isolated(mem, cpu, pfn, word):
    """Whether the owner still holds what this CPU isolated: False if the owner released it.

    Progress    wait-free; a bug if it is anything else
    """
    kind = word_type(word)
    # ORDER: acquire, pairs with the owner's release: its accesses to the frame come before the free here
    seen = load_acquire(mem.u_word, word_desc(word))
    if seen == udesc_word(kind, pfn, U_ISOLATED, cpu):
        return True
    if seen != udesc_word(kind, pfn, U_RELEASED, 0):
        bug(mem, cpu, BUG_UDESC_STATE, pfn, seen, udesc_word(kind, pfn, U_ISOLATED, cpu))
    return False


@kernel
def udesc_settle(mem, cpu, pfn, word, dst_pfn):
    """End an isolation: LIVE again, at `dst_pfn`.

    Returns     False if the owner released it in the meantime
    Progress    wait-free
    """
    kind = word_type(word)
    before, after = udesc_word(kind, pfn, U_ISOLATED, cpu), udesc_word(kind, dst_pfn, U_LIVE, 0)
    return udesc_move(mem, cpu, word_desc(word), before, after)


@kernel
def udesc_putback(mem, cpu, pfn, word):
    """End an isolation where it began: LIVE again, at the same frame.

    Returns     False if the owner released it in the meantime: the caller frees it
    Progress    wait-free; a bug if it is neither this CPU's nor released
    """
    if not udesc_isolated(mem, cpu, pfn, word):
        return False
    # the owner released it between the check and the move; anything else is a bug
    return udesc_settle(mem, cpu, pfn, word, pfn) or udesc_isolated(mem, cpu, pfn, word)


@kernel
def udesc_take(mem, cpu, kind, udesc):
    """Destroy an object, the owner's lock held: the owner frees it, or its isolator does.

    Returns     True if the caller frees, False if the isolator does
    Progress    lock-free; a bug if it is neither LIVE nor ISOLATED
    """
    while True:
        seen = load_relaxed(mem.u_word, udesc)
        pfn, state = seen >> U_PFN_SHIFT, seen & U_STATE_MASK
        if state == U_LIVE:
            if udesc_move(mem, cpu, udesc, seen, udesc_word(kind, pfn, U_PRIVATE, 0)):
                return True
        elif state == U_ISOLATED:
            if udesc_move(mem, cpu, udesc, seen, udesc_word(kind, pfn, U_RELEASED, 0)):
                return False
        else:
            bug(mem, cpu, BUG_UDESC_STATE, pfn, seen, U_LIVE)


@kernel
def ulist_add(mem, ulist, udesc):
    """Put a descriptor on a list, at the head; the list's lock held.

    Progress    wait-free
    """
    head = mem.u_head[ulist]
    mem.u_next[udesc] = head
    mem.u_prev[udesc] = 0
    if head:
        mem.u_prev[head - 1] = udesc + 1
    mem.u_head[ulist] = udesc + 1
    mem.u_listed[ulist] += 1


@kernel
def ulist_del(mem, ulist, udesc):
    """Take a descriptor off its list; the list's lock held.

    Progress    wait-free
    """
    after, before = mem.u_next[udesc], mem.u_prev[udesc]
    if before:
        mem.u_next[before - 1] = after
    else:
        mem.u_head[ulist] = after
    if after:
        mem.u_prev[after - 1] = before
    mem.u_next[udesc] = 0
    mem.u_prev[udesc] = 0
    mem.u_listed[ulist] -= 1
