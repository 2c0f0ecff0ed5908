"""Puts that free, speculative references that undo themselves, and the LRU batches that hold references.

Models      folio_put(), __folio_put(), mm/swap.c; folio_try_get() with its re-check (P4, P5, P6);
            folio_add_lru(), lru_add_drain_cpu(), lru_cache_disable(), mm/swap.c (P16); __free_pages(), mm/page_alloc.c
Differs     a batch has a spinlock, as on PREEMPT_RT, so that the CPU that wants it drained drains it and waits for no work queue
Invariants  I5: the last put frees a counted object, from what the descriptor itself says; I8; I10
Protocol    speculate: load word; try_get (acquire); re-load the word and check the range; use nothing read before.
            The put of a failed re-check may be the last put of an unrelated object.
"""

from kernels.alloc.buddy import nid_of
from kernels.alloc.hugetlb import huge_enqueue
from kernels.alloc.pages import alloc_frozen_pages, free_frozen_pages
from kernels.base import counter
from kernels.base.atomics import fetch_add_relaxed, load_relaxed, store_relaxed
from kernels.base.bug import bug, chaos_point
from kernels.base.jit import kernel
from kernels.base.layout import (
    BUG_BAD_FREE,
    BUG_NOT_FREEABLE,
    BUG_WORD_CHANGED,
    FL_BATCHED,
    FL_HUGETLB,
    FL_ISOLATED,
    FL_LOCKED,
    FL_LRU,
    FL_WRITEBACK,
    LC_LRU_BATCH,
    LRU_BATCH,
    NONE_WORD,
    T_ANON,
    T_COUNTED,
    T_FILE,
    T_KSM,
)
from kernels.base.lock import spin_lock, spin_unlock
from kernels.base.vmstat import count
from kernels.page.folio import (
    desc_free,
    folio_prepare,
    folio_publish,
    folio_retire_words,
    folio_set,
    folio_test,
    folio_test_clear,
)
from kernels.page.lru import lru_add, lru_del
from kernels.page.memdesc import desc_word, is_counted, is_offline_head, word_desc
from kernels.page.refcount import ref_get, ref_put_testzero, ref_try_get
from kernels.page.udesc import udesc_free


@kernel
def release_desc(mem, cpu, desc):
    """End an object whose count is zero and give its frames back. Dispatches on what the descriptor holds.

    Models      __folio_put(), mm/swap.c; free_pages_prepare(), mm/page_alloc.c
    Progress    blocking; a bug if it is still locked, mapped, isolated or under writeback
    """
    flags = load_relaxed(mem.flags, desc)
    kind = mem.folio_type[desc]
    pfn, order = mem.folio_pfn[desc], mem.folio_order[desc]
    if flags & FL_HUGETLB != 0:
        if not huge_enqueue(mem, cpu, desc, nid_of(mem, pfn)):
            free_frozen_pages(mem, cpu, pfn, order)
        return
    if kind != T_FILE and kind != T_ANON and kind != T_KSM and kind != T_COUNTED:
        bug(mem, cpu, BUG_NOT_FREEABLE, pfn, kind, T_ANON)
    if flags & FL_LRU != 0 and folio_test_clear(mem, desc, FL_LRU):
        lru_del(mem, cpu, desc)
    if flags & (FL_LOCKED | FL_ISOLATED | FL_WRITEBACK) != 0 or load_relaxed(mem.mapcount, desc) != 0:
        bug(mem, cpu, BUG_BAD_FREE, pfn, flags, load_relaxed(mem.mapcount, desc))
    folio_retire_words(mem, cpu, desc)
    store_relaxed(mem.mapping, desc, 0)
    desc_free(mem, cpu, desc)
    chaos_point(mem, cpu)
    free_frozen_pages(mem, cpu, pfn, order)


@kernel
def folio_put(mem, cpu, desc):
    """Give one reference back; the last one frees.

    Models      folio_put(), include/linux/mm.h
    Returns     True if it was the last
    Progress    wait-free unless it frees
    """
    if ref_put_testzero(mem, cpu, desc, 1):
        release_desc(mem, cpu, desc)
        return True
    return False


@kernel
def folio_put_refs(mem, cpu, desc, nr_refs):
    """Give several references back; the last one frees.

    Models      folio_put_refs(), include/linux/mm.h
    Progress    wait-free unless it frees
    """
    if ref_put_testzero(mem, cpu, desc, nr_refs):
        release_desc(mem, cpu, desc)


