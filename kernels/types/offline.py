"""PageOffline frames without a count and without a descriptor: balloons as memdescs would allow them.

Models      mm/balloon.c and movable_ops (c17ee635), as P1 proposes them: `offline = none`
Differs     everything that today's code does with refcount, page lock, lru and mapping is done by one word
Invariants  F-1: a head word changes only by the transitions below; F-2: no try_get succeeds on one; I16
Protocol    PRIVATE -> INFLATED: a store under the balloon's lock, once the inventory has the frame.
            INFLATED -> ISOLATED(cpu) or -> DEFLATING: compare-and-swap of the whole word.
            an owner that finds ISOLATED may swap in RELEASED and no longer uses the frame.
            ISOLATED -> INFLATED (put back) or -> TRANSIT (the migration cannot fail any more): compare-and-swap by the isolator alone.
            TRANSIT: the target becomes INFLATED and takes the source's place in the inventory under the balloon's lock.
            RELEASED found by the isolator: it frees the source and counts a success.
            Only the CPU that set DEFLATING or TRANSIT, or an isolator that finds RELEASED, frees; the word is NONE before that.
The contents of an Offline frame mean nothing and are not copied. Tails carry the order and the tail bit.
A balloon's inventory is an array of pfns; frame_next[pfn] is the frame's place in it.
"""

from kernels.alloc.buddy import nid_of
from kernels.alloc.pages import free_frozen_pages
from kernels.base import counter
from kernels.base.atomics import cas_release, load_acquire, load_relaxed, store_relaxed
from kernels.base.bug import bug, chaos_point
from kernels.base.jit import kernel
from kernels.base.layout import (
    BUG_BALLOON_LOST,
    BUG_OFFLINE_STATE,
    EV_OFFLINE_STATE,
    HELD_CAPACITY,
    LC_BALLOON,
    M_OFFLINE,
    NONE_WORD,
    OFF_DEFLATING,
    OFF_INFLATED,
    OFF_ISOLATED,
    OFF_PRIVATE,
    OFF_RELEASED,
    OFF_TRANSIT,
    OWNER_SHIFT,
)
from kernels.base.lock import spin_lock, spin_unlock
from kernels.base.vmstat import count, trace
from kernels.page.folio import set_words
from kernels.page.memdesc import is_offline_head, misc_word, offline_owner, offline_state, with_state, word_order


@kernel
def move_state(mem, cpu, pfn, word, state):
    """Move an Offline head word from exactly `word` to another state.

    Returns     True if it was that word
    Progress    wait-free
    """
    # ORDER: release, the owner's accesses to the frame come before the free by its isolator, which loads RELEASED with acquire. All
    # other accesses to frame and inventory are under the balloon's lock.
    if cas_release(mem.memdesc, pfn, word, with_state(word, state, cpu)) == word:
        trace(mem, cpu, EV_OFFLINE_STATE, pfn, offline_state(word) << 8 | state)
        return True
    return False


@kernel
def make_offline(mem, pfn, order, balloon):
    """Write the words of newly allocated frames: the head PRIVATE, and the tails.

    Models      __SetPageOffline()
    Returns     the head's word
    Progress    wait-free
    """
    nid = nid_of(mem, pfn)
    tail = misc_word(M_OFFLINE, order, nid, 1)
    for k in range(1, 1 << order):
        store_relaxed(mem.memdesc, pfn + k, tail)
    head = with_state(misc_word(M_OFFLINE, order, nid, 0) | balloon << OWNER_SHIFT, OFF_PRIVATE, 0)
    store_relaxed(mem.memdesc, pfn, head)
    return head


@kernel
def publish_offline(mem, cpu, pfn, word):
    """PRIVATE -> INFLATED: from then on the frame may be isolated or deflated.

    Progress    wait-free
    """
    # relaxed: a CPU that finds the frame inflated takes the balloon's lock, which the caller holds, before it uses frame or inventory
    store_relaxed(mem.memdesc, pfn, with_state(word, OFF_INFLATED, 0))
    trace(mem, cpu, EV_OFFLINE_STATE, pfn, OFF_PRIVATE << 8 | OFF_INFLATED)


