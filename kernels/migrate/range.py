"""Range migration: (base_pfn, bitmap) in, leftovers out; each pfn is dispatched on its memdesc type when it is acted on.

Models      what isolate_migratepages_block() + migrate_pages() do, behind the interface that M. Wilcox proposed on linux-mm on
            7 Jan 2025 (P1); the driver's passes are migrate_pages()'s, mm/migrate.c (c17ee635); P9, P11
Differs     no list: a window of 512 frames, or as many pageblocks as batches may span; its isolation in a second bitmap, its
            targets in a per-CPU array. A folio that cannot move goes back to its PTEs before the next pass, where Linux keeps it
            unmapped for ten tries. MIGRATE_ASYNC makes three passes, NR_MAX_MIGRATE_ASYNC_RETRY, where Linux makes ten
Invariants  I15, I16; a bit of ISOLATED is set exactly while this CPU holds that frame's isolation; F-3, F-4
Protocol    candidates are hints. Isolate by type -> unmap a batch -> one flush -> move it; in SYNC modes first three such passes
            ASYNC, then one object at a time, so that the CPU never waits for a lock while it holds another folio's (L2)
"""

from kernels.base import counter
from kernels.base.atomics import load_relaxed
from kernels.base.bitmap import bitmap_base, clear_bit, clear_bitmap, find_next_bit, position_after, set_bit, test_bit
from kernels.base.bug import bug
from kernels.base.jit import kernel
from kernels.base.layout import (
    BUG_ISOLATED_TYPE,
    CANDIDATES,
    CAUSE_NOMEM,
    CAUSE_RELEASED,
    CAUSE_STATE,
    DONE,
    EAGAIN,
    EBUSY,
    ENOMEM,
    FL_ISOLATED,
    ISOLATED,
    MIGRATE_ASYNC,
)
from kernels.base.stage import STAGE_FLUSH, STAGE_ISOLATE, STAGE_MOVE, STAGE_PUTBACK, STAGE_UNMAP, stage_begin, stage_end
from kernels.base.vmstat import count
from kernels.map.tlb import flush_deferred
from kernels.migrate.folio import count_cause, count_migrated, folio_migrate_move, folio_migrate_unmap, folio_putback, freed_under_us
from kernels.migrate.movable import (
    is_movable,
    is_wanted,
    isolate_movable,
    migrate_isolated_movable,
    movable_order,
    putback_movable,
)
from kernels.migrate.split import try_split_folio
from kernels.migrate.targets import alloc_target_folio, free_target_folio, want_targets
from kernels.page.folio import folio_test
from kernels.page.lru import lru_del_batch
from kernels.page.memdesc import is_folio, word_desc
from kernels.types.folios import claim_folio

ASYNC_PASSES, SYNC_PASSES = 3, 7  # NR_MAX_MIGRATE_ASYNC_RETRY, NR_MAX_MIGRATE_SYNC_RETRY
FAILED = 3  # the fourth bitmap: permanent failures


@kernel
def isolate_range(mem, cpu, base_pfn, reason):
    """Isolate what the candidates' bits still lead to.

    Returns     frames isolated
    Progress    blocking on lruvec locks
    """
    candidates, isolated = bitmap_base(mem, cpu, CANDIDATES), bitmap_base(mem, cpu, ISOLATED)
    clear_bitmap(mem, isolated)
    clear_bitmap(mem, bitmap_base(mem, cpu, DONE))
    clear_bitmap(mem, bitmap_base(mem, cpu, FAILED))
    nr_isolated, nr_claimed = 0, 0
    at = find_next_bit(mem, candidates, 0)
    while at < mem.window_frames:
        pfn = base_pfn + at
        # F-3: the type is derived again, here; a hint until something is isolated, which acquires
        word = load_relaxed(mem.memdesc, pfn)
        if is_folio(word):
            if claim_folio(mem, cpu, pfn, word, reason, nr_claimed):
                set_bit(mem, isolated, at)
                nr_isolated += 1 << mem.folio_order[word_desc(word)]
                nr_claimed += 1
                if nr_claimed == mem.isolate_batch:
                    nr_claimed = lru_del_batch(mem, cpu, nr_claimed)
        elif is_wanted(mem, word, reason):
            if isolate_movable(mem, cpu, pfn, word):
                set_bit(mem, isolated, at)
                nr_isolated += 1 << movable_order(word)
            else:
                count_cause(mem, cpu, reason, CAUSE_STATE)
        at = find_next_bit(mem, candidates, at + 1)
    lru_del_batch(mem, cpu, nr_claimed)
    return nr_isolated


@kernel
def isolated_desc(mem, cpu, pfn):
    """The descriptor of a folio that this CPU isolated.

    Progress    wait-free; a bug if the frame has become something else
    """
    word = load_relaxed(mem.memdesc, pfn)
    if not is_folio(word) or mem.folio_pfn[word_desc(word)] != pfn or not folio_test(mem, word_desc(word), FL_ISOLATED):
        bug(mem, cpu, BUG_ISOLATED_TYPE, pfn, word, FL_ISOLATED)
    return word_desc(word)


