"""Legacy migration: everything on one list, linked through descriptors; each object's type is derived on the way.

Models      isolate_migratepages_block(), mm/compaction.c (0003e2a4); migrate_pages(list_head *from, ...), migrate_pages_batch(),
            putback_movable_pages(), mm/migrate.c (c17ee635); P9, P11
Differs     a list is singly linked, since it is only taken as a whole; while a folio is unmapped its target is in its folio_prev,
            where Linux has a second list in step. An object without a descriptor has one while it is on a list; its target has none
Invariants  I15, I16; what is on a list is isolated by this CPU
Protocol    as migrate/range.py, with the same passes and the same handling of one object: isolate all, unmap all, one flush, move all;
            in SYNC modes first three such passes ASYNC, then one object at a time (L2)
"""

from kernels.base import counter
from kernels.base.atomics import load_relaxed, store_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import (
    CAUSE_NOMEM,
    CAUSE_RELEASED,
    CAUSE_STATE,
    EAGAIN,
    EBUSY,
    ENOMEM,
    MIGRATE_ASYNC,
    T_MISC,
    WINDOW_FRAMES,
)
from kernels.base.stage import STAGE_FLUSH, STAGE_ISOLATE, STAGE_MOVE, STAGE_PUTBACK, STAGE_UNMAP, stage_begin, stage_end
from kernels.base.vmstat import count
from kernels.map.tlb import flush_deferred
from kernels.migrate.folio import count_cause, count_migrated, folio_migrate_move, folio_migrate_unmap, folio_putback, freed_under_us
from kernels.migrate.movable import (
    is_wanted,
    isolate_movable,
    migrate_isolated_movable,
    movable_order,
    putback_movable,
)
from kernels.migrate.range import ASYNC_PASSES, SYNC_PASSES
from kernels.migrate.scan import scan_step
from kernels.migrate.split import try_split_folio
from kernels.migrate.targets import alloc_target_folio, free_target_folio, want_targets
from kernels.page.folio import desc_alloc, desc_free
from kernels.page.lru import lru_del_batch
from kernels.page.memdesc import is_folio, word_desc
from kernels.types.folios import claim_folio

MIGRATE_LISTS = 16  # words per CPU of migrate_list
# A CPU's lists: head and tail of each, descriptor + 1
FROM, UNMAPPED, FAILED, UNTRIED = 0, 2, 4, 6


@kernel
def list_add_tail(mem, cpu, which, desc):
    """Put a descriptor at the end of a list.

    Models      list_add_tail(), include/linux/list.h
    Progress    wait-free
    """
    at = cpu * MIGRATE_LISTS + which
    tail = mem.migrate_list[at + 1]
    mem.folio_next[desc] = 0
    if tail:
        mem.folio_next[tail - 1] = desc + 1
    else:
        mem.migrate_list[at] = desc + 1
    mem.migrate_list[at + 1] = desc + 1


@kernel
def list_take(mem, cpu, which):
    """Take a whole list.

    Models      list_splice_init(), include/linux/list.h
    Returns     its first descriptor, or -1
    Progress    wait-free
    """
    at = cpu * MIGRATE_LISTS + which
    head = mem.migrate_list[at]
    mem.migrate_list[at] = 0
    mem.migrate_list[at + 1] = 0
    return head - 1


@kernel
def list_claimed(mem, cpu, nr_claimed):
    """Take the folios that this CPU has claimed off the LRU, whose links the list needs, and put them on FROM.

    Returns     0: none are left
    Progress    blocking on lruvec locks
    """
    lru_del_batch(mem, cpu, nr_claimed)
    for k in range(nr_claimed):
        list_add_tail(mem, cpu, FROM, mem.folio_list[cpu * WINDOW_FRAMES + k])
    return 0


@kernel
def list_splice(mem, cpu, which, desc):
    """Put a chain of descriptors at the end of a list.

    Models      list_splice_tail(), include/linux/list.h
    Parameters  desc: the first of the chain, or -1
    Progress    wait-free
    """
    while desc >= 0:
        following = mem.folio_next[desc] - 1
        list_add_tail(mem, cpu, which, desc)
        desc = following


@kernel
def list_cut(mem, desc, nr_folios):
    """Cut a chain after its first `nr_folios` descriptors.

    Models      list_cut_before(), include/linux/list.h, as migrate_pages() cuts batches
    Returns     the first of the rest, or -1
    Progress    wait-free
    """
    for _ in range(nr_folios - 1):
        if desc >= 0:
            desc = mem.folio_next[desc] - 1
    if desc < 0:
        return -1
    rest = mem.folio_next[desc] - 1
    mem.folio_next[desc] = 0
    return rest


@kernel
def isolate_to_list(mem, cpu, pfn, word, reason):
    """Isolate a movable block that is no folio, and put it on FROM.

    Returns     frames isolated
    Progress    as isolate_movable
    """
    if not is_wanted(mem, word, reason):
        return 0
    if not isolate_movable(mem, cpu, pfn, word):
        count_cause(mem, cpu, reason, CAUSE_STATE)
        return 0
    desc = desc_alloc(mem, cpu)
    store_relaxed(mem.folio_type, desc, T_MISC)
    store_relaxed(mem.folio_pfn, desc, pfn)
    list_add_tail(mem, cpu, FROM, desc)
    return 1 << movable_order(word)