@kernel
def free_offline(mem, cpu, pfn, order):
    """Set the words to NONE, then free the frames, which the caller owns.

    Progress    as free_frozen_pages
    """
    set_words(mem, pfn, order, NONE_WORD)
    free_frozen_pages(mem, cpu, pfn, order)


# ----------------------------------------------------------------------------------------------------------- the balloon


@kernel
def balloon_inflate(mem, cpu, balloon, pfn, order):
    """Inflate a balloon by 2^order frames that the caller has allocated.

    Models      balloon_page_enqueue(), mm/balloon.c
    Progress    blocking on the balloon's lock
    """
    word = make_offline(mem, pfn, order, balloon)
    spin_lock(mem, cpu, mem.lock_balloon + balloon, LC_BALLOON)
    place = mem.balloon_pages[balloon]
    mem.balloon_pfn[balloon * HELD_CAPACITY + place] = pfn
    mem.frame_next[pfn] = place
    mem.balloon_pages[balloon] = place + 1
    publish_offline(mem, cpu, pfn, word)
    spin_unlock(mem, cpu, mem.lock_balloon + balloon)
    count(mem, cpu, counter.BALLOON_INFLATE, 1 << order)


@kernel
def inventory_remove(mem, balloon, place):
    """Take the block at a place out of a balloon's inventory; the last block moves to its place; the balloon's lock held.

    Does not access the block itself: its isolator may have freed it since it was released.

    Models      list_del(&page->lru) in mm/balloon.c
    Progress    wait-free
    """
    base = balloon * HELD_CAPACITY
    last = mem.balloon_pages[balloon] - 1
    if place != last:
        moved = mem.balloon_pfn[base + last]
        mem.balloon_pfn[base + place] = moved
        mem.frame_next[moved] = place
    mem.balloon_pages[balloon] = last


@kernel
def take_or_release(mem, cpu, balloon, pfn):
    """Take over a block of this balloon's inventory, or release it to its isolator; the balloon's lock held.

    Returns     OFF_DEFLATING: the caller owns it; OFF_RELEASED: its isolator does; OFF_TRANSIT: it is being replaced, try later
    Progress    lock-free; a bug if the word is not this balloon's
    """
    while True:
        word = load_relaxed(mem.memdesc, pfn)
        if not is_offline_head(word) or offline_owner(word) != balloon:
            bug(mem, cpu, BUG_BALLOON_LOST, pfn, word, balloon)
        state = offline_state(word)
        if state == OFF_INFLATED:
            if move_state(mem, cpu, pfn, word, OFF_DEFLATING):
                return OFF_DEFLATING
        elif state == OFF_ISOLATED:
            count(mem, cpu, counter.MET_DEFLATE_ON_ISOLATED, 1)
            if move_state(mem, cpu, pfn, word, OFF_RELEASED):
                return OFF_RELEASED
        else:
            return OFF_TRANSIT


@kernel
def balloon_deflate(mem, cpu, balloon, place):
    """Give one block of a balloon back: the one at a place of the inventory.

    Models      balloon_page_dequeue(), mm/balloon.c, which skips isolated pages; here the owner may release one to its isolator
    Returns     frames given back or released; 0 if there is nothing, or the block is being replaced by its migration
    Progress    blocking on the balloon's lock
    """
    spin_lock(mem, cpu, mem.lock_balloon + balloon, LC_BALLOON)
    held = mem.balloon_pages[balloon]
    if held == 0:
        spin_unlock(mem, cpu, mem.lock_balloon + balloon)
        return 0
    place = place % held
    pfn = mem.balloon_pfn[balloon * HELD_CAPACITY + place]
    order = word_order(load_relaxed(mem.memdesc, pfn))
    outcome = take_or_release(mem, cpu, balloon, pfn)
    chaos_point(mem, cpu)
    if outcome != OFF_TRANSIT:
        inventory_remove(mem, balloon, place)
    spin_unlock(mem, cpu, mem.lock_balloon + balloon)
    if outcome == OFF_TRANSIT:
        return 0
    count(mem, cpu, counter.BALLOON_DEFLATE, 1 << order)
    if outcome == OFF_DEFLATING:
        free_offline(mem, cpu, pfn, order)
    return 1 << order


