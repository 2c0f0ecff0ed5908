"""What a scanner sees of one frame, without any lock: whether it heads something that moves, and how far to step.

Models      the tests without locks of isolate_migratepages_block(), mm/compaction.c (0003e2a4); has_unmovable_pages(),
            mm/page_isolation.c; P11, P12
Protocol    every result is a hint: the isolator derives the type again (F-3)
"""

from kernels.alloc.zone import free_order
from kernels.base import counter
from kernels.base.atomics import load_relaxed
from kernels.base.bitmap import bitmap_base, clear_bitmap, set_bit
from kernels.base.jit import kernel
from kernels.base.layout import (
    CANDIDATES,
    FL_BATCHED,
    FL_HUGE_FREE,
    FL_ISOLATED,
    FL_LOCKED,
    FL_WRITEBACK,
    M_OFFLINE,
    NONE_WORD,
    NR_ORDERS,
    REFUSAL_IN_FLIGHT,
    REFUSAL_LRU_BATCH,
    REFUSAL_MOVABLE,
    REFUSAL_REFERENCED,
    REFUSAL_UNMOVABLE,
    SUBTYPE_MASK,
    SUBTYPE_SHIFT,
    T_BUDDY,
    T_COUNTED,
    T_MISC,
    TYPE_MASK,
)
from kernels.base.vmstat import count
from kernels.migrate.folio import expected_refs
from kernels.migrate.movable import is_movable, movable_is_idle, movable_order
from kernels.page.folio import folio_test
from kernels.page.memdesc import is_folio, word_desc, word_type


@kernel
def scan_step(mem, pfn, word):
    """How many frames to advance from `pfn`, negated if nothing there can be migrated.

    Parameters  word: memdesc[pfn]
    Progress    wait-free
    """
    free = free_order(mem, pfn, word)
    if free >= 0:
        return -(1 << free)
    if is_folio(word):
        desc = word_desc(word)
        # without a reference: at worst a stale descriptor causes a wrong step
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
    Parameters  nr_frames: at most window_frames
    Returns     candidates
    Progress    wait-free
    """
    candidates = bitmap_base(mem, cpu, CANDIDATES)
    clear_bitmap(mem, candidates)
    nr_candidates, at = 0, 0
    while at < nr_frames:
        step = scan_step(mem, base_pfn + at, load_relaxed(mem.memdesc, base_pfn + at))
        if step > 0:
            set_bit(mem, candidates, at)
            nr_candidates += 1
        at += abs(step)
    count(mem, cpu, counter.COMPACT_MIGRATE_SCANNED, at)  # including the frames that were stepped over
    return nr_candidates


# ------------------------------------------------------------------------------------------------- what is in the way


@kernel
def may_go(mem, word):
    """Whether what a word describes can be moved out of the way, is free, or is about to be freed.

    Models      the cases of has_unmovable_pages(), mm/page_isolation.c
    Differs     a folio that is on no LRU list counts as movable: it is in a batch or isolated
    Progress    wait-free
    """
    if word == NONE_WORD or word_type(word) == T_BUDDY or is_folio(word) or is_movable(mem, word):
        return True
    if word_type(word) == T_COUNTED:
        return folio_test(mem, word_desc(word), FL_HUGE_FREE)  # a free hugetlb folio is dissolved
    return word & (TYPE_MASK | SUBTYPE_MASK << SUBTYPE_SHIFT) == T_MISC | M_OFFLINE << SUBTYPE_SHIFT  # a tail


@kernel
def unmovable_frame(mem, start, end):
    """The first frame of a range that cannot be moved (a hint, as in Linux: "you can't expect this function should be exact").

    Models      has_unmovable_pages(), mm/page_isolation.c
    Returns     its pfn, or -1
    Progress    wait-free
    """
    pfn = start
    while pfn < end:
        word = load_relaxed(mem.memdesc, pfn)
        if not may_go(mem, word):
            return pfn
        pfn += abs(scan_step(mem, pfn, word))
    return -1


@kernel
def head_of(mem, pfn):
    """The first frame of the folio that a frame is in, or the frame itself (a hint).

    Models      compound_head()
    Progress    wait-free
    """
    word = load_relaxed(mem.memdesc, pfn)
    if is_folio(word):
        head = load_relaxed(mem.folio_pfn, word_desc(word))
        if head < pfn and pfn < head + (1 << min(load_relaxed(mem.folio_order, word_desc(word)), NR_ORDERS - 1)):
            return head
    return pfn


@kernel
def what_is_there(mem, pfn):
    """Why a frame is not free (a hint).

    Models      alloc_contig_dump_pages(), mm/page_alloc.c: dump_page()
    Returns     layout.Refusal
    Progress    wait-free
    """
    word = load_relaxed(mem.memdesc, pfn)
    if word == NONE_WORD or word_type(word) == T_BUDDY:
        return REFUSAL_IN_FLIGHT
    if not may_go(mem, word):
        return REFUSAL_UNMOVABLE
    if is_folio(word):
        desc = word_desc(word)
        if folio_test(mem, desc, FL_BATCHED):
            return REFUSAL_LRU_BATCH
        nr_refs = load_relaxed(mem.mapcount, desc) + expected_refs(mem, desc) - 1
        if folio_test(mem, desc, FL_LOCKED | FL_ISOLATED | FL_WRITEBACK) or load_relaxed(mem.refcount, desc) > nr_refs:
            return REFUSAL_REFERENCED
    return REFUSAL_MOVABLE