@kernel
def isolate_migratepages(mem, cpu, base_pfn, nr_frames, reason):
    """Scan a window and isolate in the same walk.

    Models      isolate_migratepages_block(), mm/compaction.c
    Returns     frames isolated
    Progress    blocking on lruvec locks
    """
    nr_isolated, nr_claimed, at = 0, 0, 0
    while at < nr_frames:
        pfn = base_pfn + at
        # a hint until something is isolated, which acquires
        word = load_relaxed(mem.memdesc, pfn)
        step = scan_step(mem, pfn, word)
        if step > 0 and not is_folio(word):
            nr_isolated += isolate_to_list(mem, cpu, pfn, word, reason)
        elif step > 0 and claim_folio(mem, cpu, pfn, word, reason, nr_claimed):
            nr_isolated += 1 << mem.folio_order[word_desc(word)]
            nr_claimed += 1
            if nr_claimed == mem.isolate_batch:
                nr_claimed = list_claimed(mem, cpu, nr_claimed)
        at += abs(step)
    list_claimed(mem, cpu, nr_claimed)
    count(mem, cpu, counter.COMPACT_MIGRATE_SCANNED, at)
    count(mem, cpu, counter.COMPACT_ISOLATED, nr_isolated)
    return nr_isolated


@kernel
def split_to_list(mem, cpu, desc):
    """Split an isolated large folio and put the pieces after the first on FROM.

    Returns     True if it was split
    Progress    blocking
    """
    pfn, order = mem.folio_pfn[desc], mem.folio_order[desc]  # the isolation's reference makes every other split fail
    if not try_split_folio(mem, cpu, desc):
        return False
    for k in range(1, 1 << order):
        list_add_tail(mem, cpu, FROM, word_desc(load_relaxed(mem.memdesc, pfn + k)))
    return True


@kernel
def migrate_listed_movable(mem, cpu, desc, reason, targets):
    """The whole migration of a listed block that is no folio.

    Returns     0: off all lists; or a negated errno
    Progress    as migrate_movable
    """
    result = migrate_isolated_movable(mem, cpu, mem.folio_pfn[desc], reason, targets)
    if result == 0:
        desc_free(mem, cpu, desc)
    return result


@kernel
def unmap_listed_folio(mem, cpu, desc, mode, reason, targets, pending):
    """The unmap phase of one listed folio; afterwards it is on UNMAPPED, or freed.

    Returns     spaces on the deferred flush, or a negated errno
    Progress    as folio_migrate_unmap
    """
    if freed_under_us(mem, cpu, desc, reason):
        return pending
    dst = alloc_target_folio(mem, cpu, desc, targets)
    if dst < 0:
        if mem.folio_order[desc] > 0:
            # A split unmaps and flushes with the same deferred list, so what is on it is flushed first.
            flush_deferred(mem, cpu, pending)
            if split_to_list(mem, cpu, desc):
                return -EAGAIN
        count_cause(mem, cpu, reason, CAUSE_NOMEM)
        return -ENOMEM
    result = folio_migrate_unmap(mem, cpu, desc, dst, mode, reason, pending)
    if result < 0:
        free_target_folio(mem, cpu, dst, targets)
        return result
    mem.folio_prev[desc] = dst
    list_add_tail(mem, cpu, UNMAPPED, desc)
    return result


@kernel
def unmap_list(mem, cpu, desc, mode, reason, targets):
    """Unmap a chain of descriptors, and flush once.

    Parameters  desc: the first of the chain, or -1
    Returns     objects worth another pass, which are on FROM; or -ENOMEM when targets ran out
    Progress    as folio_migrate_unmap
    """
    begin = stage_begin(mem)
    pending, again, nomem = 0, 0, False
    while desc >= 0:
        following = mem.folio_next[desc] - 1
        if nomem:
            list_add_tail(mem, cpu, FROM, desc)
        else:
            if mem.folio_type[desc] == T_MISC:
                result = migrate_listed_movable(mem, cpu, desc, reason, targets)
            else:
                result = unmap_listed_folio(mem, cpu, desc, mode, reason, targets, pending)
                pending = result if result >= 0 else pending
            if result == -ENOMEM:
                nomem = True
                list_add_tail(mem, cpu, FAILED, desc)
            elif result == -EAGAIN:
                again += 1
                list_add_tail(mem, cpu, FROM, desc)
            elif result == -EBUSY:
                list_add_tail(mem, cpu, FAILED, desc)
        desc = following
    begin = stage_end(mem, cpu, STAGE_UNMAP, begin)
    flush_deferred(mem, cpu, pending)
    stage_end(mem, cpu, STAGE_FLUSH, begin)
    return -ENOMEM if nomem else again


