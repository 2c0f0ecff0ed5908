"""A zone under allocator = bitfield: trees of pageblocks, which CPUs reserve by migratetype, and whole pageblocks.

Models      llfree-rs core/src/llfree.rs, trees.rs, local.rs (USENIX ATC'23, kernels/alloc/bitfield.py has the title); P22
Differs     a tree has no count of its own: the words of its pageblocks, at most eight, are one cache line, and are added up where LLFree
            reads the tree's count. So a reservation takes no frames away: any CPU may take from any tree, and a reservation only keeps CPUs
            apart. A tree stays with its migratetype; a pageblock takes a new one over if at least half of it is free, as in the buddy.
            zone_free is changed in batches, as by __mod_zone_page_state(), mm/vmstat.c
Invariants  I1, I17: zone_free + what CPUs have not added yet = free frames that are not isolated. A tree's word names one reservation
Protocol    take from the pageblock of the last frame, while the tree's word names this reservation; then from the others of the tree; then
            give the tree up, look for another, take from it and reserve it, or steal it. Whole pageblocks need no reservation
"""

from kernels.alloc.bitfield import (
    NO_RUN,
    WORD_ORDER,
    add_free,
    adopt_chunk,
    chunk_words,
    claim_frames,
    clear_bits,
    find_clear_run,
    set_these,
    take_in_chunk,
    take_whole,
)
from kernels.alloc.buddy import nid_of
from kernels.base import counter
from kernels.base.atomics import cas_relaxed, fetch_add_relaxed, load_relaxed
from kernels.base.bug import chaos_point
from kernels.base.jit import fast_kernel, kernel, slow_kernel
from kernels.base.layout import (
    BITFIELD_WORDS,
    CHUNK_COUNT_MASK,
    CHUNK_ISOLATED,
    EV_EXTFRAG,
    MT_ISOLATE,
    NR_MIGRATETYPES,
    RESERVE_DELTA,
    RESERVE_LARGE,
    RESERVE_STRIDE,
    TREE_KIND_MASK,
    TREE_OWNER_SHIFT,
)
from kernels.base.vmstat import count, trace

#: what is looked for, in this order: a tree of the same migratetype in use in part; one that is free; one of the same migratetype with
#: little free; one of another migratetype; one that another CPU has reserved
PARTIAL, ENTIRE, SCANTY, FOREIGN, RESERVED = range(5)
NR_RANKS = RESERVED + 1
SCANTY_SHIFT = 4  # less than a sixteenth


# ------------------------------------------------------------------------------------------------------------ where things are


@kernel
def reserve_slot(mem, cpu, nid, which):
    """The word of a CPU and a node: by migratetype its reservation, or RESERVE_LARGE, RESERVE_DELTA.

    Progress    wait-free
    """
    return (cpu * mem.nr_nodes + nid) * RESERVE_STRIDE + which


@kernel
def first_chunk_of(mem, nid):
    """The first pageblock of a node.

    Progress    wait-free
    """
    return nid * mem.frames_per_node >> mem.pageblock_order


@kernel
def end_chunk_of(mem, nid):
    """The pageblock after the last one of a node; the last one may be a part only.

    Progress    wait-free
    """
    return ((nid + 1) * mem.frames_per_node - 1 >> mem.pageblock_order) + 1


@kernel
def owned_tree(kind, slot):
    """The word of a tree that a reservation holds.

    Progress    wait-free
    """
    return kind | slot + 1 << TREE_OWNER_SHIFT


@kernel
def whole_free(mem, chunk):
    """Whether a pageblock is free as a whole, and not isolated (a hint).

    Progress    wait-free
    """
    return load_relaxed(mem.chunk_word, chunk) == 1 << mem.pageblock_order


# ------------------------------------------------------------------------------------------------------------------- accounting


@fast_kernel
def account(mem, cpu, nid, nr_frames):
    """Adjust the zone's count of free frames by way of this CPU's share of it.

    Models      __mod_zone_page_state(), mm/vmstat.c; the batch is that of the per-CPU lists
    Progress    wait-free
    """
    slot = reserve_slot(mem, cpu, nid, RESERVE_DELTA)
    delta = mem.reserve_word[slot] + nr_frames
    if delta > mem.pcp_batch or delta < -mem.pcp_batch:
        fetch_add_relaxed(mem.zone_free, nid, delta)  # read without any lock, as a hint
        delta = 0
    mem.reserve_word[slot] = delta


@slow_kernel
def account_isolated(mem, nid, nr_frames):
    """Adjust the zone's count of free frames in isolated pageblocks.

    Progress    wait-free
    """
    fetch_add_relaxed(mem.zone_isolate_free, nid, nr_frames)


