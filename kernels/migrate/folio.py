"""Migration of one folio, in two phases, so that a batch can share one TLB flush between them.

Models      migrate_folio_unmap(), migrate_folio_move(), __migrate_folio(), __folio_migrate_mapping(), mm/migrate.c (c17ee635);
            P7, P8
Differs     no anon_vma reference (families do not go away), no buffers, no swap cache; large anonymous folios are not frozen
            either, since there is no deferred-split queue for them to leave
Invariants  I12-I16: the copy comes after the flush and after the check of the count; failure changes neither side
Protocol    unmap: trylock source, writeback, trylock target, PTEs to migration entries.
            flush (the caller).
            move: count as expected, else nothing is copied; copy; file folios: i_pages lock, freeze, target into the cache,
            unfreeze; from there on it cannot fail; flags; LRU; PTEs to the target; unlock and put both.
            Anonymous folios are not frozen: after the unmap a new reference can only start from the memdesc word; its re-check
            undoes it, or its put is the source's last.
"""

from kernels.alloc.release import folio_add_lru, folio_put, lru_batch_holds
from kernels.base import counter
from kernels.base.atomics import copy_words, fetch_add_relaxed, load_acquire, load_relaxed, store_relaxed, store_release
from kernels.base.bug import bug, chaos_point, relax
from kernels.base.jit import kernel
from kernels.base.layout import (
    BUG_ISOLATED_TYPE,
    C_CAUSE,
    C_FAILED,
    C_MIGRATED,
    CAUSE_DST_LOCK,
    CAUSE_FREEZE,
    CAUSE_LOCK,
    CAUSE_LRU_BATCH,
    CAUSE_MAPPED,
    CAUSE_REFCOUNT,
    CAUSE_RELEASED,
    CAUSE_WRITEBACK,
    EAGAIN,
    EBUSY,
    FL_DIRTY,
    FL_ISOLATED,
    FL_REFERENCED,
    FL_UPTODATE,
    FL_WRITEBACK,
    LC_I_PAGES,
    MIGRATE_ASYNC,
    MIGRATE_SYNC,
    NR_CAUSES,
    T_FILE,
)
from kernels.base.lock import spin_lock, spin_unlock
from kernels.base.stage import STAGE_COPY, stage_begin, stage_end
from kernels.base.vmstat import count
from kernels.map.pagecache import cache_slot
from kernels.map.rmap import remove_migration_ptes, try_to_migrate
from kernels.page.folio import folio_clear, folio_lock, folio_set, folio_test, folio_trylock, folio_unlock
from kernels.page.lru import lruvec_of
from kernels.page.refcount import ref_freeze, ref_get, ref_unfreeze


@kernel
def count_cause(mem, cpu, reason, cause):
    """Count one attempt that failed, by why.

    Progress    wait-free
    """
    count(mem, cpu, C_CAUSE + reason * NR_CAUSES + cause, 1)


@kernel
def count_migrated(mem, cpu, reason, order, succeeded):
    """Count one object that was migrated, or that was given up, in base frames.

    Models      mm_migrate_pages, PGMIGRATE_SUCCESS, THP_MIGRATION_SUCCESS
    Progress    wait-free
    """
    if succeeded:
        count(mem, cpu, C_MIGRATED + reason, 1 << order)
        count(mem, cpu, counter.PGMIGRATE_SUCCESS, 1 << order)
        if order > 0:
            count(mem, cpu, counter.THP_MIGRATION_SUCCESS, 1)
    else:
        count(mem, cpu, C_FAILED + reason, 1 << order)
        count(mem, cpu, counter.PGMIGRATE_FAIL, 1 << order)
        if order > 0:
            count(mem, cpu, counter.THP_MIGRATION_FAIL, 1)


@kernel
def expected_refs(mem, desc):
    """References to a locked, unmapped, isolated folio if no other CPU holds one.

    Models      folio_expected_ref_count() + 1, include/linux/mm.h
    Progress    wait-free
    """
    if mem.folio_type[desc] == T_FILE and load_relaxed(mem.mapping, desc) != 0:
        return 1 + (1 << mem.folio_order[desc])
    return 1


