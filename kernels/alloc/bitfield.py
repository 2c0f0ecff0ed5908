"""The frames of one pageblock under allocator = bitfield: 512 bits and a word that counts the free ones, changed without a lock.

Models      llfree-rs core/src/lower.rs, bitfield.rs: L. Wrenger, F. Rommel, A. Halbuer, C. Dietrich, D. Lohmann, "LLFree: Scalable and
            Optionally-Persistent Page-Frame Allocation", USENIX ATC'23; P22
Differs     a bit is set for each frame that is taken, also of a pageblock taken as a whole, where LLFree sets a flag of the count only: its
            parts can be freed without a conversion, and scanners read one place. The count is a 64-bit word with a flag for isolation.
            Bits are one line of eight words whatever the pageblock's order; those of frames that do not exist stay set
Invariants  I1, I2: clear bits = free frames + frames claimed and not chosen yet + frames freed and not counted yet; I18
Protocol    take: claim in the count, then set bits; a claim without an aligned run is undone. Free: clear bits, then add to the count. So
            the count is never more than the clear bits; a claim of a single frame always finds one; a count of the whole pageblock
            means that no other CPU has a claim or a free under way, and one compare-and-exchange takes it. Isolated: no new claim
            succeeds, and old ones end soon
"""

from kernels.base import counter
from kernels.base.atomics import (
    bit,
    cas_acquire,
    cas_relaxed,
    ctz,
    fetch_add_release,
    load_acquire,
    load_relaxed,
    load_unseen,
    popcount,
    store_relaxed,
    store_release,
)
from kernels.base.bug import bug, chaos_point
from kernels.base.flavour import CHECKED
from kernels.base.jit import fast_kernel, kernel, slow_kernel
from kernels.base.layout import BITFIELD_WORDS, BUG_BITFIELD, BUG_ISOLATED_ALLOC, CHUNK_COUNT_MASK, CHUNK_ISOLATED, MT_ISOLATE
from kernels.base.vmstat import count

WORD_ORDER = 6  # a word has 64 bits
TAKEN = -1  # a word whose frames are all taken
NO_RUN = -2  # of take_in_chunk()


# ------------------------------------------------------------------------------------------------------- words, purely


@kernel
def run_mask(position, order):
    """The bits of a run of 2^order frames in a word.

    Parameters  order: 0..6
    Progress    wait-free
    """
    size = 1 << order
    return ((1 << (size - 1)) - 1) << position | bit(position + size - 1)


@kernel
def find_clear_run(word, order):
    """The first aligned run of 2^order clear bits.

    Parameters  order: 0..6
    Returns     its position, or -1
    Progress    wait-free
    """
    if order == WORD_ORDER:
        return 0 if word == 0 else -1
    # a bit of `clear` stays if the bits of its run above it are clear; shifts bring the sign in at positions that are not aligned
    clear = ~word
    if order >= 1:
        clear &= clear >> 1 & 0x5555555555555555
    if order >= 2:
        clear &= clear >> 2 & 0x1111111111111111
    if order >= 3:
        clear &= clear >> 4 & 0x0101010101010101
    if order >= 4:
        clear &= clear >> 8 & 0x0001000100010001
    if order >= 5:
        clear &= clear >> 16 & 0x0000000100000001
    return ctz(clear) if clear != 0 else -1


@kernel
def claimed(word, nr_frames, isolated):
    """A pageblock's word after a claim.

    Parameters  isolated: CHUNK_ISOLATED for the isolator, 0 for all others
    Returns     the word, or -1 if fewer frames are free, or its isolation is another
    Progress    wait-free
    """
    if word & CHUNK_ISOLATED != isolated or word & CHUNK_COUNT_MASK < nr_frames:
        return -1
    return word - nr_frames


# ------------------------------------------------------------------------------------------------------------ where things are