@slow_kernel
def undo_claim(mem, cpu, chunk, nr_frames):
    """Give a claim back whose frames were not chosen; the zone has not been told of it.

    Progress    wait-free
    """
    if add_free(mem, chunk, nr_frames) & CHUNK_ISOLATED:
        nid = nid_of(mem, chunk << mem.pageblock_order)  # isolated since the claim: the isolator did not see these frames
        account(mem, cpu, nid, -nr_frames)
        account_isolated(mem, nid, nr_frames)
    count(mem, cpu, counter.CLAIM_UNDONE, 1)


@fast_kernel
def give_frames(mem, cpu, pfn, order):
    """Free 2^order frames of one pageblock.

    Progress    wait-free
    """
    clear_bits(mem, cpu, pfn, order)
    chaos_point(mem, cpu)
    nid = nid_of(mem, pfn)
    if add_free(mem, pfn >> mem.pageblock_order, 1 << order) & CHUNK_ISOLATED:
        account_isolated(mem, nid, 1 << order)
    else:
        account(mem, cpu, nid, 1 << order)


@kernel
def trees_give(mem, cpu, pfn, order):
    """Free 2^order frames; a block of several pageblocks one by one.

    Progress    wait-free
    """
    if order <= mem.pageblock_order:
        give_frames(mem, cpu, pfn, order)
    else:
        for k in range(1 << (order - mem.pageblock_order)):
            give_frames(mem, cpu, pfn + (k << mem.pageblock_order), mem.pageblock_order)


# ------------------------------------------------------------------------------------------------------ pageblocks in part


@kernel
def enter_chunk(mem, cpu, pfn, migratetype):
    """Note that a pageblock serves a migratetype from now on; if it was of another one it becomes one of this, if half of it is free.

    Models      try_to_claim_block(), mm/page_alloc.c: its half
    Progress    wait-free
    """
    chunk = pfn >> mem.pageblock_order
    old = load_relaxed(mem.block_migratetype, chunk)
    if old != migratetype and old != MT_ISOLATE:
        trace(mem, cpu, EV_EXTFRAG, pfn, old * NR_MIGRATETYPES + migratetype)
        count(mem, cpu, counter.PAGEBLOCK_STEAL, 1)
        if load_relaxed(mem.chunk_word, chunk) & CHUNK_COUNT_MASK >= 1 << mem.pageblock_order >> 1:
            adopt_chunk(mem, chunk, migratetype)


@kernel
def take_in_tree(mem, cpu, nid, tree, order, migratetype, after):
    """Take 2^order frames of a tree: from pageblocks in use in part, else from free ones.

    Parameters  after: the pageblock to begin after
    Returns     pfn or -1
    Progress    lock-free
    """
    first = max(tree << mem.tree_shift, first_chunk_of(mem, nid))
    nr_chunks = min(tree + 1 << mem.tree_shift, end_chunk_of(mem, nid)) - first
    for free_ones in range(2):
        for k in range(nr_chunks):
            chunk = first + (after + 1 + k - first) % nr_chunks
            # looked for before the claim: a run is often missing, and a claim that is undone dirties two lines
            if whole_free(mem, chunk) == (free_ones == 1) and (order == 0 or has_run(mem, chunk, order)):
                pfn = take_in_chunk(mem, cpu, chunk, 0, order)
                if pfn >= 0:
                    enter_chunk(mem, cpu, pfn, migratetype)
                    return pfn
                if pfn == NO_RUN:
                    undo_claim(mem, cpu, chunk, 1 << order)
    return -1


@kernel
def tree_rank(mem, nid, tree, word, nr_frames, migratetype):
    """How well a tree suits a reservation (a hint).

    Parameters  word: the tree's
    Returns     PARTIAL, the best, to RESERVED; -1 if no pageblock has as many frames free
    Progress    wait-free
    """
    first = max(tree << mem.tree_shift, first_chunk_of(mem, nid))
    end = min(tree + 1 << mem.tree_shift, end_chunk_of(mem, nid))
    free, largest = 0, 0
    for chunk in range(first, end):
        seen = load_relaxed(mem.chunk_word, chunk)
        if seen & CHUNK_ISOLATED == 0:
            free += seen
            largest = max(largest, seen)
    total = end - first << mem.pageblock_order
    if largest < nr_frames:
        return -1
    if word >> TREE_OWNER_SHIFT != 0:
        return RESERVED
    if free == total:
        return ENTIRE
    if word & TREE_KIND_MASK != migratetype:
        return FOREIGN
    return PARTIAL if free >= total >> SCANTY_SHIFT else SCANTY


@kernel
def reserve_tree(mem, cpu, slot, tree, word, migratetype):
    """Reserve a tree, or steal it, if its word is still that one.

    Returns     False if another CPU changed it first
    Progress    wait-free
    """
    # relaxed: a reservation protects nothing; it keeps CPUs away from each other
    if cas_relaxed(mem.tree_word, tree, word, owned_tree(migratetype, slot)) != word:
        return False
    count(mem, cpu, counter.TREE_RESERVED, 1)
    if word >> TREE_OWNER_SHIFT != 0:
        count(mem, cpu, counter.TREE_STOLEN, 1)
    return True


