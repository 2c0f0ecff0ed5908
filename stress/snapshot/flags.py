"""The class of a frame by its /proc/kpageflags bits alone: one table, the first match wins.

Models      include/uapi/linux/kernel-page-flags.h; stable_page_flags(), fs/proc/page.c
Differs     flags do not have everything. Pins and short-lived references are not in them: no folio is taken to be pinned. Mlocked and
            unevictable folios move, as with vm.compact_unevictable_allowed = 1. Neither are a slab's objects, a page table's level and
            a balloon's driver. Frames without any flag are classified by their place: see settle_unflagged().
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: bits of a word of /proc/kpageflags
BITS = {
    "LOCKED": 0, "ERROR": 1, "REFERENCED": 2, "UPTODATE": 3, "DIRTY": 4, "LRU": 5, "ACTIVE": 6, "SLAB": 7, "WRITEBACK": 8, "RECLAIM": 9,
    "BUDDY": 10, "MMAP": 11, "ANON": 12, "SWAPCACHE": 13, "SWAPBACKED": 14, "COMPOUND_HEAD": 15, "COMPOUND_TAIL": 16, "HUGE": 17,
    "UNEVICTABLE": 18, "HWPOISON": 19, "NOPAGE": 20, "KSM": 21, "THP": 22, "OFFLINE": 23, "ZERO_PAGE": 24, "IDLE": 25, "PGTABLE": 26,
    "RESERVED": 32, "MLOCKED": 33,
}  # fmt: skip

Words = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FrameClass:
    """One row of the table: frames that have one of the flags in `any_of`; if `any_of` is empty, frames without any flag.

    becomes  the memdesc type of the frame in the model
    why      the reason, or what the model leaves out
    """

    name: str
    any_of: tuple[str, ...]
    becomes: str
    why: str


CLASSES: tuple[FrameClass, ...] = (
    FrameClass("free", ("BUDDY",), "buddy", "in a free block; its order follows from the frames around it"),
    FrameClass("hole", ("NOPAGE",), "misc.reserved", "no memory"),
    FrameClass("poisoned", ("HWPOISON",), "misc.reserved", "stays where it is, since it cannot be used"),
    FrameClass("reserved", ("RESERVED", "ZERO_PAGE"), "misc.reserved", "the firmware's, the kernel image's, the zero pages"),
    FrameClass(
        "offline", ("OFFLINE",), "misc.offline", "a balloon's, and moves; frames beyond the capacity of the model's balloons are reserved"
    ),
    FrameClass("page_table", ("PGTABLE",), "pagetable", "of any level; stays where it is, except with --move-page-tables"),
    FrameClass("hugetlb", ("HUGE",), "misc.kmalloc_large", "compaction skips it, in use or not"),
    FrameClass("slab", ("SLAB",), "slab", "one descriptor a frame, objects unknown"),
    FrameClass("anon", ("ANON", "KSM"), "anon", "a KSM page is one that several tasks map read-only; swap cache is not modelled"),
    FrameClass("file", ("LRU",), "file", "shmem too"),
    FrameClass(
        "kernel_block", ("COMPOUND_HEAD", "COMPOUND_TAIL"), "misc.kmalloc_large", "compound and not on an LRU: a driver's or kmalloc's"
    ),
    FrameClass("unflagged", (), "", "per-CPU lists or kernel memory"),
    FrameClass("kernel_mapped", tuple(BITS), "misc.unknown", "other flags: kernel memory that user space maps, or a frame in flight"),
)
NUMBER = {each.name: number for number, each in enumerate(CLASSES)}
#: the classes that unflagged frames are settled to
ON_PCP, KERNEL, MAPPED_SINCE = (len(CLASSES) + k for k in range(3))
#: names of all numbers that a settled frame can have
NAMES = (*(each.name for each in CLASSES), "on_pcp", "kernel", "mapped_since")
#: classes of memory that never moves
UNMOVABLE = ("page_table", "slab", "kernel_block")


def mask(*names: str) -> np.uint64:
    return np.uint64(sum(1 << BITS[name] for name in names))


def has(flags: Words, *names: str) -> Bools:
    """Which words have at least one of these bits."""
    found: Bools = flags & mask(*names) != 0
    return found


def classify(flags: Words) -> Ints:
    """The index in CLASSES of each frame's class."""
    values, inverse = np.unique(flags, return_inverse=True)
    classes = np.full(len(values), NUMBER["kernel_mapped"], np.int64)
    for number, each in reversed(list(enumerate(CLASSES))):
        if each.any_of and number != NUMBER["kernel_mapped"]:
            classes[has(values, *each.any_of)] = number
    classes[values == 0] = NUMBER["unflagged"]
    settled: Ints = classes[inverse.reshape(-1)]
    return settled


def blocks_by_use(classes: Ints, pageblock_order: int, nr_not_movable: int | None) -> Bools:
    """Which pageblocks are not of type Movable, estimated from flags.

    The type of a block is not in kpageflags. /proc/pagetypeinfo has the number of blocks of a zone that are not Movable. They are taken to
    be the blocks with the most memory that never moves, and after those the blocks without any flag: nothing in the latter is free or
    moves. Without pagetypeinfo it is every block with such memory.

    Parameters  nr_not_movable: how many blocks of the zone are not Movable; None: unknown
    """
    in_block = classes.reshape(-1, 1 << pageblock_order)
    used = np.isin(in_block, [NUMBER[name] for name in UNMOVABLE]).sum(axis=1)
    unflagged = (in_block == NUMBER["unflagged"]).sum(axis=1)
    used = 2 * used + (unflagged == 1 << pageblock_order)
    chosen = np.zeros(len(used), np.bool_)
    ranked = np.argsort(-used, kind="stable")
    chosen[ranked if nr_not_movable is None else ranked[:nr_not_movable]] = True
    chosen &= used > 0
    return chosen


