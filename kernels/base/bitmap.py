"""The bitmap of 512: eight words, one cache line, one bit per frame of a window.

Models      base_pfn + bitmap of 1 << PMD_ORDER bits (M. Wilcox, linux-mm, 7 Jan 2025)
Differs     lives in `mem.bitmap`, CPU by CPU, since kernels do not allocate; written by its CPU alone, so not atomic
Words are int64 and bit 63 is the sign, so words are only combined with & | ~ and the helpers of atomics.
"""

from kernels.base.atomics import bit, ctz, popcount
from kernels.base.jit import kernel
from kernels.base.layout import BITMAP_WORDS, NR_BITMAPS


@kernel
def bitmap_base(cpu, which):
    """The first word of bitmap `which` (layout.CANDIDATES, ISOLATED, DONE) of a CPU.

    Progress    wait-free
    """
    return (cpu * NR_BITMAPS + which) * BITMAP_WORDS


@kernel
def clear_bitmap(mem, base):
    """Clear all 512 bits.

    Progress    wait-free
    """
    for k in range(BITMAP_WORDS):
        mem.bitmap[base + k] = 0


@kernel
def set_bit(mem, base, position):
    """Set bit `position` (0..511).

    Progress    wait-free
    """
    mem.bitmap[base + (position >> 6)] |= bit(position & 63)


@kernel
def clear_bit(mem, base, position):
    """Clear bit `position` (0..511).

    Progress    wait-free
    """
    mem.bitmap[base + (position >> 6)] &= ~bit(position & 63)


@kernel
def test_bit(mem, base, position):
    """Whether bit `position` (0..511) is set.

    Progress    wait-free
    """
    return mem.bitmap[base + (position >> 6)] & bit(position & 63) != 0


@kernel
def find_next_bit(mem, base, start):
    """The first set bit at `start` or above, or 512.

    Models      find_next_bit(), lib/find_bit.c
    Progress    wait-free
    """
    k = start >> 6
    if k >= BITMAP_WORDS:
        return BITMAP_WORDS * 64
    word = mem.bitmap[base + k] & ~(bit(start & 63) - 1) if start & 63 else mem.bitmap[base + k]
    while word == 0:
        k += 1
        if k == BITMAP_WORDS:
            return BITMAP_WORDS * 64
        word = mem.bitmap[base + k]
    return k * 64 + ctz(word)


@kernel
def bitmap_weight(mem, base):
    """How many bits are set.

    Models      bitmap_weight(), lib/bitmap.c
    Progress    wait-free
    """
    total = 0
    for k in range(BITMAP_WORDS):
        total += popcount(mem.bitmap[base + k])
    return total