@kernel
def count_overtaken(mem, cpu, pfn):
    """Count a try_get, failed or undone, through a word that was read before its frame was inflated into a balloon.

    Progress    wait-free
    """
    if is_offline_head(load_relaxed(mem.memdesc, pfn)):
        count(mem, cpu, counter.MET_REFERENCE_FROM_BEFORE_INFLATION, 1)


@kernel
def try_get_through(mem, cpu, pfn, word):
    """Take a reference on what a word that was read earlier leads to, then check that the word has not changed.

    Models      try_get_folio(), mm/gup.c; folio_get_nontail_page(), mm/internal.h
    Parameters  word: a counted word of memdesc[pfn]
    Returns     the descriptor with a reference to put, or -1
    Progress    lock-free
    """
    desc = word_desc(word)
    count(mem, cpu, counter.SPEC_TRIED, 1)
    chaos_point(mem, cpu)
    if not ref_try_get(mem, cpu, desc):
        count(mem, cpu, counter.SPEC_FAILED_ON_ZERO, 1)
        if load_relaxed(mem.memdesc, pfn) == word:
            count(mem, cpu, counter.MET_SPECULATION_ON_FROZEN, 1)
        return -1
    chaos_point(mem, cpu)
    return recheck_through(mem, cpu, pfn, word, desc)


@kernel
def recheck_through(mem, cpu, pfn, word, desc):
    """The second half of try_get_through: the reference is held; does the word still lead to it?

    The word proves that the descriptor covers the frame: words are written before the count is unfrozen, and retired while it is frozen.

    Models      try_get_folio(), mm/gup.c, the re-check after the reference
    Returns     desc, or -1 after putting the reference back
    Progress    wait-free unless the put frees
    """
    if load_relaxed(mem.memdesc, pfn) == word:
        count(mem, cpu, counter.SPEC_KEPT, 1)
        return desc
    count(mem, cpu, counter.SPEC_UNDONE_BY_RECHECK, 1)
    count_overtaken(mem, cpu, pfn)
    chaos_point(mem, cpu)
    if folio_put(mem, cpu, desc):
        count(mem, cpu, counter.SPEC_HELD_LAST_REFERENCE, 1)
        count(mem, cpu, counter.MET_PUT_LAST_AFTER_RECHECK, 1)
    return -1


@kernel
def try_get_pfn(mem, cpu, pfn):
    """A speculative reference on whatever counted object covers a frame.

    Models      the pfn walkers: page_idle, DAMON, memory failure
    Returns     a descriptor with a reference to put, or -1
    Progress    lock-free
    """
    # a hint until a reference is taken, which acquires; the re-check decides
    word = load_relaxed(mem.memdesc, pfn)
    if not is_counted(word):
        return -1
    return try_get_through(mem, cpu, pfn, word)


# --------------------------------------------------------------------------------------------------------- LRU batches


@kernel
def folio_batch_move_lru(mem, cpu, owner):
    """Put a CPU's batch of folios on their lists and give back the references that it held; the batch's lock held.

    Models      folio_batch_move_lru(), mm/swap.c
    Parameters  owner: the CPU whose batch it is
    Progress    blocking on lruvec locks
    """
    batched = mem.lru_batched[owner]
    mem.lru_batched[owner] = 0
    for k in range(batched):
        desc = mem.lru_batch[owner * 16 + k]
        folio_test_clear(mem, desc, FL_BATCHED)
        lru_add(mem, cpu, desc)
        folio_put(mem, cpu, desc)
    if batched:
        count(mem, cpu, counter.LRU_ADD_DRAIN, 1)


@kernel
def lru_add_drain_cpu(mem, cpu, owner):
    """Empty a CPU's batch.

    Models      lru_add_drain_cpu(), mm/swap.c
    Parameters  owner: the CPU whose batch it is
    Progress    blocking on the batch's lock and lruvec locks
    """
    spin_lock(mem, cpu, mem.lock_lru_batch + owner, LC_LRU_BATCH)
    folio_batch_move_lru(mem, cpu, owner)
    spin_unlock(mem, cpu, mem.lock_lru_batch + owner)


@kernel
def lru_add_drain(mem, cpu):
    """Empty this CPU's batch.

    Models      lru_add_drain(), mm/swap.c
    Progress    as lru_add_drain_cpu
    """
    lru_add_drain_cpu(mem, cpu, cpu)


