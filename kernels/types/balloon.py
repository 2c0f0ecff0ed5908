"""Balloons under each policy: what roles call, and today's balloon pages, which have a descriptor and a count.

Models      mm/balloon.c, balloon_pages_lock (a3fafdd38967), movable_ops (c17ee635); offline = none: types/offline.py. P1, P10
Differs     blocks of order 0, as balloon compaction, page by page where whole pageblocks are inflated; a lock per balloon. counted: one
            reference, the owner's, as alloc_page() leaves it, and one more while it is isolated. zero: the same with a count that
            stays frozen, so that only its place in the inventory holds a frame
Invariants  I1, I9, I16; F-1 and F-2 under zero: the count is never written and no try_get succeeds
Protocol    word, FL_OFFLINE, owner (cpupid) and the place in the inventory change together under the balloon's lock, which is chosen
            from an owner that is read without the lock and again under it. A deflater skips an isolated page. Under counted the last
            put frees, which may be a speculator's, after the page has been migrated.
"""

from kernels.alloc.pages import free_frozen_pages
from kernels.alloc.release import folio_put, folio_put_refs, try_get_through
from kernels.base import counter
from kernels.base.atomics import fetch_or_release, load_acquire, load_relaxed, store_relaxed, store_release
from kernels.base.bug import bug, chaos_point
from kernels.base.jit import kernel
from kernels.base.layout import (
    BUG_BALLOON_LOST,
    FL_ISOLATED,
    FL_OFFLINE,
    HELD_CAPACITY,
    LC_BALLOON,
    OFF_ISOLATED,
    OFFLINE_COUNTED,
    OFFLINE_NONE,
    T_COUNTED,
)
from kernels.base.lock import spin_lock, spin_unlock
from kernels.base.vmstat import count
from kernels.page.folio import desc_free, folio_clear, folio_prepare, folio_publish, folio_retire_words, folio_set, folio_test
from kernels.page.memdesc import desc_word, offline_state, word_desc, word_type
from kernels.types.offline import balloon_deflate, balloon_inflate, inventory_remove


@kernel
def is_balloon_page(mem, word):
    """Whether a word leads to the descriptor of a balloon's page (a hint without the balloon's lock).

    Models      PageOffline()
    Progress    wait-free
    """
    if mem.policy_offline == OFFLINE_NONE or word_type(word) != T_COUNTED:
        return False
    # ORDER: acquire, pairs with place_balloon_page(): the owner is read after the flag
    return load_acquire(mem.flags, word_desc(word)) & FL_OFFLINE != 0


@kernel
def place_balloon_page(mem, cpu, balloon, place, pfn):
    """Give a frame its descriptor, its word and a place in the inventory; the balloon's lock held.

    Models      balloon_page_insert(), include/linux/balloon_compaction.h
    Progress    as desc_alloc
    """
    desc = folio_prepare(mem, cpu, T_COUNTED, pfn, 0, 0, 0)
    store_relaxed(mem.cpupid, desc, balloon)
    # ORDER: release, the owner before the flag: a CPU with the same word from an earlier life of frame and descriptor must not take
    # this page for the earlier balloon's
    fetch_or_release(mem.flags, desc, FL_OFFLINE)
    mem.balloon_pfn[balloon * HELD_CAPACITY + place] = pfn
    mem.frame_next[pfn] = place
    if mem.policy_offline == OFFLINE_COUNTED:
        folio_publish(mem, cpu, desc, 1)
    else:
        # ORDER: release, the descriptor's fields come before the word that leads to them; its count stays frozen
        store_release(mem.memdesc, pfn, desc_word(T_COUNTED, desc))


@kernel
def free_balloon_page(mem, cpu, desc, nr_refs):
    """Free a page that is no longer in an inventory.

    Parameters  nr_refs: what the caller holds under counted: the owner's, and the isolation's
    Progress    as free_frozen_pages
    """
    if mem.policy_offline == OFFLINE_COUNTED:
        folio_put_refs(mem, cpu, desc, nr_refs)
        return
    pfn = mem.folio_pfn[desc]
    folio_retire_words(mem, cpu, desc)
    desc_free(mem, cpu, desc)
    free_frozen_pages(mem, cpu, pfn, 0)