@kernel
def release_tree(mem, slot, tree):
    """Give a tree up, unless another CPU has stolen it.

    Progress    lock-free
    """
    word = load_relaxed(mem.tree_word, tree)
    if word >> TREE_OWNER_SHIFT == slot + 1:
        cas_relaxed(mem.tree_word, tree, word, word & TREE_KIND_MASK)
    mem.reserve_word[slot] = 0


@kernel
def search_trees(mem, cpu, nid, order, migratetype, slot, begin):
    """Take 2^order frames from the tree that suits best, and reserve it.

    Parameters  begin: the tree to look at first
    Returns     pfn or -1
    Progress    lock-free
    """
    first = first_chunk_of(mem, nid) >> mem.tree_shift
    nr_trees = (end_chunk_of(mem, nid) - 1 >> mem.tree_shift) + 1 - first
    for rank in range(NR_RANKS):
        for k in range(nr_trees):
            tree = first + (begin - first + k) % nr_trees
            word = load_relaxed(mem.tree_word, tree)
            if tree_rank(mem, nid, tree, word, 1 << order, migratetype) == rank:
                pfn = take_in_tree(mem, cpu, nid, tree, order, migratetype, (tree << mem.tree_shift) - 1)
                if pfn >= 0:
                    mem.reserve_word[slot] = pfn + 1 if reserve_tree(mem, cpu, slot, tree, word, migratetype) else 0
                    return pfn
    return -1


@slow_kernel
def take_elsewhere(mem, cpu, nid, order, migratetype):
    """Take 2^order frames when the pageblock of the last one has none: from its tree, or from another tree.

    Returns     pfn or -1
    Progress    lock-free
    """
    slot = reserve_slot(mem, cpu, nid, migratetype)
    at = mem.reserve_word[slot]
    first, end = first_chunk_of(mem, nid), end_chunk_of(mem, nid)
    begin = first + (end - first) * cpu // mem.nr_cpus >> mem.tree_shift  # apart from the other CPUs'
    if at != 0:
        chunk = at - 1 >> mem.pageblock_order
        begin = chunk >> mem.tree_shift
        pfn = take_in_tree(mem, cpu, nid, begin, order, migratetype, chunk)
        if pfn >= 0:
            mem.reserve_word[slot] = pfn + 1
            return pfn
        release_tree(mem, slot, begin)
    return search_trees(mem, cpu, nid, order, migratetype, slot, begin)


@fast_kernel
def take_reserved(mem, cpu, nid, order, migratetype):
    """Take 2^order frames from the pageblock of this reservation's last frame.

    Parameters  order: below pageblock_order
    Returns     pfn or -1
    Progress    lock-free
    """
    slot = reserve_slot(mem, cpu, nid, migratetype)
    last = mem.reserve_word[slot] - 1
    if last < 0:
        return -1
    chunk = last >> mem.pageblock_order
    if load_relaxed(mem.tree_word, chunk >> mem.tree_shift) >> TREE_OWNER_SHIFT != slot + 1:
        count(mem, cpu, counter.MET_TREE_LOST, 1)
        mem.reserve_word[slot] = 0
        return -1
    pfn = take_in_chunk(mem, cpu, chunk, (last & ((1 << mem.pageblock_order) - 1)) >> WORD_ORDER, order)
    if pfn >= 0:
        mem.reserve_word[slot] = pfn + 1
    elif pfn == NO_RUN:
        undo_claim(mem, cpu, chunk, 1 << order)
    return pfn


# ----------------------------------------------------------------------------------------------------------- whole pageblocks


@kernel
def whole_ones_free(mem, chunk, nr_chunks):
    """Whether pageblocks in a row are free as a whole, and not isolated (a hint).

    Progress    wait-free
    """
    for k in range(nr_chunks):
        if not whole_free(mem, chunk + k):
            return False
    return True


@kernel
def take_whole_ones(mem, cpu, chunk, nr_chunks, migratetype):
    """Take pageblocks in a row, all or none.

    Returns     False if one of them is not free
    Progress    wait-free
    """
    for k in range(nr_chunks):
        if not take_whole(mem, cpu, chunk + k, 0):
            for done in range(k):
                clear_bits(mem, cpu, chunk + done << mem.pageblock_order, mem.pageblock_order)
                undo_claim(mem, cpu, chunk + done, 1 << mem.pageblock_order)
            return False
    for k in range(nr_chunks):
        old = adopt_chunk(mem, chunk + k, migratetype)
        if old != migratetype:
            count(mem, cpu, counter.PAGEBLOCK_STEAL, 1)
    return True