@kernel
def chunk_words(mem):
    """The words of a pageblock that have bits of frames.

    Progress    wait-free
    """
    return max(1, 1 << mem.pageblock_order >> WORD_ORDER)


@kernel
def word_of(mem, pfn):
    """The word with the bit of a frame.

    Progress    wait-free
    """
    inside = pfn & ((1 << mem.pageblock_order) - 1)
    return (pfn >> mem.pageblock_order) * BITFIELD_WORDS + (inside >> WORD_ORDER)


@kernel
def position_of(mem, pfn):
    """The position of the bit of a frame in its word.

    Progress    wait-free
    """
    return pfn & ((1 << min(mem.pageblock_order, WORD_ORDER)) - 1)


@kernel
def is_taken(mem, pfn):
    """Whether the bit of a frame is set (a hint).

    Progress    wait-free
    """
    return load_relaxed(mem.bitfield, word_of(mem, pfn)) >> position_of(mem, pfn) & 1 != 0


@kernel
def count_clear(mem, chunk):
    """The clear bits of a pageblock, read one word after another.

    Progress    wait-free
    """
    clear = 0
    for k in range(chunk_words(mem)):
        clear += popcount(~load_relaxed(mem.bitfield, chunk * BITFIELD_WORDS + k))
    return clear


@kernel
def first_taken(mem, start, end):
    """The first frame of a range whose bit is set (a hint).

    Returns     its pfn, or -1
    Progress    wait-free
    """
    span = 1 << min(mem.pageblock_order, WORD_ORDER)
    pfn = start
    while pfn < end:
        base, position = pfn & -span, pfn & (span - 1)
        rest = load_relaxed(mem.bitfield, word_of(mem, pfn)) & ~((1 << position) - 1)
        if rest != 0 and ctz(rest) < span:
            found = base + ctz(rest)
            return found if found < end else -1
        pfn = base + span
    return -1


@kernel
def order_at(mem, pfn):
    """The order of the largest aligned block of free frames that begins at a frame, a pageblock at most (a hint).

    Returns     the order, or -1 if the frame is not free
    Progress    wait-free
    """
    word = load_relaxed(mem.bitfield, word_of(mem, pfn))
    position = position_of(mem, pfn)
    if word >> position & 1 != 0:
        return -1
    order = 0
    while order < min(mem.pageblock_order, WORD_ORDER) and pfn & ((2 << order) - 1) == 0:
        if word & run_mask(position, order + 1) != 0:
            return order
        order += 1
    while WORD_ORDER <= order < mem.pageblock_order and pfn & ((2 << order) - 1) == 0:
        for k in range(1 << order - WORD_ORDER):
            if load_relaxed(mem.bitfield, word_of(mem, pfn + (1 << order)) + k) != 0:
                return order
        order += 1
    return order


# --------------------------------------------------------------------------------------------------------------------- claims


@fast_kernel
def claim_frames(mem, cpu, chunk, nr_frames, isolated):
    """Take frames out of a pageblock's count; which ones, their bits decide.

    Parameters  isolated: as claimed()
    Returns     False if fewer are free, or its isolation is another
    Progress    lock-free; a retry means that another CPU moved the count
    """
    word = load_relaxed(mem.chunk_word, chunk)
    after = claimed(word, nr_frames, isolated)
    while after >= 0:
        # ORDER: acquire, pairs with the release of the frees that were counted: their bits are seen clear
        seen = cas_acquire(mem.chunk_word, chunk, word, after)
        if seen == word:
            return True
        count(mem, cpu, counter.MET_BITFIELD_CHANGED, 1)
        word = seen
        after = claimed(word, nr_frames, isolated)
    return False


@kernel
def check_not_drained(mem, cpu, chunk):
    """A bug if bits are about to be set in a pageblock that was isolated and drained: the drain waits for each claim.

    Progress    wait-free
    """
    if CHECKED:
        if mem.shadow_on and load_unseen(mem.block_drained, chunk) != 0:
            bug(mem, cpu, BUG_ISOLATED_ALLOC, chunk << mem.pageblock_order, MT_ISOLATE, load_unseen(mem.chunk_word, chunk))