@kernel
def folio_migrate_unmap(mem, cpu, src, dst, mode, reason, pending):
    """Lock source and target, turn the source's PTEs into migration entries.

    Models      migrate_folio_unmap(), mm/migrate.c
    Parameters  src: isolated; dst: a target with one reference; pending: spaces on this CPU's deferred flush
    Returns     spaces on it now, or a negated errno with the source unlocked and mapped as before
    Progress    blocking on PTLs; in SYNC_LIGHT and SYNC on the source's lock, too; in SYNC also on writeback
    """
    if not folio_test(mem, src, FL_ISOLATED):
        bug(mem, cpu, BUG_ISOLATED_TYPE, mem.folio_pfn[src], load_relaxed(mem.flags, src), FL_ISOLATED)
    if not folio_trylock(mem, cpu, src):
        if mode == MIGRATE_ASYNC:
            count_cause(mem, cpu, reason, CAUSE_LOCK)
            return -EAGAIN
        folio_lock(mem, cpu, src)
    if folio_test(mem, src, FL_WRITEBACK):
        if mode != MIGRATE_SYNC:
            count_cause(mem, cpu, reason, CAUSE_WRITEBACK)
            folio_unlock(mem, cpu, src)
            return -EBUSY
        spins = 0
        while folio_test(mem, src, FL_WRITEBACK):
            spins = relax(mem, cpu, spins)
    if not folio_trylock(mem, cpu, dst):
        count_cause(mem, cpu, reason, CAUSE_DST_LOCK)
        folio_unlock(mem, cpu, src)
        return -EAGAIN
    mapping = load_relaxed(mem.mapping, src)
    if load_relaxed(mem.mapcount, src) > 0:
        pending = try_to_migrate(mem, cpu, src, pending)
    if load_relaxed(mem.mapcount, src) > 0:
        count_cause(mem, cpu, reason, CAUSE_MAPPED)
        folio_migrate_undo(mem, cpu, src, dst, mapping)
        return -EAGAIN
    return pending


@kernel
def folio_migrate_undo(mem, cpu, src, dst, mapping):
    """Back out between unmap and move: PTEs to the source again, both unlocked.

    Models      migrate_folio_undo_src(), mm/migrate.c
    Progress    blocking on PTLs
    """
    src_pfn = mem.folio_pfn[src]
    if mapping != 0:
        remove_migration_ptes(mem, cpu, mapping, mem.folio_index[src], src_pfn, 1 << mem.folio_order[src], src_pfn)
    folio_unlock(mem, cpu, dst)
    folio_unlock(mem, cpu, src)


@kernel
def migrate_mapping(mem, cpu, src, dst, expected):
    """Put the target where the source was in the page cache, with the source frozen.

    Models      __folio_migrate_mapping(), mm/migrate.c
    Returns     True, or False if the count had moved since it was checked
    Progress    blocking on the i_pages lock
    """
    mapping = load_relaxed(mem.mapping, src)
    nr_pages = 1 << mem.folio_order[src]
    file = (mapping >> 1) - 1
    spin_lock(mem, cpu, mem.lock_i_pages + file, LC_I_PAGES)
    if not ref_freeze(mem, cpu, src, expected):
        spin_unlock(mem, cpu, mem.lock_i_pages + file)
        return False
    chaos_point(mem, cpu)
    adopt(mem, src, dst)
    ref_get(mem, dst, nr_pages)
    # Siblings point to the head's slot, so one store moves all of them.
    # ORDER: release, pairs with load_entry: the target's fields come with the entry
    store_release(mem.cache, cache_slot(mem, file, mem.folio_index[src]), (dst + 1) << 1)
    ref_unfreeze(mem, cpu, src, expected - nr_pages)
    spin_unlock(mem, cpu, mem.lock_i_pages + file)
    return True


@kernel
def adopt(mem, src, dst):
    """Give the target the source's identity and flags; only once the migration can no longer fail (C11).

    Models      folio_migrate_flags(), mm/migrate.c
    Progress    wait-free
    """
    store_relaxed(mem.folio_index, dst, mem.folio_index[src])
    store_relaxed(mem.mapping, dst, load_relaxed(mem.mapping, src))
    folio_set(mem, dst, load_relaxed(mem.flags, src) & (FL_DIRTY | FL_UPTODATE | FL_REFERENCED))
    store_relaxed(mem.cpupid, dst, load_relaxed(mem.cpupid, src))