@kernel
def take_large(mem, cpu, nid, order, migratetype):
    """Take 2^order frames of whole pageblocks, looking at the pageblock of the last time first.

    Parameters  order: pageblock_order or more
    Returns     pfn or -1
    Progress    wait-free, bounded by the pageblocks of the zone
    """
    slot = reserve_slot(mem, cpu, nid, RESERVE_LARGE)
    nr_chunks = 1 << (order - mem.pageblock_order)
    first = first_chunk_of(mem, nid) + nr_chunks - 1 & -nr_chunks
    nr_groups = (end_chunk_of(mem, nid) - first) // nr_chunks
    hint = mem.reserve_word[slot] - 1
    begin = (hint - first) // nr_chunks if hint >= first else nr_groups * cpu // mem.nr_cpus
    chunk = first + begin * nr_chunks
    for _ in range(nr_groups):
        if chunk + nr_chunks > first + nr_groups * nr_chunks:
            chunk = first
        if whole_ones_free(mem, chunk, nr_chunks) and take_whole_ones(mem, cpu, chunk, nr_chunks, migratetype):
            mem.reserve_word[slot] = chunk + 1
            return chunk << mem.pageblock_order
        chunk += nr_chunks
    return -1


# ---------------------------------------------------------------------------------------------------------------- for a zone


@fast_kernel
def trees_take(mem, cpu, nid, order, migratetype):
    """Take 2^order frames of a node for a migratetype.

    Returns     pfn of frames whose words are NONE, or -1
    Progress    lock-free
    """
    if order < mem.pageblock_order:
        pfn = take_reserved(mem, cpu, nid, order, migratetype)
        if pfn < 0:
            pfn = take_elsewhere(mem, cpu, nid, order, migratetype)
    else:
        pfn = take_large(mem, cpu, nid, order, migratetype)
    if pfn >= 0:
        account(mem, cpu, nid, -(1 << order))
    return pfn


@kernel
def take_given(mem, cpu, pfn, order):
    """Take given frames of a pageblock that is not isolated, if all are free.

    Parameters  order: below pageblock_order
    Returns     False if one is not free, or the pageblock is isolated
    Progress    lock-free
    """
    chunk = pfn >> mem.pageblock_order
    if not claim_frames(mem, cpu, chunk, 1 << order, 0):
        return False
    if not set_these(mem, cpu, pfn, order):
        undo_claim(mem, cpu, chunk, 1 << order)
        return False
    account(mem, cpu, nid_of(mem, pfn), -(1 << order))
    return True


@kernel
def take_given_isolated(mem, cpu, pfn, order):
    """Take given frames of a pageblock that the caller has isolated, if all are free.

    Parameters  order: up to pageblock_order
    Returns     False if one is not free, or is claimed
    Progress    lock-free
    """
    chunk = pfn >> mem.pageblock_order
    if order == mem.pageblock_order:
        if not take_whole(mem, cpu, chunk, CHUNK_ISOLATED):
            return False
    else:
        if not claim_frames(mem, cpu, chunk, 1 << order, CHUNK_ISOLATED):
            return False
        if not set_these(mem, cpu, pfn, order):
            add_free(mem, chunk, 1 << order)
            return False
    account_isolated(mem, nid_of(mem, pfn), -(1 << order))
    return True


@kernel
def has_run(mem, chunk, order):
    """Whether a pageblock has an aligned run of 2^order free frames (a hint).

    Parameters  order: below pageblock_order
    Progress    wait-free
    """
    row, nr_words = chunk * BITFIELD_WORDS, chunk_words(mem)
    if order <= WORD_ORDER:
        for k in range(nr_words):
            if find_clear_run(load_relaxed(mem.bitfield, row + k), order) >= 0:
                return True
        return False
    size = 1 << order - WORD_ORDER
    for number in range(0, nr_words, size):
        used = 0
        for k in range(size):
            used |= load_relaxed(mem.bitfield, row + number + k)
        if used == 0:
            return True
    return False


@kernel
def trees_have(mem, nid, order):
    """Whether a zone has a free block of `order` outside of isolated pageblocks (a hint), looking at each pageblock.

    Progress    wait-free
    """
    first, end = first_chunk_of(mem, nid), end_chunk_of(mem, nid)
    if order >= mem.pageblock_order:
        nr_chunks = 1 << (order - mem.pageblock_order)
        for chunk in range(first + nr_chunks - 1 & -nr_chunks, end - nr_chunks + 1, nr_chunks):
            if whole_ones_free(mem, chunk, nr_chunks):
                return True
        return False
    for chunk in range(first, end):
        word = load_relaxed(mem.chunk_word, chunk)
        if word & CHUNK_ISOLATED == 0 and word >= 1 << order and has_run(mem, chunk, order):
            return True
    return False
