"""The buddy allocator of one zone: free lists per order and migratetype, under zone->lock.

Models      __free_one_page(), split_large_buddy(), expand(), __rmqueue_smallest(), __rmqueue_claim(), try_to_claim_block(),
            __rmqueue_steal(), mm/page_alloc.c (linux-mm tree, 00cb34b034a5); P12
Differs     one zone per node; a free list's migratetype is that of the block's pageblock, as Linux keeps it since 6.10;
            links are pfn + 1 in frame_next/frame_prev, 0 ends a list. A block is always linked at the head, where Linux uses the
            tail if buddy_merge_likely(). No CMA, no HIGHATOMIC, no watermark boost, no compaction_capture()
Invariants  I1, I2; I17: a free block is on the list of its pageblock's migratetype; NR_FREE does not count ISOLATE
Protocol    the migratetype of a pageblock changes only under zone->lock, together with its free blocks; a free reads it under the
            lock, never before. zone_free is read without the lock, so each free and each allocation changes it once
"""

from kernels.base import counter
from kernels.base.atomics import ctz, load_relaxed, prefetch_write, store_relaxed
from kernels.base.bug import bug, chaos_point
from kernels.base.flavour import CHECKED
from kernels.base.jit import kernel, slow_kernel
from kernels.base.layout import (
    BUG_BUDDY_WORD,
    BUG_ISOLATED_ALLOC,
    BUG_LIST_CORRUPT,
    EV_EXTFRAG,
    MT_ISOLATE,
    MT_MOVABLE,
    MT_RECLAIMABLE,
    MT_UNMOVABLE,
    NONE_WORD,
    NR_MIGRATETYPES,
    NR_ORDERS,
    T_BUDDY,
)
from kernels.base.vmstat import count, trace
from kernels.page.memdesc import buddy_order, buddy_word, word_type


@kernel
def nid_of(mem, pfn):
    """The node of a frame.

    Models      pfn_to_nid()
    Progress    wait-free
    """
    return mem.block_nid[pfn >> mem.pageblock_order]


@kernel
def area_of(nid, order, migratetype):
    """The free list of a node, an order and a migratetype.

    Progress    wait-free
    """
    return (nid * NR_ORDERS + order) * NR_MIGRATETYPES + migratetype


@kernel
def get_pageblock_migratetype(mem, pfn):
    """The migratetype of a frame's pageblock: exact under zone->lock, a hint without.

    Models      get_pfnblock_migratetype(), mm/page_alloc.c
    Progress    wait-free
    """
    return load_relaxed(mem.block_migratetype, pfn >> mem.pageblock_order)


@kernel
def account_free(mem, nid, migratetype, nr_frames):
    """Adjust the zone's count of free frames; zone->lock held.

    Models      account_freepages(), mm/page_alloc.c
    Progress    wait-free
    """
    if migratetype == MT_ISOLATE:
        mem.zone_isolate_free[nid] += nr_frames
    else:
        store_relaxed(mem.zone_free, nid, mem.zone_free[nid] + nr_frames)


@kernel
def link_free_block(mem, nid, pfn, order, migratetype):
    """Make the frames at `pfn` a free block, which the caller accounts for; zone->lock held.

    Models      __add_to_free_list(), mm/page_alloc.c
    Progress    wait-free
    """
    area = area_of(nid, order, migratetype)
    old = mem.free_head[area]
    mem.frame_next[pfn] = old
    mem.frame_prev[pfn] = 0
    if old:
        mem.frame_prev[old - 1] = pfn + 1
    mem.free_head[area] = pfn + 1
    mem.nr_free[area] += 1
    store_relaxed(mem.memdesc, pfn, buddy_word(order))


@kernel
def add_to_free_list(mem, pfn, order, migratetype):
    """Make the frames at `pfn` a free block, and account for them; zone->lock held.

    Models      add_to_free_list(), mm/page_alloc.c
    Progress    wait-free
    """
    nid = nid_of(mem, pfn)
    link_free_block(mem, nid, pfn, order, migratetype)
    account_free(mem, nid, migratetype, 1 << order)


@kernel
def unlink_free_block(mem, cpu, nid, pfn, order, migratetype):
    """Take a free block off its list and set its word to NONE; the caller accounts for it; zone->lock held.

    Models      __del_page_from_free_list(), mm/page_alloc.c
    Progress    wait-free; a bug if the word or a neighbour disagrees
    """
    area = area_of(nid, order, migratetype)
    word = load_relaxed(mem.memdesc, pfn)
    if word != buddy_word(order):
        bug(mem, cpu, BUG_BUDDY_WORD, pfn, word, buddy_word(order))
    after, before = mem.frame_next[pfn], mem.frame_prev[pfn]
    if before:
        if mem.frame_next[before - 1] != pfn + 1:
            bug(mem, cpu, BUG_LIST_CORRUPT, pfn, mem.frame_next[before - 1], pfn + 1)
        mem.frame_next[before - 1] = after
    else:
        if mem.free_head[area] != pfn + 1:
            bug(mem, cpu, BUG_LIST_CORRUPT, pfn, mem.free_head[area], pfn + 1)
        mem.free_head[area] = after
    if after:
        mem.frame_prev[after - 1] = before
    mem.nr_free[area] -= 1
    store_relaxed(mem.memdesc, pfn, NONE_WORD)