@kernel
def split_in_window(mem, cpu, base_pfn, at, desc):
    """Split an isolated large folio; pieces inside the window get bits, those outside go back to the LRU.

    Returns     True if it was split
    Progress    blocking
    """
    order = mem.folio_order[desc]  # the isolation's reference makes every other split fail
    if not try_split_folio(mem, cpu, desc):
        return False
    for k in range(1, 1 << order):
        if at + k < mem.window_frames:
            set_bit(mem, bitmap_base(mem, cpu, ISOLATED), at + k)
        else:
            folio_putback(mem, cpu, isolated_desc(mem, cpu, base_pfn + at + k))
    return True


@kernel
def unmap_isolated_folio(mem, cpu, base_pfn, at, mode, reason, targets, pending):
    """The unmap phase of one folio of the window: target, locks, migration entries.

    Returns     spaces on the deferred flush, or a negated errno
    Progress    as folio_migrate_unmap
    """
    desc = isolated_desc(mem, cpu, base_pfn + at)
    clear_bit(mem, bitmap_base(mem, cpu, ISOLATED), at)  # before the isolation may end
    if freed_under_us(mem, cpu, desc, reason):
        return pending
    set_bit(mem, bitmap_base(mem, cpu, ISOLATED), at)
    dst = alloc_target_folio(mem, cpu, desc, targets)
    if dst < 0:
        if mem.folio_order[desc] > 0:
            # A split unmaps and flushes with the same deferred list, so what is on it is flushed first.
            flush_deferred(mem, cpu, pending)
            if split_in_window(mem, cpu, base_pfn, at, desc):
                return -EAGAIN
        count_cause(mem, cpu, reason, CAUSE_NOMEM)
        return -ENOMEM
    result = folio_migrate_unmap(mem, cpu, desc, dst, mode, reason, pending)
    if result < 0:
        free_target_folio(mem, cpu, dst, targets)
        return result
    mem.dst[cpu * mem.window_frames + at] = dst
    set_bit(mem, bitmap_base(mem, cpu, DONE), at)
    return result


@kernel
def migrate_window_movable(mem, cpu, base_pfn, at, reason, targets):
    """The whole migration of one movable block of the window that is no folio.

    Returns     0, or a negated errno with the block still isolated
    Progress    as migrate_movable
    """
    clear_bit(mem, bitmap_base(mem, cpu, ISOLATED), at)  # a migration ends the isolation
    result = migrate_isolated_movable(mem, cpu, base_pfn + at, reason, targets)
    if result < 0:
        set_bit(mem, bitmap_base(mem, cpu, ISOLATED), at)
    return result


@kernel
def unmap_window(mem, cpu, base_pfn, first, end, mode, reason, targets):
    """Unmap what is isolated in [first, end) of the window, and flush once.

    Returns     objects worth another pass, or -ENOMEM when targets ran out
    Progress    as folio_migrate_unmap
    """
    isolated, failed, done = bitmap_base(mem, cpu, ISOLATED), bitmap_base(mem, cpu, FAILED), bitmap_base(mem, cpu, DONE)
    begin = stage_begin(mem)
    pending, again = 0, 0
    at = find_next_bit(mem, isolated, first)
    while at < end:
        if not test_bit(mem, failed, at) and not test_bit(mem, done, at):
            if is_movable(mem, load_relaxed(mem.memdesc, base_pfn + at)):
                result = migrate_window_movable(mem, cpu, base_pfn, at, reason, targets)
            else:
                result = unmap_isolated_folio(mem, cpu, base_pfn, at, mode, reason, targets, pending)
                pending = result if result >= 0 else pending
            if result == -ENOMEM:
                set_bit(mem, failed, at)
                again = -ENOMEM
                break
            if result == -EAGAIN:
                again += 1
            if result == -EBUSY:
                set_bit(mem, failed, at)
        at = find_next_bit(mem, isolated, at + 1)
    begin = stage_end(mem, cpu, STAGE_UNMAP, begin)
    flush_deferred(mem, cpu, pending)
    stage_end(mem, cpu, STAGE_FLUSH, begin)
    return again


@kernel
def move_window(mem, cpu, base_pfn, first, reason, targets):
    """Move every unmapped folio of the window; none is below `first`.

    Returns     folios worth another pass
    Progress    as folio_migrate_move
    """
    begin = stage_begin(mem)
    done, again = bitmap_base(mem, cpu, DONE), 0
    at = find_next_bit(mem, done, first)
    while at < mem.window_frames:
        dst = mem.dst[cpu * mem.window_frames + at]
        clear_bit(mem, done, at)
        src = isolated_desc(mem, cpu, base_pfn + at)
        clear_bit(mem, bitmap_base(mem, cpu, ISOLATED), at)  # a move ends the isolation
        if folio_migrate_move(mem, cpu, src, dst, reason) < 0:
            set_bit(mem, bitmap_base(mem, cpu, ISOLATED), at)
            free_target_folio(mem, cpu, dst, targets)
            again += 1
        at = find_next_bit(mem, done, at + 1)
    stage_end(mem, cpu, STAGE_MOVE, begin)
    return again


