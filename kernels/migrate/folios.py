"""Folio migration, for NUMA balancing: a list of folios and the callbacks get_new_folio / put_new_folio.

Models      migrate_pages(from, get_new_folio, put_new_folio, private, mode, reason), mm/migrate.c (c17ee635), as NUMA uses it:
            migrate_misplaced_folio(); P9, P13
Differs     the list is `mem.folio_list` of the CPU; it holds only folios, and none is split. One pass, where
            Linux makes up to ten
Invariants  I15, I16; never blocks in ASYNC
Protocol    as migrate/folio.py: unmap all, one flush, move all; leftovers go back to the LRU
"""

from kernels.base.atomics import load_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import CAUSE_NOMEM, WINDOW_FRAMES
from kernels.base.stage import STAGE_FLUSH, STAGE_MOVE, STAGE_UNMAP, stage_begin, stage_end
from kernels.map.tlb import flush_deferred
from kernels.migrate.folio import count_cause, count_migrated, folio_migrate_move, folio_migrate_unmap, folio_putback, freed_under_us


@kernel
def migrate_folios(mem, cpu, nr_folios, get_new_folio, put_new_folio, private, mode, reason):
    """Migrate the first `nr_folios` isolated folios of this CPU's folio_list.

    Parameters  get_new_folio(mem, cpu, src, private): a target descriptor with one reference, or -1;
                put_new_folio(mem, cpu, dst, private): takes an unused one back; private: passed through, for NUMA the node
    Returns     folios not migrated, which are back on the LRU
    Progress    one pass; as folio_migrate_unmap
    """
    base, base_dst = cpu * WINDOW_FRAMES, cpu * mem.window_frames
    begin = stage_begin(mem)
    pending, nr_left = 0, 0
    for k in range(nr_folios):
        src = mem.folio_list[base + k]
        mem.dst[base_dst + k] = -1
        if freed_under_us(mem, cpu, src, reason):
            continue
        dst = get_new_folio(mem, cpu, src, private)
        result = -1
        if dst < 0:
            count_cause(mem, cpu, reason, CAUSE_NOMEM)
        else:
            result = folio_migrate_unmap(mem, cpu, src, dst, mode, reason, pending)
        if result >= 0:
            pending = result
            mem.dst[base_dst + k] = dst
        else:
            if dst >= 0:
                put_new_folio(mem, cpu, dst, private)
            nr_left += give_up(mem, cpu, src, reason)
    begin = stage_end(mem, cpu, STAGE_UNMAP, begin)
    flush_deferred(mem, cpu, pending)
    begin = stage_end(mem, cpu, STAGE_FLUSH, begin)
    for k in range(nr_folios):
        dst = mem.dst[base_dst + k]
        if dst >= 0:
            src = mem.folio_list[base + k]
            if folio_migrate_move(mem, cpu, src, dst, reason) < 0:
                put_new_folio(mem, cpu, dst, private)
                nr_left += give_up(mem, cpu, src, reason)
    stage_end(mem, cpu, STAGE_MOVE, begin)
    return nr_left


@kernel
def give_up(mem, cpu, src, reason):
    """Put a folio back and count it as failed.

    Returns     1
    Progress    blocking on the lruvec lock
    """
    count_migrated(mem, cpu, reason, load_relaxed(mem.folio_order, src), False)
    folio_putback(mem, cpu, src)
    return 1