@kernel
def del_from_free_list(mem, cpu, pfn, order, migratetype):
    """Take a free block off its list, set its word to NONE, and account for it; zone->lock held.

    Models      del_page_from_free_list(), mm/page_alloc.c
    Progress    as unlink_free_block
    """
    nid = nid_of(mem, pfn)
    unlink_free_block(mem, cpu, nid, pfn, order, migratetype)
    account_free(mem, nid, migratetype, -(1 << order))


@kernel
def is_buddy_block(mem, pfn, order):
    """Whether a free block of exactly `order` starts at `pfn`; zone->lock held.

    Models      page_is_buddy(), mm/internal.h
    Progress    wait-free
    """
    return load_relaxed(mem.memdesc, pfn) == buddy_word(order)


@kernel
def prefetch_merge(mem, pfn, order):
    """Begin to fetch the links of the buddy's neighbours in its list, if a free at `pfn` will merge with it; zone->lock held.

    Progress    wait-free
    """
    if not CHECKED and order < mem.pageblock_order:
        # no branch on whether it will merge: a processor cannot predict that
        merges = int(is_buddy_block(mem, pfn ^ (1 << order), order))
        prefetch_write(mem.frame_next, mem.frame_next[pfn ^ (1 << order)] * merges)
        prefetch_write(mem.frame_next, mem.frame_prev[pfn ^ (1 << order)] * merges)


@kernel
def free_one_block(mem, cpu, pfn, order):
    """Give 2^order frames back; a block of several pageblocks in pieces, since one may be isolated by now; zone->lock held.

    Models      split_large_buddy(), mm/page_alloc.c
    Progress    wait-free
    """
    if order <= mem.pageblock_order:
        free_one_piece(mem, cpu, pfn, order)
    else:
        for k in range(1 << (order - mem.pageblock_order)):
            free_one_piece(mem, cpu, pfn + (k << mem.pageblock_order), mem.pageblock_order)


@kernel
def free_one_piece(mem, cpu, pfn, order):
    """Give 2^order frames of one pageblock back, merging with free buddies; zone->lock held.

    Models      __free_one_page(), mm/page_alloc.c
    Progress    wait-free, at most NR_ORDERS merges
    """
    nid = nid_of(mem, pfn)
    migratetype = get_pageblock_migratetype(mem, pfn)
    account_free(mem, nid, migratetype, 1 << order)
    # within a pageblock a buddy is of the same zone and migratetype
    while order < mem.pageblock_order and is_buddy_block(mem, pfn ^ (1 << order), order):
        unlink_free_block(mem, cpu, nid, pfn ^ (1 << order), order, migratetype)
        pfn &= ~(1 << order)
        order += 1
    if order < mem.pageblock_order:
        link_free_block(mem, nid, pfn, order, migratetype)
    else:
        merge_pageblocks(mem, cpu, nid, pfn, order, migratetype)


@slow_kernel
def merge_pageblocks(mem, cpu, nid, pfn, order, migratetype):
    """Make a whole pageblock or more a free block, merging with free buddies, whose migratetype may differ; zone->lock held.

    Models      __free_one_page() from pageblock_order on, mm/page_alloc.c
    Progress    wait-free, at most NR_ORDERS merges
    """
    while order < NR_ORDERS - 1:
        buddy = pfn ^ (1 << order)
        if buddy < nid * mem.frames_per_node or buddy + (1 << order) > (nid + 1) * mem.frames_per_node:
            break
        if not is_buddy_block(mem, buddy, order):
            break
        other = get_pageblock_migratetype(mem, buddy)
        if other != migratetype:
            if other == MT_ISOLATE or migratetype == MT_ISOLATE:
                break
            set_range_migratetype(mem, buddy, order, migratetype)
        unlink_free_block(mem, cpu, nid, buddy, order, other)
        pfn = min(pfn, buddy)
        order += 1
    link_free_block(mem, nid, pfn, order, migratetype)


@kernel
def set_range_migratetype(mem, pfn, order, migratetype):
    """Set the migratetype of all pageblocks of a block of pageblock_order or more; zone->lock held.

    Models      change_pageblock_range(), mm/page_alloc.c
    Progress    wait-free
    """
    first = pfn >> mem.pageblock_order
    for block in range(first, first + max(1, 1 << order >> mem.pageblock_order)):
        store_relaxed(mem.block_migratetype, block, migratetype)


