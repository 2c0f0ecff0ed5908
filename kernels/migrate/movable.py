"""What moves and is no folio: one chain of tests by memdesc type for each of candidate, isolate, migrate and put back.

Models      movable_ops: isolate_movable_ops_page(), migrate_movable_ops_page(), putback_movable_ops_page(), mm/migrate.c (c17ee635); P10
Differs     the type is derived from the memdesc word each time; there are no callbacks to register, and none to be NULL (C13)
Invariants  I7: the current word selects the handler; I16: an isolation ends in exactly one of migrate and put back
Protocol    a type's own transitions are in kernels/types/<type>.py; here each has one line in each chain. The last type of a chain
            needs no test, since callers have checked is_movable().
"""

from kernels.base.atomics import load_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import (
    CAUSE_LOCK,
    CAUSE_NOMEM,
    CAUSE_RELEASED,
    ENOMEM,
    MR_COMPACTION,
    OFF_INFLATED,
    T_COUNTED,
    T_MISC,
    T_MOVABLE,
    T_PAGETABLE,
)
from kernels.migrate.folio import count_cause, count_migrated
from kernels.migrate.targets import alloc_target_frames, free_target_frames
from kernels.page.memdesc import is_offline_head, offline_state, word_order, word_type
from kernels.page.udesc import udesc_idle
from kernels.types.balloon import is_balloon_page, is_isolated_now, isolate_balloon_page, migrate_balloon_page, putback_balloon_page
from kernels.types.offline import isolate_offline, migrate_offline, putback_offline
from kernels.types.pagetable import isolate_pagetable, migrate_pagetable, putback_pagetable
from kernels.types.zspage import isolate_zspage, migrate_zspage, putback_zspage


@kernel
def is_movable(mem, word):
    """Whether a word heads a block of a type that moves and is no folio.

    Differs     page tables move unless `tables_stay`, as they do in Linux
    Progress    wait-free
    """
    if word_type(word) == T_PAGETABLE:
        return mem.tables_stay == 0
    return is_offline_head(word) or word_type(word) == T_MOVABLE or is_balloon_page(mem, word)


@kernel
def is_wanted(mem, word, reason):
    """Whether a word heads a block that moves, is no folio, and is worth moving: compaction gains nothing by moving a whole pageblock.

    Models      skip_isolation_on_order(), mm/compaction.c
    Progress    wait-free
    """
    return is_movable(mem, word) and (reason != MR_COMPACTION or movable_order(word) < mem.pageblock_order)


@kernel
def movable_order(word):
    """The order of a movable block.

    Progress    wait-free
    """
    return word_order(word) if word_type(word) == T_MISC else 0


@kernel
def movable_is_idle(mem, pfn, word):
    """Whether isolating a movable block may succeed (a hint).

    Progress    wait-free
    """
    if word_type(word) == T_MISC:
        return offline_state(word) == OFF_INFLATED
    if word_type(word) == T_COUNTED:
        return not is_isolated_now(mem, pfn)
    return udesc_idle(mem, word, pfn)


@kernel
def isolate_movable(mem, cpu, pfn, word):
    """Isolate a movable block.

    Models      isolate_movable_ops_page(), mm/migrate.c
    Parameters  word: as read when the frame was found
    Returns     True if this CPU holds its isolation
    Progress    wait-free
    """
    if word_type(word) == T_MOVABLE:
        return isolate_zspage(mem, cpu, pfn, word)
    if word_type(word) == T_PAGETABLE:
        return isolate_pagetable(mem, cpu, pfn, word)
    if word_type(word) == T_COUNTED:
        return isolate_balloon_page(mem, cpu, pfn, word)
    return isolate_offline(mem, cpu, pfn, word)


@kernel
def alloc_movable_target(mem, cpu, pfn, word, targets):
    """Frames for a movable block to move to.

    Parameters  pfn, word: of the source; targets: FROM_SCANNER or FROM_ALLOCATOR
    Returns     pfn or -1
    Progress    blocking
    """
    return alloc_target_frames(mem, cpu, pfn, movable_order(word), targets)


@kernel
def free_movable_target(mem, cpu, pfn, word, targets):
    """Give an unused target back.

    Parameters  word: of the source
    Progress    blocking
    """
    free_target_frames(mem, cpu, pfn, movable_order(word), targets)


@kernel
def migrate_movable(mem, cpu, src_pfn, dst_pfn, word):
    """Let target frames take the place of a block that this CPU isolated.

    Models      migrate_movable_ops_page(), mm/migrate.c
    Parameters  dst_pfn: from alloc_movable_target(); word: of the source
    Returns     1: moved, the source is freed. 0: its owner had released it, and it is freed. -EBUSY: it is in use, and still isolated.
                Unless it moved, the target is still the caller's
    Progress    blocking on the owner's locks, and for page tables on walkers
    """
    if word_type(word) == T_MOVABLE:
        return migrate_zspage(mem, cpu, src_pfn, dst_pfn, word)
    if word_type(word) == T_PAGETABLE:
        return migrate_pagetable(mem, cpu, src_pfn, dst_pfn, word)
    if word_type(word) == T_COUNTED:
        return migrate_balloon_page(mem, cpu, src_pfn, dst_pfn, word)
    return migrate_offline(mem, cpu, src_pfn, dst_pfn)


@kernel
def migrate_isolated_movable(mem, cpu, pfn, reason, targets):
    """The whole migration of one isolated block: target, move, and the counters of the outcome.

    Returns     0: moved, or its owner had released it, and it is freed. A negated errno: still isolated
    Progress    as migrate_movable
    """
    word = load_relaxed(mem.memdesc, pfn)
    dst_pfn = alloc_movable_target(mem, cpu, pfn, word, targets)
    if dst_pfn < 0:
        count_cause(mem, cpu, reason, CAUSE_NOMEM)
        return -ENOMEM
    result = migrate_movable(mem, cpu, pfn, dst_pfn, word)
    if result > 0:
        count_migrated(mem, cpu, reason, movable_order(word), True)
        return 0
    free_movable_target(mem, cpu, dst_pfn, word, targets)
    count_cause(mem, cpu, reason, CAUSE_RELEASED if result == 0 else CAUSE_LOCK)
    return result


@kernel
def putback_movable(mem, cpu, pfn, word):
    """End an isolation without a migration.

    Models      putback_movable_ops_page(), mm/migrate.c
    Returns     True if it went back, False if its owner had released it and it was freed
    Progress    lock-free
    """
    if word_type(word) == T_MOVABLE:
        return putback_zspage(mem, cpu, pfn, word)
    if word_type(word) == T_PAGETABLE:
        return putback_pagetable(mem, cpu, pfn, word)
    if word_type(word) == T_COUNTED:
        return putback_balloon_page(mem, cpu, word)
    return putback_offline(mem, cpu, pfn)
