"""The buddy allocator of one zone with its free lists as sets of blocks: slow, obvious, no code shared with kernels/alloc/buddy.py.

Which of several equal blocks an allocation takes is the allocator's choice, so the oracle does not choose: its caller
reports what was taken (`allocated`), and it raises if that was not possible; `choices` lists what was. Everything else (merging,
splitting, migratetypes, counts) follows and is compared.
"""

from dataclasses import dataclass, field

from kernels.base.layout import MT_ISOLATE, MT_MOVABLE, MT_RECLAIMABLE, MT_UNMOVABLE, NR_ORDERS

#: the migratetypes that each one takes blocks of when it has none left, in this order
FALLBACKS = {
    MT_UNMOVABLE: (MT_RECLAIMABLE, MT_MOVABLE),
    MT_MOVABLE: (MT_RECLAIMABLE, MT_UNMOVABLE),
    MT_RECLAIMABLE: (MT_UNMOVABLE, MT_MOVABLE),
}


class OracleError(AssertionError):
    """An operation that is not possible."""


@dataclass
class Zone:
    """The frames [first_pfn, end_pfn): free blocks by first frame, and the migratetype of each pageblock."""

    first_pfn: int
    end_pfn: int
    pageblock_order: int
    free: dict[int, int] = field(default_factory=dict)  # first frame -> order
    migratetypes: dict[int, int] = field(default_factory=dict)  # pageblock -> migratetype
    saved: dict[int, int] = field(default_factory=dict)  # isolated pageblock -> its type before

    @classmethod
    def booted(cls, first_pfn: int, end_pfn: int, pageblock_order: int) -> "Zone":
        """All frames free, in the largest aligned blocks, all movable."""
        zone = cls(first_pfn, end_pfn, pageblock_order)
        zone.migratetypes = dict.fromkeys(range(first_pfn >> pageblock_order, end_pfn >> pageblock_order), MT_MOVABLE)
        pfn = first_pfn
        while pfn < end_pfn:
            order = max(o for o in range(NR_ORDERS) if pfn % 2**o == 0 and pfn + 2**o <= end_pfn)
            zone.free[pfn] = order
            pfn += 2**order
        return zone

    # -- state

    def migratetype(self, pfn: int) -> int:
        return self.migratetypes[pfn >> self.pageblock_order]

    def blocks(self, order: int, migratetype: int) -> set[int]:
        """The free list of an order and a migratetype, as a set."""
        return {pfn for pfn, each in self.free.items() if each == order and self.migratetype(pfn) == migratetype}

    def nr_free(self) -> int:
        """Free frames outside of isolated pageblocks."""
        return sum(2**order for pfn, order in self.free.items() if self.migratetype(pfn) != MT_ISOLATE)

    def nr_isolate_free(self) -> int:
        return sum(2**order for pfn, order in self.free.items() if self.migratetype(pfn) == MT_ISOLATE)

    def holding(self, pfn: int) -> int | None:
        """The first frame of the free block that holds a frame."""
        return next((head for head, order in self.free.items() if head <= pfn < head + 2**order), None)

    # -- allocation

    def choices(self, order: int, migratetype: int) -> set[int]:
        """First frames of the blocks of which an allocation may take one; empty: it must fail."""
        for high in range(order, NR_ORDERS):
            if blocks := self.blocks(high, migratetype):
                return blocks
        for high in reversed(range(order, NR_ORDERS)):
            for other in FALLBACKS[migratetype]:
                if blocks := self.blocks(high, other):
                    return blocks
        return set()

    def allocated(self, pfn: int, order: int, migratetype: int) -> None:
        """Note that the allocator gave out the 2^order frames at `pfn`: the first part of a block that it could choose.

        Raises      OracleError if it could not
        """
        if pfn not in self.choices(order, migratetype):
            raise OracleError(f"{pfn} order {order}: not one of {sorted(self.choices(order, migratetype))}")
        if self.migratetype(pfn) != migratetype:
            self._steal(pfn, migratetype)
        high = self.free.pop(pfn)
        while high > order:
            high -= 1
            self.free[pfn + 2**high] = high

    def _steal(self, pfn: int, migratetype: int) -> None:
        """A fallback may convert the pageblock; its free blocks change lists with it, since lists are derived here."""
        order = self.free[pfn]
        if order >= self.pageblock_order:
            self._convert(pfn, order, migratetype)
        elif order >= self.pageblock_order // 2 or migratetype != MT_MOVABLE:
            block = pfn >> self.pageblock_order
            free = sum(2**each for head, each in self.free.items() if head >> self.pageblock_order == block)
            if free >= 2**self.pageblock_order // 2:
                self.migratetypes[block] = migratetype

    def _convert(self, pfn: int, order: int, migratetype: int) -> None:
        for frame in range(pfn, pfn + 2**order, 2**self.pageblock_order):
            self.migratetypes[frame >> self.pageblock_order] = migratetype

    def capture(self, pfn: int, order: int) -> None:
        """Take one free block of exactly this order, as a free scanner does.

        Raises      OracleError if there is none
        """
        if self.free.pop(pfn, None) != order:
            raise OracleError(f"{pfn} is no free block of order {order}")

    # -- freeing

    def freed(self, pfn: int, order: int) -> None:
        """Give 2^order frames back.

        Raises      OracleError if one is free already, or the block is not aligned or outside
        """
        if pfn % 2**order or not self.first_pfn <= pfn <= self.end_pfn - 2**order:
            raise OracleError(f"{pfn} order {order}: not a block of this zone")
        if any(self.holding(frame) is not None for frame in range(pfn, pfn + 2**order)):
            raise OracleError(f"{pfn} order {order}: free already")
        if order > self.pageblock_order:  # its pageblocks may be of different types by now (split_large_buddy(), mm/page_alloc.c)
            for piece in range(pfn, pfn + 2**order, 2**self.pageblock_order):
                self._merge(piece, self.pageblock_order)
        else:
            self._merge(pfn, order)

    def _merge(self, pfn: int, order: int) -> None:
        migratetype = self.migratetype(pfn)
        while order < NR_ORDERS - 1 and self._merges(pfn ^ 2**order, order, migratetype):
            buddy = pfn ^ 2**order
            del self.free[buddy]
            if order >= self.pageblock_order:
                self._convert(buddy, order, migratetype)
            pfn = min(pfn, buddy)
            order += 1
        self.free[pfn] = order

    def _merges(self, buddy: int, order: int, migratetype: int) -> bool:
        """Whether `buddy` is a free block of the same order; a whole pageblock does not merge across an isolation."""
        if self.free.get(buddy) != order:
            return False
        return order < self.pageblock_order or (self.migratetype(buddy) == MT_ISOLATE) == (migratetype == MT_ISOLATE)

    # -- isolation

    def isolate(self, block: int) -> bool:
        """Isolate a pageblock; False if it is isolated already. A larger free block around it falls into pageblocks."""
        if block in self.saved:
            return False
        self.saved[block] = self.migratetypes[block]
        self._set_block(block, MT_ISOLATE)
        return True

    def unisolate(self, block: int) -> None:
        """Give a pageblock its type back; if it is free as a whole, it merges with what it was kept from."""
        self._set_block(block, self.saved.pop(block))
        first = block << self.pageblock_order
        if self.free.get(first) == self.pageblock_order:
            del self.free[first]
            self._merge(first, self.pageblock_order)

    def _set_block(self, block: int, migratetype: int) -> None:
        head = self.holding(block << self.pageblock_order)
        if head is not None and self.free[head] > self.pageblock_order:
            order = self.free.pop(head)
            for pfn in range(head, head + 2**order, 2**self.pageblock_order):
                self.free[pfn] = self.pageblock_order
        self.migratetypes[block] = migratetype

    # -- comparison

    def check(self) -> None:
        """Raise OracleError if the oracle contradicts itself: blocks that overlap, are not aligned, or mix migratetypes."""
        seen: set[int] = set()
        for pfn, order in self.free.items():
            frames = range(pfn, pfn + 2**order)
            if pfn % 2**order or not seen.isdisjoint(frames) or len({self.migratetype(frame) for frame in frames}) != 1:
                raise OracleError(f"{pfn} order {order}")
            seen.update(frames)
