"""Leaf page tables as frames: walked without a lock, moved by re-pointing the upper entry.

Models      pte_alloc_one(), pmd_install(), pte_offset_map(), pte_free_defer(), mm/memory.c, mm/pgtable-generic.c; P15;
            migration of leaf page tables, which D. Hildenbrand suggested on linux-mm on 7 Jan 2025 (P1) and Linux does not do
Differs     these tables are separate from the array `pte` that maps the tasks: they have their own upper entries, walkers and writers
            (role tables), so that accesses of the other roles do not walk one more level. Walkers only read, as GUP-fast does: a
            processor that sets accessed bits through a table that has just been copied would lose them, and Linux would have to
            clear and flush the upper entry before the copy.
Invariants  I11: a table is freed only when no walker can be in it; I13: what was written is found, in the old table or in the new
Protocol    populate: contents, then under the upper entry's lock the words and the entry (release).
            walk: an RCU section; entry (acquire), then the table.
            zap: under the lock entry to 0 and take; then a grace period, then free.
            migrate: under the lock copy, words of the target, state, entry (release); then a grace period, then the source is freed.
            Only the isolator frees a table that was zapped while it was isolated, after a grace period too.
"""

from kernels.alloc.pages import free_frozen_pages
from kernels.alloc.release import free_uncounted
from kernels.base import counter
from kernels.base.atomics import copy_words, fetch_add_release, load_acquire, load_relaxed, store_relaxed, store_release
from kernels.base.bug import bug, chaos_point
from kernels.base.jit import kernel
from kernels.base.layout import (
    BUG_LOST_WRITE,
    BUG_STRANGER,
    BUG_UDESC_STATE,
    INCARNATION_SHIFT,
    LC_TABLE,
    NONE_WORD,
    STAMP_OWNER,
    STAMP_VERSION,
    T_PAGETABLE,
)
from kernels.base.lock import spin_lock, spin_unlock
from kernels.base.rcu import rcu_read_lock, rcu_read_unlock, synchronize_rcu
from kernels.base.vmstat import count
from kernels.map.access import COUNT_MASK, stamp_frame, write_frame
from kernels.page.memdesc import word_desc
from kernels.page.udesc import (
    udesc_alloc,
    udesc_free,
    udesc_isolate,
    udesc_isolated,
    udesc_publish,
    udesc_putback,
    udesc_settle,
    udesc_take,
)

TABLE_STAMP = 1 << 58  # of a table, whose upper entry is in the bits below


@kernel
def table_populate(mem, cpu, slot, pfn):
    """Install a frame that the caller has allocated as the table of an upper entry.

    Models      pmd_install(), mm/memory.c
    Returns     False if there is a table already, or no descriptor; the frame is still the caller's
    Progress    blocking on the entry's lock
    """
    udesc = udesc_alloc(mem, cpu, T_PAGETABLE, pfn, slot)
    if udesc < 0:
        return False
    stamp_frame(mem, pfn, TABLE_STAMP | slot, 0)
    spin_lock(mem, cpu, mem.lock_table + slot, LC_TABLE)
    installed = load_relaxed(mem.upper, slot) == 0
    if installed:
        udesc_publish(mem, T_PAGETABLE, udesc, pfn)
        # ORDER: release, pairs with the walker's acquire: the table comes with the entry
        store_release(mem.upper, slot, pfn + 1)
    spin_unlock(mem, cpu, mem.lock_table + slot)
    if installed:
        count(mem, cpu, counter.PGTABLE_ALLOC, 1)
    else:
        udesc_free(mem, cpu, udesc)
    return installed


@kernel
def table_walk(mem, cpu, slot, nr_looks):
    """Read the table of an upper entry without a lock.

    Models      pte_offset_map() under rcu_read_lock(), mm/pgtable-generic.c; the walk of GUP-fast
    Parameters  nr_looks: how many reads of the table the walk does
    Returns     whether there was one
    Progress    wait-free; a bug if the frame has another owner, or lacks a write that was counted before the walk
    """
    # ORDER: acquire, pairs with table_write: the count is raised after the table was written
    before = load_acquire(mem.upper_oracle, slot)
    rcu_read_lock(mem, cpu)
    entry = load_acquire(mem.upper, slot)  # ORDER: acquire, pairs with the release of populate and migrate
    if entry != 0:
        chaos_point(mem, cpu)
        base = (entry - 1) * mem.words_per_frame
        for _ in range(nr_looks):
            owner = load_relaxed(mem.contents, base + STAMP_OWNER)
            version = load_relaxed(mem.contents, base + STAMP_VERSION)
            if owner != TABLE_STAMP | slot:
                bug(mem, cpu, BUG_STRANGER, entry - 1, owner, TABLE_STAMP | slot)
        # ORDER: acquire, before the entry is read again
        after = load_acquire(mem.upper_oracle, slot)
        if after >> INCARNATION_SHIFT == before >> INCARNATION_SHIFT and version < before & COUNT_MASK:
            bug(mem, cpu, BUG_LOST_WRITE, entry - 1, version, before & COUNT_MASK)
        if load_relaxed(mem.upper, slot) != entry:
            count(mem, cpu, counter.MET_TABLE_MOVED_UNDER_WALKER, 1)
    rcu_read_unlock(mem, cpu)
    return entry != 0