@fast_kernel
def set_run(mem, cpu, at, order):
    """Set the first aligned run of 2^order clear bits of a word.

    Parameters  order: 0..6
    Returns     its position, or -1
    Progress    lock-free; a retry means that another CPU changed the word
    """
    word = load_relaxed(mem.bitfield, at)
    position = find_clear_run(word, order)
    while position >= 0:
        # ORDER: acquire, pairs with clear_bits' release: what the owner before wrote is not seen late
        seen = cas_acquire(mem.bitfield, at, word, word | run_mask(position, order))
        if seen == word:
            return position
        count(mem, cpu, counter.MET_BITFIELD_CHANGED, 1)
        word = seen
        position = find_clear_run(word, order)
    return -1


@kernel
def set_words_taken(mem, cpu, first, nr_words):
    """Set all bits of clear words, or none.

    Returns     False if a word has a bit set
    Progress    wait-free
    """
    done = 0
    # ORDER: acquire, as set_run
    while done < nr_words and cas_acquire(mem.bitfield, first + done, 0, TAKEN) == 0:
        done += 1
    if done == nr_words:
        return True
    for k in range(done):
        # ORDER: release, as clear_bits, on behalf of the owner before
        store_release(mem.bitfield, first + k, 0)
    return False


@kernel
def set_bits_in(mem, cpu, chunk, near_word, order):
    """Choose frames for a claim: an aligned run of a pageblock, from a word on.

    Returns     pfn; -1 if there is no aligned run
    Progress    lock-free: a single frame is searched for until it is found, since there are as many clear bits as claims
    """
    nr_words, row = chunk_words(mem), chunk * BITFIELD_WORDS
    while True:
        if order <= WORD_ORDER:
            for k in range(nr_words):
                number = near_word + k if near_word + k < nr_words else near_word + k - nr_words
                position = set_run(mem, cpu, row + number, order)
                if position >= 0:
                    return (chunk << mem.pageblock_order) + (number << WORD_ORDER) + position
        else:
            size = 1 << order - WORD_ORDER
            for number in range(0, nr_words, size):
                if load_relaxed(mem.bitfield, row + number) == 0 and set_words_taken(mem, cpu, row + number, size):
                    return (chunk << mem.pageblock_order) + (number << WORD_ORDER)
        if order > 0:
            return -1


@fast_kernel
def take_in_chunk(mem, cpu, chunk, near_word, order):
    """Take 2^order frames of a pageblock that is not isolated.

    Parameters  order: below pageblock_order; near_word: of the pageblock, where to look first
    Returns     pfn; -1 if fewer are free; NO_RUN if there is no aligned run: the caller undoes the claim
    Progress    lock-free
    """
    if not claim_frames(mem, cpu, chunk, 1 << order, 0):
        return -1
    chaos_point(mem, cpu)
    check_not_drained(mem, cpu, chunk)
    if order <= WORD_ORDER:  # the common case: a run in the word of the last one
        position = set_run(mem, cpu, chunk * BITFIELD_WORDS + near_word, order)
        if position >= 0:
            return (chunk << mem.pageblock_order) + (near_word << WORD_ORDER) + position
    pfn = set_bits_in(mem, cpu, chunk, near_word, order)
    return pfn if pfn >= 0 else NO_RUN


@kernel
def take_whole(mem, cpu, chunk, isolated):
    """Take a pageblock of which all frames are free.

    Parameters  isolated: as claimed()
    Returns     False if one is not, or its isolation is another
    Progress    wait-free
    """
    full = 1 << mem.pageblock_order
    # ORDER: acquire, pairs with the release of every free that was counted; no other CPU touches the bits until the next one
    if cas_acquire(mem.chunk_word, chunk, full | isolated, isolated) != full | isolated:
        return False
    if isolated == 0:
        check_not_drained(mem, cpu, chunk)
    for k in range(chunk_words(mem)):
        store_relaxed(mem.bitfield, chunk * BITFIELD_WORDS + k, TAKEN)
    return True