@kernel
def migrate_passes(mem, cpu, base_pfn, first, end, mode, reason, targets, passes):
    """Unmap, flush and move [first, end) of the window until nothing is worth another pass.

    Models      migrate_pages_batch(), mm/migrate.c
    Returns     0, or -ENOMEM
    Progress    at most `passes` passes
    """
    for _ in range(passes):
        again = unmap_window(mem, cpu, base_pfn, first, end, mode, reason, targets)
        more = move_window(mem, cpu, base_pfn, first, reason, targets)
        if again == -ENOMEM:
            return -ENOMEM
        if again + more == 0:
            break
    return 0


@kernel
def migrate_window_sync(mem, cpu, base_pfn, first, end, mode, reason, targets):
    """Try what is left of [first, end) one object at a time, waiting for locks: the CPU never waits while it holds another folio's.

    Models      migrate_pages_sync(), mm/migrate.c
    Returns     0, or -ENOMEM
    Progress    SYNC_PASSES for each object
    """
    isolated, result = bitmap_base(mem, cpu, ISOLATED), 0
    clear_bitmap(mem, bitmap_base(mem, cpu, FAILED))
    at = find_next_bit(mem, isolated, first)
    while at < end and result == 0:
        result = migrate_passes(mem, cpu, base_pfn, at, at + 1, mode, reason, targets, SYNC_PASSES)
        at = find_next_bit(mem, isolated, at + 1)
    return result


@kernel
def putback_range(mem, cpu, base_pfn, reason, untried):
    """Put back whatever this CPU still holds of the window.

    Models      putback_movable_pages(), mm/migrate.c
    Parameters  untried: 1 if targets ran out: objects that had not failed by then count as untried, not as failures
    Returns     frames put back
    Progress    blocking on lruvec locks
    """
    isolated, nr_left = bitmap_base(mem, cpu, ISOLATED), 0
    at = find_next_bit(mem, isolated, 0)
    while at < mem.window_frames:
        clear_bit(mem, isolated, at)
        is_failure = untried == 0 or test_bit(mem, bitmap_base(mem, cpu, FAILED), at)
        word = load_relaxed(mem.memdesc, base_pfn + at)
        if is_movable(mem, word):
            order = movable_order(word)
            if putback_movable(mem, cpu, base_pfn + at, word):
                nr_left += 1 << order
                if is_failure:
                    count_migrated(mem, cpu, reason, order, False)
            else:
                count_cause(mem, cpu, reason, CAUSE_RELEASED)
        else:
            desc = isolated_desc(mem, cpu, base_pfn + at)
            nr_left += 1 << mem.folio_order[desc]
            if is_failure:
                count_migrated(mem, cpu, reason, mem.folio_order[desc], False)
            folio_putback(mem, cpu, desc)
        at = find_next_bit(mem, isolated, at + 1)
    return nr_left


@kernel
def migrate_range(mem, cpu, base_pfn, mode, reason, targets):
    """Migrate what this CPU's CANDIDATES bitmap names in [base_pfn, base_pfn + window_frames).

    Models      migrate_pages() as P1 proposes it for compaction
    Parameters  base_pfn: the frame of bit 0; mode, reason: layout.Mode, layout.Reason; targets: FROM_SCANNER or FROM_ALLOCATOR
    Returns     frames isolated but not migrated, which are put back; frames isolated are counted in compact_isolated
    Progress    bounded passes; blocks on locks of one folio at a time, in SYNC modes only
    """
    begin = stage_begin(mem)
    nr_isolated = isolate_range(mem, cpu, base_pfn, reason)
    stage_end(mem, cpu, STAGE_ISOLATE, begin)
    count(mem, cpu, counter.COMPACT_ISOLATED, nr_isolated)
    if nr_isolated == 0:
        return 0
    want_targets(mem, cpu, nr_isolated)
    first, result = 0, 0
    while first < mem.window_frames and result == 0:
        end = mem.window_frames
        if nr_isolated > mem.migrate_batch:
            end = position_after(mem, bitmap_base(mem, cpu, ISOLATED), first, mem.migrate_batch)
        result = migrate_passes(mem, cpu, base_pfn, first, end, MIGRATE_ASYNC, reason, targets, ASYNC_PASSES)
        if mode != MIGRATE_ASYNC and result == 0:
            result = migrate_window_sync(mem, cpu, base_pfn, first, end, mode, reason, targets)
        first = end
    begin = stage_begin(mem)
    nr_left = putback_range(mem, cpu, base_pfn, reason, 1 if result == -ENOMEM else 0)
    stage_end(mem, cpu, STAGE_PUTBACK, begin)
    return nr_left