@kernel
def balloon_page_enqueue(mem, cpu, balloon, pfn):
    """Add a frame that the caller has allocated to a balloon.

    Models      balloon_page_enqueue(), mm/balloon.c
    Progress    blocking on the balloon's lock
    """
    spin_lock(mem, cpu, mem.lock_balloon + balloon, LC_BALLOON)
    place = mem.balloon_pages[balloon]
    place_balloon_page(mem, cpu, balloon, place, pfn)
    mem.balloon_pages[balloon] = place + 1
    spin_unlock(mem, cpu, mem.lock_balloon + balloon)
    count(mem, cpu, counter.BALLOON_INFLATE, 1)


@kernel
def balloon_page_dequeue(mem, cpu, balloon, place):
    """Give one page of a balloon back: the one at a place of the inventory, unless it is isolated.

    Models      balloon_page_dequeue(), mm/balloon.c
    Returns     frames given back
    Progress    blocking on the balloon's lock; a bug if the page is not this balloon's
    """
    spin_lock(mem, cpu, mem.lock_balloon + balloon, LC_BALLOON)
    held = mem.balloon_pages[balloon]
    if held == 0:
        spin_unlock(mem, cpu, mem.lock_balloon + balloon)
        return 0
    place = place % held
    pfn = mem.balloon_pfn[balloon * HELD_CAPACITY + place]
    word = load_relaxed(mem.memdesc, pfn)
    if not is_balloon_page(mem, word) or load_relaxed(mem.cpupid, word_desc(word)) != balloon:
        bug(mem, cpu, BUG_BALLOON_LOST, pfn, word, balloon)
    desc = word_desc(word)
    if folio_test(mem, desc, FL_ISOLATED):
        count(mem, cpu, counter.MET_DEFLATE_ON_ISOLATED, 1)
        spin_unlock(mem, cpu, mem.lock_balloon + balloon)
        return 0
    folio_clear(mem, desc, FL_OFFLINE)
    inventory_remove(mem, balloon, place)
    spin_unlock(mem, cpu, mem.lock_balloon + balloon)
    chaos_point(mem, cpu)
    free_balloon_page(mem, cpu, desc, 1)
    count(mem, cpu, counter.BALLOON_DEFLATE, 1)
    return 1


# ------------------------------------------------------------------------------------- isolate, migrate, put back


@kernel
def mark_isolated(mem, cpu, pfn, word):
    """Isolate a page if it is still in a balloon and not isolated.

    Models      balloon_page_isolate(), mm/balloon.c
    Returns     True if this CPU holds its isolation
    Progress    blocking on the balloon's lock
    """
    desc = word_desc(word)
    balloon = load_relaxed(mem.cpupid, desc)
    if not is_balloon_page(mem, word) or balloon < 0 or balloon >= mem.nr_cpus:
        return False
    chaos_point(mem, cpu)
    spin_lock(mem, cpu, mem.lock_balloon + balloon, LC_BALLOON)
    # What was read without the lock may belong to another object by now; under the lock, pages of this balloon do not change.
    same = load_relaxed(mem.memdesc, pfn) == word and is_balloon_page(mem, word) and load_relaxed(mem.cpupid, desc) == balloon
    if same and not folio_test(mem, desc, FL_ISOLATED):
        folio_set(mem, desc, FL_ISOLATED)
        spin_unlock(mem, cpu, mem.lock_balloon + balloon)
        return True
    spin_unlock(mem, cpu, mem.lock_balloon + balloon)
    return False


@kernel
def isolate_balloon_page(mem, cpu, pfn, word):
    """Isolate a balloon's page; under counted with a further reference, taken speculatively.

    Models      isolate_movable_ops_page(), mm/migrate.c
    Returns     True if this CPU holds its isolation
    Progress    blocking on the balloon's lock
    """
    if mem.policy_offline != OFFLINE_COUNTED:
        return mark_isolated(mem, cpu, pfn, word)
    desc = try_get_through(mem, cpu, pfn, word)
    if desc < 0:
        return False
    if mark_isolated(mem, cpu, pfn, word):
        return True
    folio_put(mem, cpu, desc)
    return False


