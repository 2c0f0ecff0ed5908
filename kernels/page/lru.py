"""LRU lists: per node, one of anonymous and one of file folios.

Models      mm/swap.c, mm/vmscan.c: lruvec_add_folio(), lruvec_del_folio(), folio_isolate_lru()
Differs     one list where Linux has active and inactive; links are descriptor index + 1, 0 ends a list
Invariants  I9: the lock is chosen from the folio's pfn and type, both stable under a reference; I16: the CPU that clears FL_LRU
            owns the folio's place on the list
"""

from kernels.base.atomics import fetch_add_relaxed
from kernels.base.bug import bug
from kernels.base.jit import kernel
from kernels.base.layout import BUG_LIST_CORRUPT, FL_LRU, LC_LRU, T_FILE, WINDOW_FRAMES
from kernels.base.lock import spin_lock, spin_unlock
from kernels.page.folio import folio_set, folio_test_clear


@kernel
def lruvec_of(mem, desc):
    """The list that a folio belongs on: node * 2 + is_file.

    Models      folio_lruvec(), include/linux/memcontrol.h
    Progress    wait-free
    """
    nid = mem.folio_pfn[desc] // mem.frames_per_node
    return nid * 2 + (1 if mem.folio_type[desc] == T_FILE else 0)


@kernel
def lru_link(mem, lruvec, desc):
    """Put a folio at the head; lruvec lock held.

    Progress    wait-free
    """
    old = mem.lru_head[lruvec]
    mem.folio_next[desc] = old
    mem.folio_prev[desc] = 0
    if old:
        mem.folio_prev[old - 1] = desc + 1
    else:
        mem.lru_tail[lruvec] = desc + 1
    mem.lru_head[lruvec] = desc + 1
    mem.lru_count[lruvec] += 1


@kernel
def lru_unlink(mem, cpu, lruvec, desc):
    """Take a folio off its list; lruvec lock held.

    Progress    wait-free; a bug if a neighbour does not link back
    """
    after, before = mem.folio_next[desc], mem.folio_prev[desc]
    if before:
        if mem.folio_next[before - 1] != desc + 1:
            bug(mem, cpu, BUG_LIST_CORRUPT, mem.folio_pfn[desc], mem.folio_next[before - 1], desc + 1)
        mem.folio_next[before - 1] = after
    else:
        if mem.lru_head[lruvec] != desc + 1:
            bug(mem, cpu, BUG_LIST_CORRUPT, mem.folio_pfn[desc], mem.lru_head[lruvec], desc + 1)
        mem.lru_head[lruvec] = after
    if after:
        mem.folio_prev[after - 1] = before
    else:
        mem.lru_tail[lruvec] = before
    mem.lru_count[lruvec] -= 1


@kernel
def lru_add(mem, cpu, desc):
    """Put a folio on its list and set FL_LRU; the caller holds a reference.

    Models      lru_add(), mm/swap.c
    Progress    blocking on the lruvec lock
    """
    lruvec = lruvec_of(mem, desc)
    spin_lock(mem, cpu, mem.lock_lru + lruvec, LC_LRU)
    lru_link(mem, lruvec, desc)
    folio_set(mem, desc, FL_LRU)
    spin_unlock(mem, cpu, mem.lock_lru + lruvec)


@kernel
def lru_del(mem, cpu, desc):
    """Take a folio off its list; the caller has cleared FL_LRU, so no other CPU can.

    Progress    blocking on the lruvec lock
    """
    lruvec = lruvec_of(mem, desc)
    spin_lock(mem, cpu, mem.lock_lru + lruvec, LC_LRU)
    lru_unlink(mem, cpu, lruvec, desc)
    spin_unlock(mem, cpu, mem.lock_lru + lruvec)


@kernel
def lru_del_batch(mem, cpu, nr_folios):
    """Take the first `nr_folios` of this CPU's folio_list off their lists; neighbours on folio_list that share a list share a lock hold.

    Models      the lruvec lock of isolate_migratepages_block(), mm/compaction.c, which is kept from one folio to the next
    Differs     Linux drops the lock before each put, which may be the last (D2); here all references are taken before
    Parameters  nr_folios: folios whose FL_LRU this CPU has cleared
    Returns     0: none are left
    Progress    blocking on lruvec locks
    """
    held = -1
    for k in range(nr_folios):
        desc = mem.folio_list[cpu * WINDOW_FRAMES + k]
        lruvec = lruvec_of(mem, desc)
        if lruvec != held:
            if held >= 0:
                spin_unlock(mem, cpu, mem.lock_lru + held)
            spin_lock(mem, cpu, mem.lock_lru + lruvec, LC_LRU)
            held = lruvec
        lru_unlink(mem, cpu, lruvec, desc)
        fetch_add_relaxed(mem.lru_isolated, lruvec, 1)
    if held >= 0:
        spin_unlock(mem, cpu, mem.lock_lru + held)
    return 0


@kernel
def folio_isolate_lru(mem, cpu, desc):
    """Isolate a folio from the LRU with a further reference. The caller holds a reference.

    Models      folio_isolate_lru(), mm/vmscan.c
    Returns     True if this CPU is now the only isolator
    Progress    blocking on the lruvec lock
    """
    if not folio_test_clear(mem, desc, FL_LRU):
        return False
    fetch_add_relaxed(mem.refcount, desc, 1)
    lru_del(mem, cpu, desc)
    fetch_add_relaxed(mem.lru_isolated, lruvec_of(mem, desc), 1)
    return True