def settle_unflagged(classes: Ints, counts: Ints, not_movable: Bools, pageblock_order: int, most_on_pcp: int) -> Ints:
    """Decide what each unflagged frame is.

    Some kernel memory has no flag, and neither has a free frame on a per-CPU list. A frame that is mapped by /proc/kpagecount, which is
    read a moment later, has become anonymous memory meanwhile. A frame in a pageblock that is not Movable, or in one without any flag,
    is kernel memory. Any other frame is free and on a per-CPU list, up to as many as Linux keeps there.

    Parameters  most_on_pcp: an eighth of the zone, MIN_PERCPU_PAGELIST_HIGH_FRACTION of mm/page_alloc.c
    """
    settled = classes.copy()
    unflagged = classes == NUMBER["unflagged"]
    by_block = unflagged.reshape(-1, 1 << pageblock_order).sum(axis=1)
    settled[unflagged] = np.where(
        np.repeat(not_movable | (by_block == 1 << pageblock_order), 1 << pageblock_order)[unflagged], KERNEL, ON_PCP
    )
    settled[unflagged & (counts > 0)] = MAPPED_SINCE
    excess = np.flatnonzero(settled == ON_PCP)[most_on_pcp:]
    settled[excess] = KERNEL
    return settled


def object_orders(flags: Words, classes: Ints, order_max: int) -> Ints:
    """The order of the object that begins at each frame; -1 where none begins.

    A compound page counts as frames of order 0 if its size is no power of two, or if it is not aligned, of mixed classes or larger than
    `order_max`: a recording is not of one instant.
    """
    nr_frames = len(flags)
    tail = has(flags, "COMPOUND_TAIL")
    heads = np.flatnonzero(has(flags, "COMPOUND_HEAD"))
    no_tail = np.append(np.flatnonzero(~tail), nr_frames)
    size = no_tail[np.searchsorted(no_tail, heads + 1)] - heads
    changes = np.concatenate(([0], np.cumsum(np.diff(classes) != 0)))
    regular = (size & (size - 1) == 0) & (heads & (size - 1) == 0) & (size <= 1 << order_max)
    regular &= changes[heads] == changes[np.minimum(heads + size, nr_frames) - 1]
    heads, size = heads[regular], size[regular]
    orders = np.zeros(nr_frames, np.int64)
    covered = np.zeros(nr_frames + 1, np.int64)
    np.add.at(covered, heads, 1)
    np.add.at(covered, heads + size, -1)
    orders[np.cumsum(covered)[:-1] > 0] = -1
    orders[heads] = np.log2(size).astype(np.int64)
    return orders


def free_blocks(free: Bools, not_movable: Bools, pageblock_order: int, order_max: int) -> tuple[Ints, Ints]:
    """The free blocks that the buddy would make of these frames: (first frames, orders), ascending.

    The buddy merges whenever it can, so these are the largest aligned blocks; above a pageblock only within one migratetype.
    """
    orders = np.full(len(free), -1, np.int64)
    left = free.copy()
    types = np.repeat(not_movable, 1 << pageblock_order)
    for order in range(order_max, -1, -1):
        whole = len(left) >> order << order
        pieces = left[:whole].reshape(-1, 1 << order)
        found = pieces.all(axis=1)
        if order > pageblock_order:
            kinds = types[:whole].reshape(-1, 1 << order)
            found &= kinds.all(axis=1) | ~kinds.any(axis=1)
        orders[np.flatnonzero(found) << order] = order
        pieces[found] = False
    first = np.flatnonzero(orders >= 0)
    return first, orders[first]


def free_from_heads(heads: Bools, unflagged: Bools, buddyinfo: list[int] | None, order_max: int) -> Bools:
    """The free frames of a recording in which only the first frame of a free block has BUDDY, as before Linux 6.10 or so.

    Alignment and the frames without flags after a head limit the size of its block. The sizes come from buddyinfo: the largest go to
    the heads with the highest limits.
    """
    at = np.flatnonzero(heads)
    stops = np.append(np.flatnonzero(~unflagged), len(heads))
    room = stops[np.searchsorted(stops, at + 1)] - at
    order = np.zeros(len(at), np.int64)
    for k in range(1, order_max + 1):
        order[(room >= 1 << k) & (at & (1 << k) - 1 == 0)] = k
    if buddyinfo is not None:
        counted = np.repeat(np.arange(len(buddyinfo)), buddyinfo)[::-1][: len(at)]
        ranked = np.argsort(-order, kind="stable")
        order[ranked] = np.minimum(order[ranked], np.pad(counted, (0, len(at) - len(counted))))
    covered = np.zeros(len(heads) + 1, np.int64)
    covered[at] += 1
    np.add.at(covered, at + (1 << order), -1)
    free: Bools = np.cumsum(covered)[:-1] > 0
    return free