# ------------------------------------------------------------------------------------- isolate, migrate, put back


@kernel
def isolate_offline(mem, cpu, pfn, word):
    """INFLATED -> ISOLATED by this CPU.

    Parameters  word: as read when the frame was found; a frame that was freed and inflated again may have the same word;
                then success isolates the current frame
    Returns     True if this CPU holds its isolation
    Progress    wait-free
    """
    if offline_state(word) != OFF_INFLATED:
        return False
    chaos_point(mem, cpu)
    return move_state(mem, cpu, pfn, word, OFF_ISOLATED)


@kernel
def isolated_word(mem, cpu, pfn):
    """The word of a frame that this CPU isolated: ISOLATED still, or RELEASED by its owner.

    Progress    wait-free; a bug if it is anything else
    """
    # ORDER: acquire, pairs with the owner's release: its accesses to the frame come before the free here
    word = load_acquire(mem.memdesc, pfn)
    state = offline_state(word)
    if not is_offline_head(word) or (state != OFF_ISOLATED and state != OFF_RELEASED):
        bug(mem, cpu, BUG_OFFLINE_STATE, pfn, word, OFF_ISOLATED)
    return word


@kernel
def free_released(mem, cpu, pfn, word):
    """Free a frame that this CPU isolated and its owner released.

    Progress    as free_frozen_pages
    """
    count(mem, cpu, counter.MET_RELEASE_FOUND_BY_ISOLATOR, 1)
    free_offline(mem, cpu, pfn, word_order(word))


@kernel
def putback_offline(mem, cpu, pfn):
    """ISOLATED -> INFLATED, or free it if its owner released it in the meantime.

    Models      putback_movable_ops_page(), mm/migrate.c
    Returns     True if it went back, False if it was freed
    Progress    lock-free
    """
    word = isolated_word(mem, cpu, pfn)
    if offline_state(word) == OFF_ISOLATED:
        chaos_point(mem, cpu)
        if move_state(mem, cpu, pfn, word, OFF_INFLATED):
            return True
        word = isolated_word(mem, cpu, pfn)
    free_released(mem, cpu, pfn, word)
    return False


@kernel
def migrate_offline(mem, cpu, src_pfn, dst_pfn):
    """Let target frames take an isolated block's place in its balloon, and free the block.

    Models      migrate_balloon_page(), mm/balloon.c, without copy and count
    Parameters  dst_pfn: allocated by the caller, of the source's order
    Returns     1: moved; 0: the owner released the source, which is freed; the target is still the caller's
    Progress    blocking on the balloon's lock
    """
    word = isolated_word(mem, cpu, src_pfn)
    if offline_state(word) == OFF_RELEASED or not move_state(mem, cpu, src_pfn, word, OFF_TRANSIT):
        free_released(mem, cpu, src_pfn, isolated_word(mem, cpu, src_pfn))
        return 0
    order, balloon = word_order(word), offline_owner(word)
    chaos_point(mem, cpu)
    target = make_offline(mem, dst_pfn, order, balloon)
    spin_lock(mem, cpu, mem.lock_balloon + balloon, LC_BALLOON)
    place = mem.frame_next[src_pfn]
    if mem.balloon_pfn[balloon * HELD_CAPACITY + place] != src_pfn:
        bug(mem, cpu, BUG_BALLOON_LOST, src_pfn, place, mem.balloon_pfn[balloon * HELD_CAPACITY + place])
    mem.balloon_pfn[balloon * HELD_CAPACITY + place] = dst_pfn
    mem.frame_next[dst_pfn] = place
    publish_offline(mem, cpu, dst_pfn, target)
    spin_unlock(mem, cpu, mem.lock_balloon + balloon)
    count(mem, cpu, counter.BALLOON_MIGRATE, 1 << order)
    free_offline(mem, cpu, src_pfn, order)
    return 1