@kernel
def set_these(mem, cpu, pfn, order):
    """Set the bits of given frames, if all are clear.

    Parameters  order: below pageblock_order
    Returns     False if one is not
    Progress    lock-free
    """
    at = word_of(mem, pfn)
    if order > WORD_ORDER:
        return set_words_taken(mem, cpu, at, 1 << order - WORD_ORDER)
    mask, word = run_mask(position_of(mem, pfn), order), load_relaxed(mem.bitfield, at)
    while word & mask == 0:
        # ORDER: acquire, as set_run
        seen = cas_acquire(mem.bitfield, at, word, word | mask)
        if seen == word:
            return True
        count(mem, cpu, counter.MET_BITFIELD_CHANGED, 1)
        word = seen
    return False


# ---------------------------------------------------------------------------------------------------------------------- frees


@slow_kernel
def report_free(mem, cpu, pfn, seen, wanted):
    """Stop the run: frames are freed that are free.

    Progress    does not return
    """
    bug(mem, cpu, BUG_BITFIELD, pfn, seen, wanted)


@fast_kernel
def clear_bits(mem, cpu, pfn, order):
    """Clear the bits of frames that the caller owns, and does not touch any more.

    Parameters  order: up to pageblock_order
    Progress    wait-free; a bug if one is clear
    """
    at = word_of(mem, pfn)
    if order <= WORD_ORDER:
        mask = run_mask(position_of(mem, pfn), order)
        # subtracting set bits clears them, in one instruction that also returns the word
        # ORDER: release, pairs with set_run's acquire: what this owner wrote is seen by the next
        seen = fetch_add_release(mem.bitfield, at, -mask)
        if seen & mask != mask:
            report_free(mem, cpu, pfn, seen, mask)
    else:
        for k in range(1 << order - WORD_ORDER):
            seen = load_relaxed(mem.bitfield, at + k)
            if seen != TAKEN:
                report_free(mem, cpu, pfn, seen, TAKEN)
            # ORDER: release, as above
            store_release(mem.bitfield, at + k, 0)


@fast_kernel
def add_free(mem, chunk, nr_frames):
    """Add frames with clear bits to a pageblock's count.

    Returns     the word before: whether the pageblock was isolated decides where the zone counts them
    Progress    wait-free
    """
    # ORDER: release, pairs with claim_frames' and take_whole's acquire: who sees the count sees the bits clear
    return fetch_add_release(mem.chunk_word, chunk, nr_frames)


@kernel
def no_claim_is_left(mem, chunk):
    """Whether an isolated pageblock has no frame that is claimed and not chosen, or freed and not counted.

    Every bit seen set is that of a frame taken or of a claim, and the count leaves out both. It cannot fall while the pageblock is
    isolated; so if it is the same before and after, and as large as the number of bits seen clear, each claim has set its bits.

    Progress    wait-free
    """
    # ORDER: acquire, pairs with add_free's release: bits of the frees that are counted are seen clear
    before = load_acquire(mem.chunk_word, chunk)
    clear = count_clear(mem, chunk)
    return load_relaxed(mem.chunk_word, chunk) == before and clear == before & CHUNK_COUNT_MASK


@kernel
def adopt_chunk(mem, chunk, migratetype):
    """Make a pageblock one of another migratetype, unless it is isolated.

    Returns     its migratetype before
    Progress    wait-free
    """
    old = load_relaxed(mem.block_migratetype, chunk)
    if old != migratetype and old != MT_ISOLATE:
        cas_relaxed(mem.block_migratetype, chunk, old, migratetype)  # an isolator exchanges it: then this one fails
    return old
