"""What a zone has free, whichever allocator keeps it: the questions and requests of scanners, isolation, hotplug and boot.

Models      PageBuddy(), buddy_order_unsafe(), include/linux/page-flags.h, mm/internal.h; free_area[].nr_free
Differs     Linux has one allocator. Here `allocator` chooses between kernels/alloc/buddy.py and kernels/alloc/trees.py; callers of this
            module and of kernels/alloc/pages.py, isolation.py do not read Buddy words or bits themselves
Invariants  I1, I17
Protocol    every answer is a hint unless the buddy's zone->lock is held; under bitfield it is one in any case
"""

from kernels.alloc.bitfield import WORD_ORDER, order_at
from kernels.alloc.buddy import add_to_free_list, area_of, free_one_block
from kernels.alloc.trees import end_chunk_of, first_chunk_of, trees_give, trees_have, trees_take
from kernels.base.atomics import bit, load_relaxed, store_relaxed
from kernels.base.jit import fast_kernel, kernel
from kernels.base.layout import (
    ALLOCATOR_BITFIELD,
    BITFIELD_WORDS,
    CHUNK_COUNT_MASK,
    MT_MOVABLE,
    NONE_WORD,
    NR_MIGRATETYPES,
    NR_ORDERS,
    SH_BUDDY,
    SH_OWNED,
    T_BUDDY,
)
from kernels.page.memdesc import buddy_order, word_type
from kernels.page.shadow import shadow_set


@kernel
def free_order(mem, pfn, word):
    """The order of the free block that a scanner finds at a frame.

    Under bitfield a free frame has the word NONE, as one between two owners has; its bit tells them apart.

    Models      PageBuddy(), buddy_order_unsafe()
    Parameters  word: memdesc[pfn]
    Returns     the order, or -1 if no free block begins there
    Progress    wait-free
    """
    if mem.policy_allocator == ALLOCATOR_BITFIELD:
        return order_at(mem, pfn) if word == NONE_WORD else -1
    return min(buddy_order(word), NR_ORDERS - 1) if word_type(word) == T_BUDDY else -1


@kernel
def is_free_block(mem, block):
    """Whether a pageblock is free as a whole.

    Progress    wait-free
    """
    first = block << mem.pageblock_order
    if mem.policy_allocator == ALLOCATOR_BITFIELD:
        return load_relaxed(mem.chunk_word, block) & CHUNK_COUNT_MASK == 1 << mem.pageblock_order
    return free_order(mem, first, load_relaxed(mem.memdesc, first)) >= mem.pageblock_order


@kernel
def has_free_block(mem, nid, order):
    """Whether a zone has a free block of `order` or more outside of isolated pageblocks.

    The buddy counts the blocks of each list. A bitfield has to be searched.

    Models      the end test of __compact_finished(), mm/compaction.c
    Progress    wait-free
    """
    if mem.policy_allocator == ALLOCATOR_BITFIELD:
        return trees_have(mem, nid, order)
    for high in range(order, NR_ORDERS):
        for migratetype in range(NR_MIGRATETYPES - 1):
            if load_relaxed(mem.nr_free, area_of(nid, high, migratetype)) > 0:
                return True
    return False


@fast_kernel
def take_bits(mem, cpu, nid, order, migratetype):
    """Take 2^order frames of a zone under bitfield.

    Returns     pfn of frames whose words are NONE, or -1
    Progress    lock-free
    """
    pfn = trees_take(mem, cpu, nid, order, migratetype)
    if pfn >= 0:
        # not shadow_move(): the pageblock may have been isolated since the claim, which the drain waits for
        shadow_set(mem, cpu, pfn, order, SH_BUDDY, SH_OWNED)
    return pfn


@fast_kernel
def give_bits(mem, cpu, pfn, order, before):
    """Give 2^order frames to their zone under bitfield.

    Parameters  before: the state in which the shadow expects them (layout.SH_*)
    Progress    wait-free
    """
    shadow_set(mem, cpu, pfn, order, before, SH_BUDDY)
    trees_give(mem, cpu, pfn, order)


@kernel
def zone_give(mem, cpu, pfn, order):
    """Free 2^order frames straight to their zone; zone->lock held.

    Progress    wait-free
    """
    if mem.policy_allocator == ALLOCATOR_BITFIELD:
        trees_give(mem, cpu, pfn, order)
    else:
        free_one_block(mem, cpu, pfn, order)


@kernel
def boot_free(mem, nid, first, end):
    """Make a range of frames free, as the largest aligned blocks, all movable; no other CPU is running yet.

    Progress    wait-free
    """
    if mem.policy_allocator == ALLOCATOR_BITFIELD:
        boot_bits(mem, nid, first, end)
        return
    pfn = first
    while pfn < end:
        order = NR_ORDERS - 1
        while pfn & ((1 << order) - 1) != 0 or pfn + (1 << order) > end:
            order -= 1
        add_to_free_list(mem, pfn, order, MT_MOVABLE)
        pfn += 1 << order


@kernel
def boot_bits(mem, nid, first, end):
    """boot_free() of a bitfield: the bits of all other frames, and of those that do not exist, are set.

    Progress    wait-free
    """
    span = 1 << min(mem.pageblock_order, WORD_ORDER)
    for chunk in range(first_chunk_of(mem, nid), end_chunk_of(mem, nid)):
        mem.tree_word[chunk >> mem.tree_shift] = MT_MOVABLE
        nr_free = 0
        for k in range(BITFIELD_WORDS):
            word, base = -1, (chunk << mem.pageblock_order) + k * span
            for position in range(span):
                if first <= base + position < end and k * span < 1 << mem.pageblock_order:
                    word &= ~bit(position)
                    nr_free += 1
            mem.bitfield[chunk * BITFIELD_WORDS + k] = word
        mem.chunk_word[chunk] = nr_free
    store_relaxed(mem.zone_free, nid, end - first)
