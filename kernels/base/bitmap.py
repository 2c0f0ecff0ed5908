"""The bitmap of a window: 512 bits in eight words, one cache line; more of them where batches may span windows (`window_blocks`).

Models      base_pfn + bitmap of 1 << PMD_ORDER bits (M. Wilcox, linux-mm, 7 Jan 2025)
Differs     kept in `mem.bitmap`, a row per CPU, since kernels do not allocate; only its CPU writes a row, so nothing is atomic
Words are int64 and bit 63 is the sign, so words are only combined with & | ~ and the helpers of atomics.
"""

from kernels.base.atomics import bit, ctz, popcount
from kernels.base.jit import kernel
from kernels.base.layout import NR_BITMAPS


@kernel
def bitmap_base(mem, cpu, which):
    """The first word of bitmap `which` (layout.CANDIDATES, ISOLATED, DONE) of a CPU.

    Progress    wait-free
    """
    return (cpu * NR_BITMAPS + which) * (mem.window_frames >> 6)


@kernel
def clear_bitmap(mem, base):
    """Clear all bits.

    Progress    wait-free
    """
    for k in range(mem.window_frames >> 6):
        mem.bitmap[base + k] = 0


@kernel
def set_bit(mem, base, position):
    """Set bit `position` (0..window_frames - 1).

    Progress    wait-free
    """
    mem.bitmap[base + (position >> 6)] |= bit(position & 63)


@kernel
def clear_bit(mem, base, position):
    """Clear bit `position` (0..window_frames - 1).

    Progress    wait-free
    """
    mem.bitmap[base + (position >> 6)] &= ~bit(position & 63)


@kernel
def test_bit(mem, base, position):
    """Whether bit `position` (0..window_frames - 1) is set.

    Progress    wait-free
    """
    return mem.bitmap[base + (position >> 6)] & bit(position & 63) != 0


@kernel
def find_next_bit(mem, base, start):
    """The first set bit at `start` or above, or window_frames.

    Models      find_next_bit(), lib/find_bit.c
    Progress    wait-free
    """
    size = mem.window_frames
    if start >= size:
        return size
    k = start >> 6
    word = mem.bitmap[base + k] >> (start & 63)
    if word != 0:
        return start + ctz(word)
    last = (size >> 6) - 1
    while word == 0:
        if k == last:
            return size
        k += 1
        word = mem.bitmap[base + k]
    return k * 64 + ctz(word)


@kernel
def bitmap_weight(mem, base):
    """The number of set bits.

    Models      bitmap_weight(), lib/bitmap.c
    Progress    wait-free
    """
    total = 0
    for k in range(mem.window_frames >> 6):
        total += popcount(mem.bitmap[base + k])
    return total


@kernel
def position_after(mem, base, start, nr_bits):
    """The position after the `nr_bits`-th set bit at `start` or above, or window_frames if fewer bits are set.

    Progress    wait-free
    """
    at = start
    while nr_bits > 0:
        if at & 63 == 0 and at < mem.window_frames and popcount(mem.bitmap[base + (at >> 6)]) < nr_bits:
            nr_bits -= popcount(mem.bitmap[base + (at >> 6)])
            at += 64
        else:
            at = find_next_bit(mem, base, at) + 1
            nr_bits -= 1
            if at > mem.window_frames:
                return mem.window_frames
    return at