@kernel
def expand(mem, nid, pfn, low, high, migratetype):
    """Free the upper halves of a block of order `high`; the caller takes its first 2^low frames and accounts for them; zone->lock held.

    Models      expand(), mm/page_alloc.c
    Progress    wait-free
    """
    while high > low:
        high -= 1
        link_free_block(mem, nid, pfn + (1 << high), high, migratetype)


@kernel
def move_freepages_block(mem, cpu, block, migratetype):
    """Change a pageblock's migratetype and move its free blocks to the lists of the new one; zone->lock held.

    A free block that is larger than the pageblock is split first.

    Models      __move_freepages_block_isolate(), mm/page_alloc.c
    Returns     free frames moved
    Progress    wait-free
    """
    pageblock_order = mem.pageblock_order
    first = block << pageblock_order
    old = get_pageblock_migratetype(mem, first)
    for order in range(pageblock_order + 1, NR_ORDERS):
        head = first & ~((1 << order) - 1)
        if nid_of(mem, head) == nid_of(mem, first) and is_buddy_block(mem, head, order):
            del_from_free_list(mem, cpu, head, order, old)
            for k in range(1 << (order - pageblock_order)):
                add_to_free_list(mem, head + (k << pageblock_order), pageblock_order, old)
            break
    store_relaxed(mem.block_migratetype, block, migratetype)
    moved = 0
    pfn = first
    while pfn < first + (1 << pageblock_order):
        word = load_relaxed(mem.memdesc, pfn)
        if word_type(word) == T_BUDDY:
            order = buddy_order(word)
            del_from_free_list(mem, cpu, pfn, order, old)
            add_to_free_list(mem, pfn, order, migratetype)
            moved += 1 << order
            pfn += 1 << order
        else:
            pfn += 1
    return moved


@kernel
def fallback_of(migratetype, rank):
    """The `rank`-th migratetype (0, 1) to take from when the lists of `migratetype` are empty.

    Models      fallbacks[][], mm/page_alloc.c
    Progress    wait-free
    """
    if rank == 0:
        return MT_UNMOVABLE if migratetype == MT_RECLAIMABLE else MT_RECLAIMABLE
    return MT_UNMOVABLE if migratetype == MT_MOVABLE else MT_MOVABLE


@kernel
def take_smallest(mem, cpu, nid, order, migratetype):
    """Take 2^order frames from the smallest sufficient block of one migratetype; zone->lock held.

    Models      __rmqueue_smallest(), mm/page_alloc.c
    Returns     pfn or -1
    Progress    wait-free
    """
    for high in range(order, NR_ORDERS):
        head = mem.free_head[area_of(nid, high, migratetype)]
        if head:
            pfn = head - 1
            unlink_free_block(mem, cpu, nid, pfn, high, migratetype)
            expand(mem, nid, pfn, order, high, migratetype)
            account_free(mem, nid, migratetype, -(1 << order))
            return pfn
    return -1


@kernel
def take_run(mem, cpu, nid, order, migratetype, slot, nr_blocks):
    """Take blocks of 2^order frames in a row from the smallest sufficient block of one migratetype; zone->lock held.

    These are the blocks, and the rest is on the lists, that as many calls of take_smallest() would give: it splits off the lower half, and
    the upper one is then the smallest sufficient block. The halves that would be taken at once are never linked.

    Models      the loop of rmqueue_bulk() over __rmqueue_smallest(), mm/page_alloc.c
    Parameters  slot: of pcp_frames, where the first block goes; each next one goes to the slot below, since lists hand out the highest
    Returns     blocks taken, at most nr_blocks; 0 if there is no sufficient block
    Progress    wait-free
    """
    for high in range(order, NR_ORDERS):
        head = mem.free_head[area_of(nid, high, migratetype)]
        if head:
            pfn = head - 1
            taken = min(nr_blocks, 1 << (high - order))
            rest = taken << order
            unlink_free_block(mem, cpu, nid, pfn, high, migratetype)
            while rest < 1 << high:
                link_free_block(mem, nid, pfn + rest, ctz(rest), migratetype)
                rest += 1 << ctz(rest)
            account_free(mem, nid, migratetype, -(taken << order))
            for k in range(taken):
                mem.pcp_frames[slot - k] = pfn + (k << order)
            return taken
    return 0


@kernel
def claims_block(mem, order, migratetype):
    """Whether taking a block of `order` by fallback should try to convert its whole pageblock.

    Models      should_try_claim_block(), mm/page_alloc.c
    Progress    wait-free
    """
    return order >= mem.pageblock_order // 2 or migratetype != MT_MOVABLE


