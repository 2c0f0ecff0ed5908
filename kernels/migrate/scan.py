"""What a scanner sees of one frame, without any lock: whether it heads something that moves, and how far to step.

Models      the tests without locks of isolate_migratepages_block(), mm/compaction.c (0003e2a4)
Protocol    all of it is a hint: who isolates derives the type again (F-3)
"""

from kernels.base import counter
from kernels.base.atomics import load_relaxed
from kernels.base.bitmap import bitmap_base, clear_bitmap, set_bit
from kernels.base.jit import kernel
from kernels.base.layout import CANDIDATES, NR_ORDERS, T_BUDDY
from kernels.base.vmstat import count
from kernels.migrate.movable import is_movable, movable_is_idle, movable_order
from kernels.page.memdesc import buddy_order, is_folio, word_desc, word_type


@kernel
def scan_step(mem, pfn, word):
    """How many frames to go on from `pfn`, negated if nothing there is to be migrated.

    Parameters  word: memdesc[pfn]
    Progress    wait-free
    """
    if word_type(word) == T_BUDDY:
        return -(1 << min(buddy_order(word), NR_ORDERS - 1))
    if is_folio(word):
        desc = word_desc(word)
        # without a reference: the worst that a stale descriptor does is a wrong step
        if load_relaxed(mem.folio_pfn, desc) == pfn:
            return 1 << min(load_relaxed(mem.folio_order, desc), NR_ORDERS - 1)
    elif is_movable(mem, word):
        size = 1 << movable_order(word)
        return size if movable_is_idle(mem, pfn, word) else -size
    return -1


@kernel
def fill_candidates(mem, cpu, base_pfn, nr_frames):
    """Set the bits of what may be migrated in a window.

    Models      isolate_migratepages_block(), mm/compaction.c, before it isolates
    Parameters  nr_frames: whole pageblocks, at most window_blocks of them
    Returns     candidates
    Progress    wait-free
    """
    candidates = bitmap_base(mem, cpu, CANDIDATES)
    clear_bitmap(mem, candidates)
    nr_candidates, at, scanned = 0, 0, 0
    while at < nr_frames:
        step = scan_step(mem, base_pfn + at, load_relaxed(mem.memdesc, base_pfn + at))
        scanned += 1
        if step > 0:
            set_bit(mem, candidates, at)
            nr_candidates += 1
        at += abs(step)
    count(mem, cpu, counter.COMPACT_MIGRATE_SCANNED, scanned)
    return nr_candidates
