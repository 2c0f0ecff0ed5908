"""hugetlb: a pool of free folios of a pageblock each, surplus ones beyond it, and their dissolution.

Models      dequeue_hugetlb_folio_node_exact(), free_huge_folio(), alloc_surplus_hugetlb_folio(), dissolve_free_hugetlb_folio(),
            mm/hugetlb.c; P19
Differs     one size, that of a pageblock; the word is the counted type's, since such folios are on no LRU; they are not mapped and do not
            migrate, so that evacuating a range only dissolves its free ones; no reservations
Invariants  I2: a folio is held, in the pool, or in the buddy; I3: in the pool its count is 0 and every try_get fails; I5: the last
            put, of any CPU, gives it to the pool
Protocol    hugetlb_lock covers pool, counts and FL_HUGE_FREE. A count of zero alone proves nothing: between the last put and the lock
            the folio is on no list, and only FL_HUGE_FREE, set under the lock, means that it may be taken (C16, 7ffddd499ba6).
"""

from kernels.base import counter
from kernels.base.atomics import load_relaxed
from kernels.base.bug import bug, chaos_point
from kernels.base.jit import kernel
from kernels.base.layout import (
    BUG_HUGE_LOST,
    BUG_OVERFLOW,
    FL_HUGE_FREE,
    FL_HUGETLB,
    HUGE_POOL,
    LC_HUGETLB,
    T_COUNTED,
)
from kernels.base.lock import spin_lock, spin_unlock
from kernels.base.vmstat import count
from kernels.page.folio import desc_free, folio_clear, folio_prepare, folio_publish, folio_retire_words, folio_set, folio_test
from kernels.page.memdesc import word_desc, word_type
from kernels.page.refcount import is_frozen, ref_unfreeze


@kernel
def huge_dequeue(mem, cpu, nid):
    """Take a free folio of a node's pool.

    Models      dequeue_hugetlb_folio_node_exact(), mm/hugetlb.c
    Returns     its descriptor with one reference, or -1
    Progress    blocking on hugetlb_lock
    """
    spin_lock(mem, cpu, mem.lock_huge, LC_HUGETLB)
    free = mem.huge_free[nid]
    desc = -1
    if free > 0:
        desc = mem.huge_desc[nid * HUGE_POOL + free - 1]
        mem.huge_free[nid] = free - 1
        folio_clear(mem, desc, FL_HUGE_FREE)
        ref_unfreeze(mem, cpu, desc, 1)
    spin_unlock(mem, cpu, mem.lock_huge)
    return desc


@kernel
def huge_add_surplus(mem, cpu, nid, pfn):
    """Turn a pageblock that the caller has allocated into a surplus hugetlb folio.

    Models      alloc_surplus_hugetlb_folio(), mm/hugetlb.c
    Returns     its descriptor with one reference
    Progress    blocking on hugetlb_lock
    """
    desc = folio_prepare(mem, cpu, T_COUNTED, pfn, mem.pageblock_order, 0, 0)
    folio_set(mem, desc, FL_HUGETLB)
    spin_lock(mem, cpu, mem.lock_huge, LC_HUGETLB)
    mem.huge_nr[nid] += 1
    mem.huge_surplus[nid] += 1
    spin_unlock(mem, cpu, mem.lock_huge)
    folio_publish(mem, cpu, desc, 1)
    count(mem, cpu, counter.HTLB_BUDDY_ALLOC_SUCCESS, 1)
    return desc


@kernel
def huge_retire(mem, cpu, desc):
    """End a hugetlb folio whose count is zero and that is in no pool; the caller frees its frames.

    Models      update_and_free_hugetlb_folio(), mm/hugetlb.c
    Progress    wait-free; a bug if a word has changed
    """
    folio_retire_words(mem, cpu, desc)
    folio_clear(mem, desc, FL_HUGETLB)
    desc_free(mem, cpu, desc)


@kernel
def huge_enqueue(mem, cpu, desc, nid):
    """Release a hugetlb folio after its last put: to the pool while that is too small, otherwise a surplus folio to the caller.

    Models      free_huge_folio(), mm/hugetlb.c
    Returns     True if it is in the pool; False: the caller frees its frames
    Progress    blocking on hugetlb_lock
    """
    chaos_point(mem, cpu)
    spin_lock(mem, cpu, mem.lock_huge, LC_HUGETLB)
    free = mem.huge_free[nid]
    surplus = mem.huge_surplus[nid]
    pooled = surplus == 0 or mem.huge_nr[nid] - surplus < mem.huge_target
    if surplus > 0:
        mem.huge_surplus[nid] = surplus - 1
    if pooled:
        if free == HUGE_POOL:
            bug(mem, cpu, BUG_OVERFLOW, mem.folio_pfn[desc], free, HUGE_POOL)
        mem.huge_desc[nid * HUGE_POOL + free] = desc
        mem.huge_free[nid] = free + 1
        folio_set(mem, desc, FL_HUGE_FREE)
    else:
        mem.huge_nr[nid] -= 1
    spin_unlock(mem, cpu, mem.lock_huge)
    if not pooled:
        huge_retire(mem, cpu, desc)
    return pooled


@kernel
def huge_dissolve(mem, cpu, nid, pfn):
    """Take the free hugetlb folio at a pageblock's first frame out of the pool and end it.

    Models      dissolve_free_hugetlb_folio(), mm/hugetlb.c
    Returns     True: the caller frees the frames; False: there is none, or it is in use, or its last put has not reached the pool
    Progress    blocking on hugetlb_lock
    """
    word = load_relaxed(mem.memdesc, pfn)
    if word_type(word) != T_COUNTED:
        return False
    desc, found = word_desc(word), False
    spin_lock(mem, cpu, mem.lock_huge, LC_HUGETLB)
    # Under the lock the flag proves that the folio is free and in the pool.
    if folio_test(mem, desc, FL_HUGE_FREE) and mem.folio_pfn[desc] == pfn:
        free = mem.huge_free[nid]
        for place in range(free):
            if mem.huge_desc[nid * HUGE_POOL + place] == desc:
                mem.huge_desc[nid * HUGE_POOL + place] = mem.huge_desc[nid * HUGE_POOL + free - 1]
                found = True
                break
        if not found:
            bug(mem, cpu, BUG_HUGE_LOST, pfn, desc, free)
        mem.huge_free[nid] = free - 1
        mem.huge_nr[nid] -= 1
        folio_clear(mem, desc, FL_HUGE_FREE)
    elif folio_test(mem, desc, FL_HUGETLB) and is_frozen(mem, load_relaxed(mem.refcount, desc)):
        count(mem, cpu, counter.MET_DISSOLVE_MET_FREEING, 1)
    spin_unlock(mem, cpu, mem.lock_huge)
    if found:
        huge_retire(mem, cpu, desc)
        count(mem, cpu, counter.HTLB_DISSOLVED, 1)
    return found