@kernel
def table_write(mem, cpu, slot):
    """Write the table of an upper entry once.

    Models      set_pte_at() under the page-table lock
    Returns     whether there was one
    Progress    blocking on the entry's lock
    """
    spin_lock(mem, cpu, mem.lock_table + slot, LC_TABLE)
    entry = load_relaxed(mem.upper, slot)
    if entry != 0:
        seen = write_frame(mem, cpu, entry - 1)
        if seen != load_relaxed(mem.upper_oracle, slot) & COUNT_MASK:
            bug(mem, cpu, BUG_LOST_WRITE, entry - 1, seen, load_relaxed(mem.upper_oracle, slot) & COUNT_MASK)
        # ORDER: release, pairs with the walker's acquire: the table was written before
        fetch_add_release(mem.upper_oracle, slot, 1)
    spin_unlock(mem, cpu, mem.lock_table + slot)
    return entry != 0


@kernel
def table_zap(mem, cpu, slot):
    """Remove the table of an upper entry, and free it once no walker is in it.

    Models      free_pte_range(), mm/memory.c; pte_free_defer(), mm/pgtable-generic.c
    Returns     whether there was one
    Progress    blocking on the entry's lock and on walkers
    """
    lock = mem.lock_table + slot
    spin_lock(mem, cpu, lock, LC_TABLE)
    pfn, mine = load_relaxed(mem.upper, slot) - 1, False
    udesc = word_desc(load_relaxed(mem.memdesc, max(pfn, 0)))
    if pfn >= 0:
        store_relaxed(mem.upper, slot, 0)
        incarnation = (load_relaxed(mem.upper_oracle, slot) >> INCARNATION_SHIFT) + 1
        store_relaxed(mem.upper_oracle, slot, incarnation << INCARNATION_SHIFT)
        mine = udesc_take(mem, cpu, T_PAGETABLE, udesc)
        if not mine:
            count(mem, cpu, counter.MET_TABLE_GONE_WHILE_ISOLATED, 1)
    spin_unlock(mem, cpu, lock)
    if mine:
        synchronize_rcu(mem, cpu)
        count(mem, cpu, counter.PGTABLE_FREE, 1)
        free_uncounted(mem, cpu, T_PAGETABLE, udesc, pfn)
    return pfn >= 0


# ------------------------------------------------------------------------------------- isolate, migrate, put back


@kernel
def isolate_pagetable(mem, cpu, pfn, word):
    """LIVE -> ISOLATED by this CPU.

    Returns     True if this CPU holds its isolation
    Progress    wait-free
    """
    return udesc_isolate(mem, cpu, pfn, word)


@kernel
def free_released_pagetable(mem, cpu, pfn, word):
    """Free a table that this CPU isolated and its owner zapped, once no walker is in it.

    Progress    blocking on walkers
    """
    synchronize_rcu(mem, cpu)
    count(mem, cpu, counter.PGTABLE_FREE, 1)
    free_uncounted(mem, cpu, T_PAGETABLE, word_desc(word), pfn)


@kernel
def putback_pagetable(mem, cpu, pfn, word):
    """ISOLATED -> LIVE, or free it if its owner zapped it in the meantime.

    Returns     True if it went back, False if it was freed
    Progress    wait-free unless it is freed
    """
    if udesc_putback(mem, cpu, pfn, word):
        return True
    free_released_pagetable(mem, cpu, pfn, word)
    return False


@kernel
def migrate_pagetable(mem, cpu, src_pfn, dst_pfn, word):
    """Let a target frame take an isolated table's place, and free the source once no walker is in it.

    Returns     1: moved; 0: the owner had zapped it, and it is freed
    Progress    blocking on the entry's lock and on walkers
    """
    udesc = word_desc(word)
    slot = mem.u_owner[udesc]
    spin_lock(mem, cpu, mem.lock_table + slot, LC_TABLE)
    moved = udesc_isolated(mem, cpu, src_pfn, word)
    if moved:
        copy_words(mem.contents, dst_pfn * mem.words_per_frame, src_pfn * mem.words_per_frame, mem.words_per_frame)
        chaos_point(mem, cpu)
        store_relaxed(mem.memdesc, dst_pfn, word)
        if not udesc_settle(mem, cpu, src_pfn, word, dst_pfn):
            bug(mem, cpu, BUG_UDESC_STATE, src_pfn, load_relaxed(mem.u_word, udesc), 0)
        store_release(mem.upper, slot, dst_pfn + 1)  # ORDER: release, pairs with the walker's acquire: the copy comes with the entry
    spin_unlock(mem, cpu, mem.lock_table + slot)
    if not moved:
        free_released_pagetable(mem, cpu, src_pfn, word)
        return 0
    synchronize_rcu(mem, cpu)
    store_relaxed(mem.memdesc, src_pfn, NONE_WORD)
    count(mem, cpu, counter.PGTABLE_MIGRATE, 1)
    free_frozen_pages(mem, cpu, src_pfn, 0)
    return 1
