"""A machine at rest, decoded once: words, page tables and inventories as plain int64 arrays that all checkers share.

The machine may be damaged in any way: an index out of range becomes -1, and a count is clipped to its capacity (checker `bounds`
reports it), so that decoding never raises.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kernels.base.layout import (
    ALLOCATOR_BITFIELD,
    BITFIELD_WORDS,
    BUDDY_ORDER_MASK,
    BUDDY_ORDER_SHIFT,
    CC_CAPACITY,
    DESC_CACHE,
    DESC_SHIFT,
    FL_HUGETLB,
    FL_OFFLINE,
    FROZEN,
    HELD_CAPACITY,
    HUGE_HELD,
    HUGE_POOL,
    LRU_BATCH,
    NET_CACHE,
    NONE_WORD,
    NR_ORDERS,
    NR_PCPTYPES,
    OFFLINE_ZERO,
    ORDER_MASK,
    ORDER_SHIFT,
    PARAM,
    PCP_LISTS,
    PCP_STRIDE,
    PIN_CAPACITY,
    POISONED,
    PTE_PFN_SHIFT,
    PTE_PRESENT,
    REFCOUNT_FROZEN_BIT,
    SIBLING_BIT,
    SLAB_HELD,
    STAMP_OWNER,
    STAMP_VERSION,
    SUBTYPE_MASK,
    SUBTYPE_SHIFT,
    T_ANON,
    T_BUDDY,
    T_COUNTED,
    T_FILE,
    T_HWPOISON,
    T_KSM,
    T_MISC,
    T_MOVABLE,
    T_NETPOOL,
    T_PAGETABLE,
    T_PERCPU,
    T_SLAB,
    TAIL_BIT,
    TYPE_MASK,
)
from stress.checkers._header import header_complaints

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_LEADS_TO_DESC = np.isin(np.arange(TYPE_MASK + 1), (T_FILE, T_ANON, T_KSM, T_COUNTED))
_LEADS_TO_UDESC = np.isin(np.arange(TYPE_MASK + 1), (T_MOVABLE, T_PAGETABLE, T_SLAB, T_NETPOOL))
_INLINE = np.isin(np.arange(TYPE_MASK + 1), (T_PERCPU, T_HWPOISON))
#: words per CPU of lru_batch and of cc_count
LRU_STRIDE = CC_STRIDE = 16


class Entries(NamedTuple):
    """The entries of a set of stacks: the stack of each entry, its place in the array, its value."""

    owner: Ints
    at: Ints
    value: Ints


def within(values: Ints, size: int) -> Bools:
    """Which values are valid indices of an array of `size` elements."""
    found: Bools = (values >= 0) & (values < size)
    return found


def lookup(table: Ints, index: Ints, default: int = -1) -> Ints:
    """table[index], `default` where the index is out of range."""
    found = np.full(index.shape, default, np.int64)
    valid = within(index, len(table))
    found[valid] = table[index[valid]]
    return found


def tally(values: Ints, size: int) -> Ints:
    """How often each index below `size` occurs; values out of range are left out."""
    return np.bincount(values[within(values, size)], minlength=size).astype(np.int64)


def order_size(order: Ints) -> Ints:
    """The frames of a block of an order; an order out of range is clipped."""
    return np.left_shift(1, np.clip(order, 0, NR_ORDERS - 1))


class View(dict[str, npt.NDArray[Any]]):
    """The arrays of a machine, decoded on first use. Each check makes a new view."""

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        super().__init__(arrays)
        self._wide: dict[str, Ints] = {}
        self.complaints = header_complaints(arrays)

    def param(self, name: str) -> int:
        return int(self["header"][PARAM[name]])

    def wide(self, name: str) -> Ints:
        """A field as contiguous int64, so that shifts and masks do not depend on its type."""
        if name not in self._wide:
            self._wide[name] = np.ascontiguousarray(self[name], dtype=np.int64)
        return self._wide[name]

    def at(self, name: str, index: Ints) -> Ints:
        """Some elements of a field: of what each CPU has room for, few are in use, and a thousand CPUs have room for millions."""
        found: Ints = self[name][index].astype(np.int64)
        return found

    def row(self, name: str, width: int) -> Ints:
        """A field with `width` elements per CPU (or node), as a table."""
        return self.wide(name).reshape(-1, width)

    def _entries(self, name: str, counts: Ints, capacity: int, stride: int) -> Entries:
        counts = np.clip(counts, 0, capacity)
        owner = np.repeat(np.arange(len(counts)), counts)
        at = owner * stride + np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        return Entries(owner, at, self.at(name, at))

    # -- frames

    @cached_property
    def nr_frames(self) -> int:
        return len(self["memdesc"])

    @cached_property
    def nr_desc(self) -> int:
        return len(self["refcount"])

    @cached_property
    def word_type(self) -> Ints:
        return self.wide("memdesc") & TYPE_MASK

    @cached_property
    def word_desc(self) -> Ints:
        """The descriptor that each frame's word points to; -1: none, or one that does not exist."""
        desc = self.wide("memdesc") >> DESC_SHIFT
        return np.where(_LEADS_TO_DESC[self.word_type] & within(desc, self.nr_desc), desc, -1)

    @cached_property
    def leads_to_desc(self) -> Bools:
        """Frames with a word of a type that has descriptors, even if the word points to none that exists."""
        found: Bools = _LEADS_TO_DESC[self.word_type]
        return found

    @cached_property
    def nr_udesc(self) -> int:
        return len(self["u_word"])

    @cached_property
    def leads_to_udesc(self) -> Bools:
        """Frames with a word of a type that has descriptors without a count."""
        found: Bools = _LEADS_TO_UDESC[self.word_type]
        return found

    @cached_property
    def word_udesc(self) -> Ints:
        """The descriptor without a count that each frame's word points to; -1: none, or one that does not exist."""
        udesc = self.wide("memdesc") >> DESC_SHIFT
        return np.where(self.leads_to_udesc & within(udesc, self.nr_udesc), udesc, -1)

    @cached_property
    def owned(self) -> Bools:
        """Frames with a word that names an owner."""
        found: Bools = self.leads_to_desc | self.leads_to_udesc | self.is_misc | _INLINE[self.word_type]
        return found

    @cached_property
    def frames_named(self) -> Ints:
        """How many words point to each descriptor."""
        return tally(self.word_desc, self.nr_desc)

    @cached_property
    def live(self) -> Bools:
        """Descriptors in use: at least one word points to them."""
        found: Bools = self.frames_named > 0
        return found

    @property
    def frozen_count(self) -> int:
        """The refcount of a free or frozen descriptor, under either policy."""
        return FROZEN if self.param("policy_refcount") == REFCOUNT_FROZEN_BIT else 0

    @cached_property
    def in_balloon(self) -> Bools:
        """Descriptors of balloon pages; with policy offline = none there are none."""
        found: Bools = self.live & (self.wide("folio_type") == T_COUNTED) & (self.wide("flags") & FL_OFFLINE != 0)
        return found

    @cached_property
    def balloon_zero(self) -> Bools:
        """Descriptors with a refcount that stays frozen as long as they are in use."""
        return self.in_balloon & (self.param("policy_offline") == OFFLINE_ZERO)

    @property
    def has_bitfield(self) -> bool:
        """Whether bits say which frames are free, not Buddy words."""
        return self.param("policy_allocator") == ALLOCATOR_BITFIELD

    @cached_property
    def clear_bits(self) -> Bools:
        """By pageblock and position, the clear bits of its words, as far as it has frames."""
        words = np.ascontiguousarray(self["bitfield"]).view(np.uint8).reshape(-1, BITFIELD_WORDS * 8)
        bits = np.unpackbits(words, axis=1, bitorder="little")
        found: Bools = bits[:, : 1 << self.param("pageblock_order")] == 0
        return found

    @cached_property
    def free_heads(self) -> Ints:
        """The first frames of free blocks: frames with a Buddy word; or with a clear bit, each a block of its own."""
        if self.has_bitfield:
            return np.flatnonzero(self.clear_bits.reshape(-1)[: self.nr_frames])
        return np.flatnonzero(self.word_type == T_BUDDY)

    @cached_property
    def free_orders(self) -> Ints:
        if self.has_bitfield:
            return np.zeros(len(self.free_heads), np.int64)
        return self.wide("memdesc")[self.free_heads] >> BUDDY_ORDER_SHIFT & BUDDY_ORDER_MASK

    @cached_property
    def is_misc(self) -> Bools:
        """Frames with a Misc word that names their owner."""
        found: Bools = (self.word_type == T_MISC) & (self.wide("memdesc") != NONE_WORD)
        return found

    @cached_property
    def misc_heads(self) -> Ints:
        return np.flatnonzero(self.is_misc & (self.wide("memdesc") & TAIL_BIT == 0))

    @cached_property
    def subtype(self) -> Ints:
        return self.wide("memdesc") >> SUBTYPE_SHIFT & SUBTYPE_MASK

    @cached_property
    def misc_order(self) -> Ints:
        return self.wide("memdesc") >> ORDER_SHIFT & ORDER_MASK

    def coverage(self, first: Ints, nr_frames: Ints) -> Ints:
        """How many of the ranges [first, first + nr_frames) contain each frame."""
        valid = within(first, self.nr_frames)
        begin = tally(first[valid], self.nr_frames + 1)
        end = tally(np.minimum(first[valid] + nr_frames[valid], self.nr_frames), self.nr_frames + 1)
        return np.cumsum(begin - end)[:-1]

    # -- page tables and page cache

    @cached_property
    def mapped(self) -> Ints:
        """Places in `pte` of present entries that map a frame that exists."""
        pte = self.wide("pte")
        return np.flatnonzero((pte & PTE_PRESENT != 0) & within(pte >> PTE_PFN_SHIFT, self.nr_frames))

    @cached_property
    def mapped_pfn(self) -> Ints:
        return self.wide("pte")[self.mapped] >> PTE_PFN_SHIFT

    @cached_property
    def mapped_desc(self) -> Ints:
        return self.word_desc[self.mapped_pfn]

    @cached_property
    def cache_desc(self) -> Ints:
        """The descriptor that each page-cache slot points to, through its head if it is a sibling; -1: none."""
        entry = self.wide("cache")
        file_pages = self.param("file_pages")
        slot = np.arange(len(entry))
        sibling = entry & SIBLING_BIT != 0
        head = np.where(sibling & within(entry >> 1, file_pages), slot // file_pages * file_pages + (entry >> 1), slot)
        at_head = entry[head]
        desc = np.where((at_head & SIBLING_BIT == 0) & (at_head != 0), (at_head >> 1) - 1, -1)
        return np.where(within(desc, self.nr_desc), desc, -1)

    # -- contents; length 0 if the machine was saved without them

    def stamp(self, word: int) -> Ints:
        """One word of each frame's contents; -1 is the last, which mirrors the version."""
        table = self["contents"].reshape(-1, self.param("words_per_frame"))
        return np.ascontiguousarray(table[:, word])

    @cached_property
    def has_contents(self) -> bool:
        return len(self["contents"]) > 0

    @cached_property
    def owner(self) -> Ints:
        return self.stamp(STAMP_OWNER)

    @cached_property
    def version(self) -> Ints:
        return self.stamp(STAMP_VERSION)

    @cached_property
    def mirror(self) -> Ints:
        return self.stamp(-1)

    # -- inventories

    @cached_property
    def pcp(self) -> Entries:
        """Blocks on per-CPU lists; owner: (cpu * nodes + node) * PCP_LISTS + list."""
        counts = self.row("pcp_nr", PCP_STRIDE)[:, :PCP_LISTS].reshape(-1)
        capacity = self.param("pcp_capacity")
        return self._entries("pcp_frames", counts, capacity, capacity)

    @cached_property
    def pcp_order(self) -> Ints:
        return self.pcp.owner % PCP_LISTS // NR_PCPTYPES

    @cached_property
    def pcp_cpu(self) -> Ints:
        return self.pcp.owner // (PCP_LISTS * self.param("nr_nodes"))

    @cached_property
    def captured(self) -> Entries:
        """Blocks on the stacks of free scanners; owner: cpu * NR_ORDERS + order."""
        counts = self.row("cc_count", CC_STRIDE)[:, :NR_ORDERS].reshape(-1)
        return self._entries("cc_frames", counts, CC_CAPACITY, CC_CAPACITY)

    @cached_property
    def contig(self) -> Entries:
        """Pageblocks of the contiguous ranges that CPUs hold; owner: cpu, value: the first frame."""
        shift = self.param("pageblock_order")
        counts = np.clip(self.wide("contig_held"), 0, self.nr_frames >> shift)
        owner = np.repeat(np.arange(len(counts)), counts)
        number = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        first = self.wide("contig_first")[owner] - 1
        return Entries(owner, number, np.where(within(first, self.nr_frames), first, -1) + (number << shift))

    @cached_property
    def held(self) -> Entries:
        """Allocations that the role `kernel` holds; owner: cpu."""
        return self._entries("held_pfn", self.wide("held_count"), HELD_CAPACITY, HELD_CAPACITY)

    @cached_property
    def slab_objects(self) -> Entries:
        """Objects that the role `slab` holds; owner: cpu."""
        return self._entries("slab_obj", self.wide("slab_count"), SLAB_HELD, SLAB_HELD)

    @cached_property
    def recycled(self) -> Entries:
        """Frames in the caches of page pools; owner: cpu."""
        return self._entries("net_frame", self.wide("net_cached"), NET_CACHE, NET_CACHE)

    @cached_property
    def hugetlb(self) -> Bools:
        """Descriptors of hugetlb folios, held or in the pool."""
        found: Bools = self.live & (self.wide("flags") & FL_HUGETLB != 0)
        return found

    @cached_property
    def huge_pool(self) -> Entries:
        """Free hugetlb folios; owner: node."""
        return self._entries("huge_desc", self.wide("huge_free"), HUGE_POOL, HUGE_POOL)

    @cached_property
    def huge_held(self) -> Entries:
        """Hugetlb folios that the role `hugetlb` holds; owner: cpu."""
        return self._entries("huge_held", self.wide("huge_count"), HUGE_HELD, HUGE_HELD)

    @cached_property
    def poisoned(self) -> Entries:
        """Frames that the role `hwpoison` has poisoned; owner: cpu."""
        return self._entries("poison_pfn", self.wide("poison_count"), POISONED, POISONED)

    @cached_property
    def balloon(self) -> Entries:
        return self._entries("balloon_pfn", self.wide("balloon_pages"), HELD_CAPACITY, HELD_CAPACITY)

    @cached_property
    def pins(self) -> Entries:
        return self._entries("pin_desc", self.wide("pin_count"), PIN_CAPACITY, PIN_CAPACITY)

    @cached_property
    def batch(self) -> Entries:
        return self._entries("lru_batch", self.wide("lru_batched"), LRU_BATCH, LRU_STRIDE)

    @cached_property
    def cached_descs(self) -> Entries:
        return self._entries("desc_cache", self.wide("desc_cached"), DESC_CACHE, DESC_CACHE)

    @cached_property
    def pooled_descs(self) -> Ints:
        top = int(np.clip(self["desc_top"][0], 0, self.nr_desc))
        return self.wide("desc_stack")[:top]
