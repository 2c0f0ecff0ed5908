"""Descriptors: where they come from, how a folio begins and ends, its flags and its lock.

Models      struct folio from a TYPESAFE_BY_RCU slab (Memdescs, "Path"); folio_trylock(), folio_unlock(), mm/filemap.c
Differs     a freed descriptor may be reused immediately, last in first out; its memory never becomes anything else
Invariants  I6, I8; after a reference is taken through a word, the word and the range are checked again before any field is used
Protocol    begin: fields, then the 2^order words, then unfreeze (release).
            end: count 0, then all words to NONE, then the descriptor to the pool, then the frames to the allocator.
"""

from kernels.base.atomics import fetch_and_relaxed, fetch_and_release, fetch_or_acquire, fetch_or_relaxed, load_relaxed, store_relaxed
from kernels.base.bug import bug, relax
from kernels.base.jit import kernel
from kernels.base.layout import (
    BUG_OVERFLOW,
    BUG_UNLOCK_UNLOCKED,
    BUG_WORD_CHANGED,
    DESC_CACHE,
    FL_LOCKED,
    LC_DESC,
    LC_FOLIO,
    NONE_WORD,
    NR_LOCK_CLASSES,
)
from kernels.base.lock import spin_lock, spin_unlock
from kernels.page.memdesc import desc_word
from kernels.page.refcount import ref_unfreeze