@kernel
def putback_balloon_page(mem, cpu, word):
    """End an isolation without a migration.

    Models      balloon_page_putback(), mm/balloon.c
    Differs     an isolated page keeps its place, so that only its flag changes, which needs no lock
    Returns     True
    Progress    wait-free unless the put frees
    """
    desc = word_desc(word)
    folio_clear(mem, desc, FL_ISOLATED)
    if mem.policy_offline == OFFLINE_COUNTED:
        folio_put(mem, cpu, desc)
    return True


@kernel
def migrate_balloon_page(mem, cpu, src_pfn, dst_pfn, word):
    """Let a target frame take an isolated page's place in its balloon.

    Models      balloon_page_migrate(), mm/balloon.c; virtballoon_migratepage()
    Returns     1
    Progress    blocking on the balloon's lock
    """
    desc = word_desc(word)
    balloon = load_relaxed(mem.cpupid, desc)
    spin_lock(mem, cpu, mem.lock_balloon + balloon, LC_BALLOON)
    place = mem.frame_next[src_pfn]
    if mem.balloon_pfn[balloon * HELD_CAPACITY + place] != src_pfn:
        bug(mem, cpu, BUG_BALLOON_LOST, src_pfn, place, mem.balloon_pfn[balloon * HELD_CAPACITY + place])
    place_balloon_page(mem, cpu, balloon, place, dst_pfn)
    spin_unlock(mem, cpu, mem.lock_balloon + balloon)
    folio_clear(mem, desc, FL_OFFLINE | FL_ISOLATED)  # in one step: a CPU with the old word finds it isolated, or in no balloon
    count(mem, cpu, counter.BALLOON_MIGRATE, 1)
    free_balloon_page(mem, cpu, desc, 2)
    return 1


# ------------------------------------------------------------------------------------------------- under either policy


@kernel
def max_balloon_order(mem):
    """The largest block that a balloon can take.

    Progress    wait-free
    """
    return min(mem.balloon_order, mem.pageblock_order - 1) if mem.policy_offline == OFFLINE_NONE else 0


@kernel
def inflate(mem, cpu, balloon, pfn, order):
    """Inflate a balloon by 2^order frames that the caller has allocated; at most max_balloon_order().

    Progress    blocking on the balloon's lock
    """
    if mem.policy_offline == OFFLINE_NONE:
        balloon_inflate(mem, cpu, balloon, pfn, order)
    else:
        balloon_page_enqueue(mem, cpu, balloon, pfn)


@kernel
def inflate_pageblock(mem, cpu, balloon, pfn):
    """Inflate a balloon by a pageblock that the caller has allocated: as one block, or page by page if each page has a descriptor.

    Models      virtio_mem_set_fake_offline(), drivers/virtio/virtio_mem.c; balloon_page_enqueue(), mm/balloon.c
    Progress    blocking on the balloon's lock
    """
    if mem.policy_offline == OFFLINE_NONE:
        balloon_inflate(mem, cpu, balloon, pfn, mem.pageblock_order)
    else:
        for k in range(1 << mem.pageblock_order):
            balloon_page_enqueue(mem, cpu, balloon, pfn + k)


@kernel
def deflate(mem, cpu, balloon, place):
    """Give the block at a place of a balloon's inventory back.

    Returns     frames given back or released; 0 if there is nothing, or the block is being migrated
    Progress    blocking on the balloon's lock
    """
    if mem.policy_offline == OFFLINE_NONE:
        return balloon_deflate(mem, cpu, balloon, place)
    return balloon_page_dequeue(mem, cpu, balloon, place)


@kernel
def is_isolated_now(mem, pfn):
    """Whether a block of a balloon is isolated (a hint).

    Progress    wait-free
    """
    word = load_relaxed(mem.memdesc, pfn)
    if mem.policy_offline == OFFLINE_NONE:
        return offline_state(word) == OFF_ISOLATED
    return is_balloon_page(mem, word) and folio_test(mem, word_desc(word), FL_ISOLATED)
