"""The bitfield allocator at rest: bits, counts of pageblocks, counts of zones, trees and reservations agree.

Under allocator = buddy none of it is in use, and nothing is checked.

Checks      I17, I2, I16 (docs/invariants.md)
Linux       has no such allocator; Llfree::validate(), llfree-rs core/src/llfree.rs, compares its counts with a full scan
"""

import numpy as np

from kernels.base.layout import (
    BITFIELD_WORDS,
    CHUNK_COUNT_MASK,
    CHUNK_ISOLATED,
    MT_ISOLATE,
    NR_PCPTYPES,
    RESERVE_DELTA,
    RESERVE_STRIDE,
    T_BUDDY,
    TREE_KIND_MASK,
    TREE_OWNER_SHIFT,
)
from stress.checkers._report import Report, checking
from stress.checkers._view import Ints, View, tally, within


def _check(view: View, report: Report) -> None:
    if not view.has_bitfield:
        return
    stray = np.flatnonzero(view.word_type == T_BUDDY)
    report.add("frame has a Buddy word, which no frame has under this allocator", pfn=stray, word=view.wide("memdesc")[stray])
    _check_chunks(view, report)
    _check_zones(view, report)
    _check_trees(view, report)


def _check_chunks(view: View, report: Report) -> None:
    """A pageblock counts its clear bits; bits without a frame are set; its isolation is that of its migratetype."""
    shift, word = view.param("pageblock_order"), view.wide("chunk_word")
    clear = view.clear_bits.sum(axis=1)
    wrong = np.flatnonzero(word & CHUNK_COUNT_MASK != clear)
    report.add(
        "pageblock counts other than the clear bits",
        pfn=wrong << shift,
        counted=word[wrong] & CHUNK_COUNT_MASK,
        clear=clear[wrong],
    )
    isolated = view.wide("block_migratetype") == MT_ISOLATE
    wrong = np.flatnonzero((word & CHUNK_ISOLATED != 0) != isolated)
    report.add(
        "pageblock refuses claims and is not isolated, or is isolated and allows them",
        pfn=wrong << shift,
        invariant="I16",
        word=word[wrong],
    )
    unknown = np.flatnonzero(word & ~(CHUNK_COUNT_MASK | CHUNK_ISOLATED))
    report.add("pageblock's word has bits without a meaning", pfn=unknown << shift, word=word[unknown])
    bits = np.unpackbits(np.ascontiguousarray(view["bitfield"]).view(np.uint8).reshape(-1, BITFIELD_WORDS * 8), axis=1, bitorder="little")
    position = np.arange(bits.shape[1])
    exists = (position < 1 << shift) & ((np.arange(len(bits)) << shift)[:, None] + position < view.nr_frames)
    beyond = np.flatnonzero(((bits == 0) & ~exists).any(axis=1))
    report.add("bit without a frame is clear", pfn=beyond << shift, invariant="I2")


def _check_zones(view: View, report: Report) -> None:
    """zone_free, with what CPUs have not added yet, is the number of free frames that are not isolated."""
    nr_nodes = view.param("nr_nodes")
    pending = view.row("reserve_word", RESERVE_STRIDE)[:, RESERVE_DELTA].reshape(-1, nr_nodes).sum(axis=0)
    isolated = view.wide("block_migratetype")[view.free_heads >> view.param("pageblock_order")] == MT_ISOLATE
    nid = view.free_heads // view.param("frames_per_node")
    for name, chosen, more in (("zone_free", ~isolated, pending), ("zone_isolate_free", isolated, np.zeros_like(pending))):
        counted, found = view.wide(name) + more, tally(nid[chosen], nr_nodes)
        wrong = np.flatnonzero(counted != found)
        report.add(
            f"{name}, with what CPUs have not added, differs from the clear bits",
            node=wrong,
            counted=counted[wrong],
            found=found[wrong],
        )


def _check_trees(view: View, report: Report) -> None:
    """A tree's word names the one reservation that has taken its last frame there; a reservation without a tree has none."""
    word, slots = view.wide("tree_word"), view.wide("reserve_word")
    shift = view.param("pageblock_order") + view.param("tree_shift")
    owner, kind = (word >> TREE_OWNER_SHIFT) - 1, word & TREE_KIND_MASK
    bad = np.flatnonzero((kind >= NR_PCPTYPES) | (owner < -1) | (owner >= len(slots)))
    report.add("tree has an invalid migratetype, or is reserved by no CPU that exists", pfn=bad << shift, word=word[bad])
    held = np.flatnonzero((owner >= 0) & (owner < len(slots)))
    at, which = slots[owner[held]] - 1, owner[held] % RESERVE_STRIDE
    wrong = held[(which >= NR_PCPTYPES) | (which != kind[held]) | (at < 0) | (at >> shift != held)]
    report.add("tree is reserved by a CPU that takes its frames elsewhere", pfn=wrong << shift, word=word[wrong])
    _check_reservations(view, report, slots)


def _check_reservations(view: View, report: Report, slots: Ints) -> None:
    """What a reservation has taken last is a frame of its node."""
    number = np.flatnonzero((np.arange(len(slots)) % RESERVE_STRIDE < NR_PCPTYPES) & (slots != 0))
    pfn, nid = slots[number] - 1, number // RESERVE_STRIDE % view.param("nr_nodes")
    wrong = ~within(pfn, view.nr_frames) | (pfn // view.param("frames_per_node") != nid)
    report.add(
        "reservation names a frame of another node, or none that exists",
        pfn=pfn[wrong],
        cpus=number[wrong] // (RESERVE_STRIDE * view.param("nr_nodes")),
        node=nid[wrong],
    )


CHECKER = checking("bitfields", ("I17", "I2", "I16"), "bits, counts, trees and reservations of the bitfield allocator agree", _check)
