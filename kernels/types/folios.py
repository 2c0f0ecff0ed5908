"""File and anonymous folios as a scanner isolates them: claimed by pfn, then taken off their LRU lists in batches.

Models      isolate_migratepages_block(), mm/compaction.c (0003e2a4), its LRU path; P11, P16
Invariants  I16; never a final put under the lruvec lock (D2): a claim drops references while it holds no lock
Protocol    reference through the word, with its re-check; racy test for pins; clear FL_LRU: exclusive ownership, and the reference
            is the isolation's; off the list under the lruvec lock, `isolate_batch` folios at a time
"""

from kernels.alloc.release import folio_put, lru_batch_holds, try_get_through
from kernels.base import counter
from kernels.base.atomics import load_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import (
    C_CAUSE,
    CAUSE_LRU_BATCH,
    FL_ISOLATED,
    FL_LRU,
    FL_WRITEBACK,
    NR_CAUSES,
    T_ANON,
    WINDOW_FRAMES,
)
from kernels.base.vmstat import count
from kernels.page.folio import folio_set, folio_test, folio_test_clear
from kernels.page.lru import lru_del_batch


@kernel
def claim_folio(mem, cpu, pfn, word, reason, nr_claimed):
    """Become the isolator of the folio whose first frame is `pfn`; it stays on its LRU list until lru_del_batch().

    Parameters  word: as read when the frame was found; nr_claimed: its place in this CPU's folio_list
    Returns     True if it is claimed, with the isolation's reference
    Progress    lock-free, but for a final put
    """
    desc = try_get_through(mem, cpu, pfn, word)
    if desc < 0:
        return False
    if load_relaxed(mem.folio_pfn, desc) == pfn and not folio_test(mem, desc, FL_WRITEBACK):
        mapped = load_relaxed(mem.mapcount, desc)
        if (
            mem.folio_type[desc] == T_ANON
            and load_relaxed(mem.refcount, desc) - 1 > mapped
            and mapped > 0
            and folio_test(mem, desc, FL_LRU)
        ):
            count(mem, cpu, counter.MET_PIN_REFUSED_MIGRATION, 1)
        elif folio_test_clear(mem, desc, FL_LRU):
            folio_set(mem, desc, FL_ISOLATED)
            mem.folio_list[cpu * WINDOW_FRAMES + nr_claimed] = desc
            return True
        elif lru_batch_holds(mem, desc):
            count(mem, cpu, counter.MET_LRU_BATCH_HELD_REFERENCE, 1)
            count(mem, cpu, C_CAUSE + reason * NR_CAUSES + CAUSE_LRU_BATCH, 1)
    folio_put(mem, cpu, desc)
    return False


@kernel
def isolate_folio(mem, cpu, pfn, word, reason):
    """Isolate the folio whose first frame is `pfn`, by itself.

    Parameters  word: as read when the frame was found
    Returns     the descriptor, off the LRU, with the isolation's reference; or -1
    Progress    blocking on the lruvec lock
    """
    if not claim_folio(mem, cpu, pfn, word, reason, 0):
        return -1
    lru_del_batch(mem, cpu, 1)
    return mem.folio_list[cpu * WINDOW_FRAMES]