@kernel
def move_list(mem, cpu, reason, targets):
    """Move every unmapped folio.

    Returns     folios worth another pass, which are on FROM
    Progress    as folio_migrate_move
    """
    begin = stage_begin(mem)
    again, desc = 0, list_take(mem, cpu, UNMAPPED)
    while desc >= 0:
        following, dst = mem.folio_next[desc] - 1, mem.folio_prev[desc]
        if folio_migrate_move(mem, cpu, desc, dst, reason) < 0:
            free_target_folio(mem, cpu, dst, targets)
            list_add_tail(mem, cpu, FROM, desc)
            again += 1
        desc = following
    stage_end(mem, cpu, STAGE_MOVE, begin)
    return again


@kernel
def putback_list(mem, cpu, which, reason, untried):
    """Put back what is left on a list.

    Models      putback_movable_pages(), mm/migrate.c
    Parameters  untried: 1 if the list was not tried because targets ran out: then it counts no failures
    Returns     frames put back
    Progress    blocking on lruvec locks
    """
    nr_left, desc = 0, list_take(mem, cpu, which)
    while desc >= 0:
        following, order = mem.folio_next[desc] - 1, mem.folio_order[desc]
        if mem.folio_type[desc] != T_MISC:
            nr_left += 1 << order
            if untried == 0:
                count_migrated(mem, cpu, reason, order, False)
            folio_putback(mem, cpu, desc)
        else:
            pfn = mem.folio_pfn[desc]
            word = load_relaxed(mem.memdesc, pfn)
            if putback_movable(mem, cpu, pfn, word):
                nr_left += 1 << movable_order(word)
                if untried == 0:
                    count_migrated(mem, cpu, reason, movable_order(word), False)
            else:
                count_cause(mem, cpu, reason, CAUSE_RELEASED)
            desc_free(mem, cpu, desc)
        desc = following
    return nr_left


@kernel
def migrate_list_sync(mem, cpu, desc, mode, reason, targets):
    """Try a chain one object at a time, waiting for locks: the CPU never waits while it holds another folio's lock.

    Models      migrate_pages_sync(), mm/migrate.c
    Protocol    what is left is on FAILED, or on UNTRIED
    Returns     0 or more, or -ENOMEM
    Progress    SYNC_PASSES for each object
    """
    result = 0
    while desc >= 0:
        following = mem.folio_next[desc] - 1
        mem.folio_next[desc] = 0
        chain = desc
        left = FAILED if result >= 0 else UNTRIED
        for _ in range(SYNC_PASSES):
            if result >= 0:
                result = unmap_list(mem, cpu, chain, mode, reason, targets)
                move_list(mem, cpu, reason, targets)
                chain = list_take(mem, cpu, FROM)
        list_splice(mem, cpu, left, chain)
        desc = following
    return result


@kernel
def migrate_pages_batch(mem, cpu, chain, mode, reason, targets):
    """Migrate a chain of descriptors; what is left of it is on FAILED, or on UNTRIED if targets ran out.

    Models      migrate_pages_batch() and migrate_pages_sync(), mm/migrate.c
    Returns     0, or -ENOMEM
    Progress    bounded passes
    """
    for _ in range(ASYNC_PASSES):
        again = unmap_list(mem, cpu, chain, MIGRATE_ASYNC, reason, targets)
        more = move_list(mem, cpu, reason, targets)
        chain = list_take(mem, cpu, FROM)
        if again < 0 or again + more == 0:
            break
    if mode != MIGRATE_ASYNC and again >= 0 and chain >= 0:
        again = migrate_list_sync(mem, cpu, chain, mode, reason, targets)
    else:
        list_splice(mem, cpu, FAILED if again >= 0 else UNTRIED, chain)
    return -ENOMEM if again < 0 else 0


@kernel
def migrate_pages(mem, cpu, base_pfn, nr_frames, mode, reason, targets):
    """Isolate what moves in a window, and migrate it.

    Models      compact_zone()'s use of migrate_pages(), mm/compaction.c
    Parameters  as migrate_window
    Returns     frames isolated but not migrated, which are put back; -1 if there was nothing to isolate
    Progress    bounded passes; blocks on locks of one folio at a time, in SYNC modes only
    """
    begin = stage_begin(mem)
    nr_isolated = isolate_migratepages(mem, cpu, base_pfn, nr_frames, reason)
    stage_end(mem, cpu, STAGE_ISOLATE, begin)
    if nr_isolated == 0:
        return -1
    want_targets(mem, cpu, nr_isolated)
    chain = list_take(mem, cpu, FROM)
    while chain >= 0:
        rest = list_cut(mem, chain, mem.migrate_batch) if nr_isolated > mem.migrate_batch else -1
        result = migrate_pages_batch(mem, cpu, chain, mode, reason, targets)
        chain = rest
        if result < 0:
            list_splice(mem, cpu, UNTRIED, rest)
            chain = -1
    begin = stage_begin(mem)
    nr_left = putback_list(mem, cpu, FAILED, reason, 0) + putback_list(mem, cpu, UNTRIED, reason, 1)
    stage_end(mem, cpu, STAGE_PUTBACK, begin)
    return nr_left
