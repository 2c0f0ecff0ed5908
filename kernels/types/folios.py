"""File and anonymous folios as a scanner meets them: isolate by pfn.

Models      isolate_migratepages_block(), mm/compaction.c (0003e2a4), its LRU path
Invariants  I16; never a final put under the lruvec lock
Protocol    reference through the word, with its re-check; racy test for pins; clear FL_LRU: exclusive ownership; off the list
"""

from kernels.alloc.release import folio_put, lru_batch_holds, try_get_through
from kernels.base import counter
from kernels.base.atomics import load_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import C_CAUSE, CAUSE_LRU_BATCH, FL_ISOLATED, FL_LRU, FL_WRITEBACK, NR_CAUSES, T_ANON
from kernels.base.vmstat import count
from kernels.page.folio import folio_set, folio_test
from kernels.page.lru import folio_isolate_lru


@kernel
def isolate_folio(mem, cpu, pfn, word, reason):
    """Isolate the folio whose first frame is `pfn`.

    Parameters  word: as read when the frame was found
    Returns     the descriptor, off the LRU, with the isolation's reference; or -1
    Progress    blocking on the lruvec lock
    """
    desc = try_get_through(mem, cpu, pfn, word)
    if desc < 0:
        return -1
    isolated = False
    if load_relaxed(mem.folio_pfn, desc) == pfn and not folio_test(mem, desc, FL_WRITEBACK):
        mapped = load_relaxed(mem.mapcount, desc)
        if (
            mem.folio_type[desc] == T_ANON
            and load_relaxed(mem.refcount, desc) - 1 > mapped
            and mapped > 0
            and folio_test(mem, desc, FL_LRU)
        ):
            count(mem, cpu, counter.MET_PIN_REFUSED_MIGRATION, 1)
        else:
            isolated = folio_isolate_lru(mem, cpu, desc)
            if not isolated and lru_batch_holds(mem, desc):
                count(mem, cpu, counter.MET_LRU_BATCH_HELD_REFERENCE, 1)
                count(mem, cpu, C_CAUSE + reason * NR_CAUSES + CAUSE_LRU_BATCH, 1)
    if isolated:
        folio_set(mem, desc, FL_ISOLATED)
    folio_put(mem, cpu, desc)
    return desc if isolated else -1