@kernel
def lru_cache_disable(mem, cpu):
    """Empty all batches, and keep references out of them until lru_cache_enable(). Nests.

    Models      lru_cache_disable(), lru_add_drain_all(), mm/swap.c
    Progress    blocking on each batch's lock
    """
    # relaxed: it is read under each batch's lock, which is taken and released below
    fetch_add_relaxed(mem.lru_disabled, 0, 1)
    for owner in range(mem.nr_cpus):
        lru_add_drain_cpu(mem, cpu, owner)


@kernel
def lru_cache_enable(mem):
    """Undo one lru_cache_disable.

    Models      lru_cache_enable(), include/linux/swap.h
    Progress    wait-free
    """
    fetch_add_relaxed(mem.lru_disabled, 0, -1)


@kernel
def folio_add_lru(mem, cpu, desc):
    """Queue a new folio for the LRU; the batch takes its own reference.

    Models      folio_add_lru(), folio_batch_add_and_move(), mm/swap.c
    Progress    blocking on the batch's lock, and on lruvec locks once a batch
    """
    ref_get(mem, desc, 1)
    folio_set(mem, desc, FL_BATCHED)
    spin_lock(mem, cpu, mem.lock_lru_batch + cpu, LC_LRU_BATCH)
    mem.lru_batch[cpu * 16 + mem.lru_batched[cpu]] = desc
    mem.lru_batched[cpu] += 1
    if mem.lru_batched[cpu] == LRU_BATCH or load_relaxed(mem.lru_disabled, 0) > 0:
        folio_batch_move_lru(mem, cpu, cpu)
    spin_unlock(mem, cpu, mem.lock_lru_batch + cpu)


# ------------------------------------------------------------------------------------------------- counted allocations


@kernel
def alloc_counted_pages(mem, cpu, nid, order, migratetype):
    """2^order frames with one count on the first of them, not a compound: what alloc_pages() hands out today.

    Models      alloc_pages() without __GFP_COMP, mm/page_alloc.c
    Differs     the count is in a descriptor of order 0 for the first frame; the other frames' words are NONE
    Returns     the descriptor or -1
    Progress    as alloc_frozen_pages
    """
    pfn = alloc_frozen_pages(mem, cpu, nid, order, migratetype)
    if pfn < 0:
        return -1
    desc = folio_prepare(mem, cpu, T_COUNTED, pfn, 0, 0, 0)
    folio_publish(mem, cpu, desc, 1)
    return desc


@kernel
def free_counted_pages(mem, cpu, desc, order):
    """Free an alloc_counted_pages() of 2^order frames on whose first frame another CPU may hold a speculative reference.

    Models      ___free_pages(), mm/page_alloc.c (7f194fbb2dd7): if the put is not the last, the frames after the first are
                freed now, and the first by the speculator's put
    Progress    as free_frozen_pages
    """
    pfn = mem.folio_pfn[desc]
    if ref_put_testzero(mem, cpu, desc, 1):
        folio_retire_words(mem, cpu, desc)
        desc_free(mem, cpu, desc)
        free_frozen_pages(mem, cpu, pfn, order)
    else:
        count(mem, cpu, counter.MET_SPECULATION_ON_FREE_PAGES, 1)
        for below in range(order):
            free_frozen_pages(mem, cpu, pfn + (1 << below), below)


@kernel
def lru_batch_holds(mem, desc):
    """Whether a folio is in some CPU's LRU batch, which then holds a reference (a hint).

    Progress    wait-free
    """
    return folio_test(mem, desc, FL_BATCHED)


# ------------------------------------------------------------------------------------------ descriptors without a count


@kernel
def free_uncounted(mem, cpu, kind, udesc, pfn):
    """End an object with a descriptor without a count, of one frame; the caller is its only owner.

    Models      __free_zspage(), pagetable_free(), __free_slab() with memdescs
    Progress    as free_frozen_pages; a bug if another CPU changed the frame's word
    """
    seen = load_relaxed(mem.memdesc, pfn)
    if seen != desc_word(kind, udesc):
        bug(mem, cpu, BUG_WORD_CHANGED, pfn, seen, desc_word(kind, udesc))
    store_relaxed(mem.memdesc, pfn, NONE_WORD)
    udesc_free(mem, cpu, udesc)
    chaos_point(mem, cpu)
    free_frozen_pages(mem, cpu, pfn, 0)