@kernel
def folio_copy(mem, cpu, src, dst):
    """Copy the contents of a folio, frame by frame.

    Models      folio_mc_copy(), mm/util.c
    Progress    wait-free
    """
    nr_words = mem.words_per_frame
    src_pfn, dst_pfn = mem.folio_pfn[src], mem.folio_pfn[dst]
    for k in range(1 << mem.folio_order[src]):
        copy_words(mem.contents, (dst_pfn + k) * nr_words, (src_pfn + k) * nr_words, nr_words)
        chaos_point(mem, cpu)


@kernel
def folio_migrate_move(mem, cpu, src, dst, reason):
    """Move an unmapped folio whose translations have been flushed.

    Models      migrate_folio_move(), mm/migrate.c
    Returns     0: the target replaced the source, whose reference is put; or -EAGAIN with both as folio_migrate_unmap found them
    Progress    blocking on the i_pages lock and PTLs
    """
    mapping, index = load_relaxed(mem.mapping, src), mem.folio_index[src]
    order, src_pfn = mem.folio_order[src], mem.folio_pfn[src]
    expected = expected_refs(mem, src)
    # ORDER: acquire, pairs with the release of every put before it: the copy reads what was written through a reference or a pin that
    # was dropped. Linux reads the count relaxed here.
    if load_acquire(mem.refcount, src) != expected:
        count(mem, cpu, counter.MET_COUNT_UNEXPECTED, 1)
        count_cause(mem, cpu, reason, CAUSE_LRU_BATCH if lru_batch_holds(mem, src) else CAUSE_REFCOUNT)
        folio_migrate_undo(mem, cpu, src, dst, mapping)
        return -EAGAIN
    begin = stage_begin(mem)
    folio_copy(mem, cpu, src, dst)
    stage_end(mem, cpu, STAGE_COPY, begin)
    if expected > 1:
        if not migrate_mapping(mem, cpu, src, dst, expected):
            count(mem, cpu, counter.MET_COUNT_MOVED_DURING_COPY, 1)
            count_cause(mem, cpu, reason, CAUSE_FREEZE)
            folio_migrate_undo(mem, cpu, src, dst, mapping)
            return -EAGAIN
    else:
        adopt(mem, src, dst)
    folio_add_lru(mem, cpu, dst)
    if mapping != 0:
        remove_migration_ptes(mem, cpu, mapping, index, src_pfn, 1 << order, mem.folio_pfn[dst])
    folio_unlock(mem, cpu, dst)
    folio_put(mem, cpu, dst)
    if expected > 1:
        store_relaxed(mem.mapping, src, 0)
    folio_unlock(mem, cpu, src)
    release_isolated(mem, cpu, src)
    count_migrated(mem, cpu, reason, order, True)
    return 0


@kernel
def release_isolated(mem, cpu, desc):
    """End an isolation: clear the flag, then put its reference, which may be the last.

    Progress    wait-free unless the put frees
    """
    fetch_add_relaxed(mem.lru_isolated, lruvec_of(mem, desc), -1)
    clear_isolated(mem, cpu, desc)
    folio_put(mem, cpu, desc)


@kernel
def clear_isolated(mem, cpu, desc):
    """Clear FL_ISOLATED; a bug if it is not set.

    Progress    wait-free
    """
    seen = load_relaxed(mem.flags, desc)
    if seen & FL_ISOLATED == 0:
        bug(mem, cpu, BUG_ISOLATED_TYPE, mem.folio_pfn[desc], seen, FL_ISOLATED)
    folio_clear(mem, desc, FL_ISOLATED)


@kernel
def folio_putback(mem, cpu, desc):
    """Put an isolated folio back on the LRU.

    Models      folio_putback_lru(), mm/vmscan.c
    Progress    blocking on the lruvec lock
    """
    fetch_add_relaxed(mem.lru_isolated, lruvec_of(mem, desc), -1)
    clear_isolated(mem, cpu, desc)
    folio_add_lru(mem, cpu, desc)
    folio_put(mem, cpu, desc)


@kernel
def freed_under_us(mem, cpu, desc, reason):
    """Whether only the isolator's reference is left: then its put frees the folio, which counts as a success.

    Models      "Folio was freed from under us", migrate_pages_batch(), mm/migrate.c
    Returns     True if it was put
    Progress    wait-free unless it is freed
    """
    if load_relaxed(mem.refcount, desc) != 1:
        return False
    count_cause(mem, cpu, reason, CAUSE_RELEASED)
    count(mem, cpu, counter.MET_ISOLATION_RACED_FREE, 1)
    release_isolated(mem, cpu, desc)
    return True