@kernel
def steal(mem, cpu, nid, pfn, high, order, migratetype, other):
    """Take from a block of another migratetype, converting its pageblock if at least half of it is free; zone->lock held.

    Models      try_to_claim_block(), mm/page_alloc.c
    Differs     frames in use that suit the wanted type do not count towards the half; the block found is taken in any case, where Linux
                takes the smallest block of the new type after a claim, and nothing if the claim fails
    Returns     pfn
    Progress    wait-free
    """
    trace(mem, cpu, EV_EXTFRAG, pfn, other * NR_MIGRATETYPES + migratetype)
    count(mem, cpu, counter.PAGEBLOCK_STEAL, 1)
    if high >= mem.pageblock_order:
        unlink_free_block(mem, cpu, nid, pfn, high, other)
        set_range_migratetype(mem, pfn, high, migratetype)
        expand(mem, nid, pfn, order, high, migratetype)
        account_free(mem, nid, migratetype, -(1 << order))
        return pfn
    if claims_block(mem, high, migratetype):
        block = pfn >> mem.pageblock_order
        free = 0
        at = block << mem.pageblock_order
        while at < (block + 1) << mem.pageblock_order:
            word = load_relaxed(mem.memdesc, at)
            size = 1 << buddy_order(word) if word_type(word) == T_BUDDY else 1
            free += size if word_type(word) == T_BUDDY else 0
            at += size
        if free >= 1 << mem.pageblock_order >> 1:
            move_freepages_block(mem, cpu, block, migratetype)
            other = migratetype
    unlink_free_block(mem, cpu, nid, pfn, high, other)
    expand(mem, nid, pfn, order, high, other)
    account_free(mem, nid, other, -(1 << order))
    return pfn


@kernel
def take_fallback(mem, cpu, nid, order, migratetype):
    """Take from the largest block of another migratetype, so that one steal lasts long; zone->lock held.

    Models      __rmqueue_claim(), __rmqueue_steal(), mm/page_alloc.c
    Differs     one search; Linux looks from the largest block down for a pageblock to claim, and only if it can claim none takes from
                the smallest block
    Returns     pfn or -1
    Progress    wait-free
    """
    for step in range(NR_ORDERS - order):
        high = NR_ORDERS - 1 - step
        for rank in range(2):
            other = fallback_of(migratetype, rank)
            head = mem.free_head[area_of(nid, high, other)]
            if head:
                return steal(mem, cpu, nid, head - 1, high, order, migratetype, other)
    return -1


@kernel
def check_not_isolated(mem, cpu, pfn, nr_frames, migratetype):
    """A bug if frames that were taken from the buddy are in an isolated pageblock; zone->lock held.

    Progress    wait-free
    """
    for block in range(pfn >> mem.pageblock_order, ((pfn + nr_frames - 1) >> mem.pageblock_order) + 1):
        if load_relaxed(mem.block_migratetype, block) == MT_ISOLATE:
            bug(mem, cpu, BUG_ISOLATED_ALLOC, pfn, MT_ISOLATE, migratetype)


@kernel
def rmqueue_block(mem, cpu, nid, order, migratetype):
    """Take 2^order frames for `migratetype`, by fallback if need be; zone->lock held.

    Models      __rmqueue(), mm/page_alloc.c
    Returns     pfn of frames whose words are NONE, or -1
    Progress    wait-free; a bug if the frames come from an isolated pageblock
    """
    pfn = take_smallest(mem, cpu, nid, order, migratetype)
    if pfn < 0:
        pfn = take_fallback(mem, cpu, nid, order, migratetype)
    if pfn >= 0:
        check_not_isolated(mem, cpu, pfn, 1 << order, migratetype)
        chaos_point(mem, cpu)
    return pfn


@kernel
def rmqueue_bulk(mem, cpu, nid, order, migratetype, slot, nr_blocks):
    """Take up to `nr_blocks` blocks of 2^order frames for `migratetype`, by fallback if need be; zone->lock held.

    Models      rmqueue_bulk(), mm/page_alloc.c
    Differs     takes blocks in a row at once, see take_run()
    Parameters  slot: as take_run
    Returns     blocks taken, whose words are NONE
    Progress    wait-free; a bug if one comes from an isolated pageblock
    """
    taken = 0
    while taken < nr_blocks:
        found = take_run(mem, cpu, nid, order, migratetype, slot - taken, nr_blocks - taken)
        if found == 0:
            pfn = take_fallback(mem, cpu, nid, order, migratetype)
            if pfn < 0:
                break
            mem.pcp_frames[slot - taken] = pfn
            found = 1
        check_not_isolated(mem, cpu, mem.pcp_frames[slot - taken], found << order, migratetype)
        chaos_point(mem, cpu)
        taken += found
    return taken