@kernel
def desc_alloc(mem, cpu):
    """Take a descriptor from this CPU's cache; an empty cache is refilled to one half from the pool.

    Models      kmem_cache_alloc() of a TYPESAFE_BY_RCU cache
    Returns     its index; there are more descriptors than frames, so it cannot fail
    Progress    blocking on the pool's lock once per DESC_CACHE / 2 calls
    """
    cached = mem.desc_cached[cpu]
    if cached == 0:
        spin_lock(mem, cpu, mem.lock_desc, LC_DESC)
        top = mem.desc_top[0]
        if top < DESC_CACHE // 2:
            bug(mem, cpu, BUG_OVERFLOW, -1, top, DESC_CACHE // 2)
        while cached < DESC_CACHE // 2:
            top -= 1
            mem.desc_cache[cpu * DESC_CACHE + cached] = mem.desc_stack[top]
            cached += 1
        mem.desc_top[0] = top
        spin_unlock(mem, cpu, mem.lock_desc)
    mem.desc_cached[cpu] = cached - 1
    return mem.desc_cache[cpu * DESC_CACHE + cached - 1]


@kernel
def desc_free(mem, cpu, desc):
    """Free a descriptor. A late reader may find it reused for another object immediately.

    Progress    blocking on the pool's lock once per DESC_CACHE / 2 calls
    """
    cached = mem.desc_cached[cpu]
    if cached == DESC_CACHE:
        spin_lock(mem, cpu, mem.lock_desc, LC_DESC)
        top = mem.desc_top[0]
        while cached > DESC_CACHE // 2:
            cached -= 1
            mem.desc_stack[top] = mem.desc_cache[cpu * DESC_CACHE + cached]
            top += 1
        mem.desc_top[0] = top
        spin_unlock(mem, cpu, mem.lock_desc)
    mem.desc_cache[cpu * DESC_CACHE + cached] = desc
    mem.desc_cached[cpu] = cached + 1


@kernel
def folio_prepare(mem, cpu, kind, pfn, order, mapping, index):
    """A descriptor for the 2^order frames at `pfn`, its count zero, and no word leads to it yet.

    Parameters  kind: layout.Type; mapping, index: as in the descriptor
    Returns     the descriptor
    Progress    as desc_alloc
    """
    desc = desc_alloc(mem, cpu)
    store_relaxed(mem.flags, desc, 0)
    store_relaxed(mem.mapcount, desc, 0)
    store_relaxed(mem.folio_order, desc, order)
    store_relaxed(mem.folio_pfn, desc, pfn)
    store_relaxed(mem.mapping, desc, mapping)
    store_relaxed(mem.folio_index, desc, index)
    store_relaxed(mem.folio_type, desc, kind)
    store_relaxed(mem.cpupid, desc, -1)
    store_relaxed(mem.pincount, desc, 0)
    return desc


@kernel
def set_words(mem, pfn, order, word):
    """Write the words of all frames of an object whose count is zero.

    Progress    wait-free
    """
    for k in range(1 << order):
        store_relaxed(mem.memdesc, pfn + k, word)


@kernel
def folio_publish(mem, cpu, desc, nr_refs):
    """Write the words, then unfreeze the count: from then on any CPU may take a reference.

    Models      prep_compound_page() and set_page_refcounted(), mm/page_alloc.c
    Progress    wait-free
    """
    pfn, order, kind = mem.folio_pfn[desc], mem.folio_order[desc], mem.folio_type[desc]
    set_words(mem, pfn, order, desc_word(kind, desc))
    ref_unfreeze(mem, cpu, desc, nr_refs)


@kernel
def folio_retire_words(mem, cpu, desc):
    """Set the words of an object whose count is zero to NONE.

    Progress    wait-free; a bug if another CPU changed one
    """
    pfn, order, kind = mem.folio_pfn[desc], mem.folio_order[desc], mem.folio_type[desc]
    expected = desc_word(kind, desc)
    for k in range(1 << order):
        seen = load_relaxed(mem.memdesc, pfn + k)
        if seen != expected:
            bug(mem, cpu, BUG_WORD_CHANGED, pfn + k, seen, expected)
        store_relaxed(mem.memdesc, pfn + k, NONE_WORD)


@kernel
def folio_covers(mem, desc, pfn):
    """Whether a referenced descriptor's range holds `pfn` (I10).

    Progress    wait-free
    """
    first = load_relaxed(mem.folio_pfn, desc)
    return first <= pfn and pfn < first + (1 << load_relaxed(mem.folio_order, desc))


@kernel
def folio_test(mem, desc, mask):
    """Whether one of the flags in `mask` is set.

    Progress    wait-free
    """
    return load_relaxed(mem.flags, desc) & mask != 0


@kernel
def folio_set(mem, desc, mask):
    """Set flags that protect no other data.

    Progress    wait-free
    """
    fetch_or_relaxed(mem.flags, desc, mask)


@kernel
def folio_clear(mem, desc, mask):
    """Clear flags that protect no other data.

    Progress    wait-free
    """
    fetch_and_relaxed(mem.flags, desc, ~mask)


@kernel
def folio_test_clear(mem, desc, mask):
    """Clear one flag: of several CPUs that try, one wins.

    Models      folio_test_clear_lru(), include/linux/page-flags.h
    Differs     relaxed, where Linux's test_and_clear_bit() is fully ordered, for the reason below
    Returns     True if it was set
    Progress    wait-free
    """
    # what the flag protects is read under a lock that the CPU that set the flag also held: the lruvec's, the batch's or the folio's
    return fetch_and_relaxed(mem.flags, desc, ~mask) & mask != 0


@kernel
def folio_trylock(mem, cpu, desc):
    """Lock a folio if it is not locked. The caller holds a reference, or the folio is not published yet.

    Models      folio_trylock(), include/linux/pagemap.h
    Returns     True if this CPU now owns the lock
    Progress    wait-free
    """
    # ORDER: acquire, pairs with folio_unlock's release
    if fetch_or_acquire(mem.flags, desc, FL_LOCKED) & FL_LOCKED == 0:
        mem.lock_acquired[cpu * NR_LOCK_CLASSES + LC_FOLIO] += 1
        return True
    return False


@kernel
def folio_lock(mem, cpu, desc):
    """Lock a folio, waiting for it. Never while holding another folio's lock (L2).

    Models      folio_lock(), include/linux/pagemap.h
    Progress    blocking
    """
    if not folio_trylock(mem, cpu, desc):
        mem.lock_contended[cpu * NR_LOCK_CLASSES + LC_FOLIO] += 1
        store_relaxed(mem.cpu_waits, cpu, mem.nr_locks + desc + 1)
        spins = 0
        while folio_test(mem, desc, FL_LOCKED) or not folio_trylock(mem, cpu, desc):
            spins = relax(mem, cpu, spins)
        store_relaxed(mem.cpu_waits, cpu, 0)
        mem.lock_spins[cpu * NR_LOCK_CLASSES + LC_FOLIO] += spins


@kernel
def folio_unlock(mem, cpu, desc):
    """Unlock a folio.

    Models      folio_unlock(), mm/filemap.c
    Progress    wait-free
    """
    # ORDER: release, pairs with the next owner's acquire
    before = fetch_and_release(mem.flags, desc, ~FL_LOCKED)
    if before & FL_LOCKED == 0:
        bug(mem, cpu, BUG_UNLOCK_UNLOCKED, mem.folio_pfn[desc], before, FL_LOCKED)
