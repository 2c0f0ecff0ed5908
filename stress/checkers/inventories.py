"""The inventories of roles and the memdesc words agree: kernel allocations, contiguous ranges, balloons, and the allocations of a trace.

Checks      I1, I2 (docs/invariants.md)
Linux       balloon_page_dequeue(), mm/balloon.c: BUG() when balloon pages are lost; for other owners no statement
"""

import numpy as np

from kernels.base.layout import (
    HELD_CAPACITY,
    M_KMALLOC_LARGE,
    M_NOT_ONLINE,
    M_OFFLINE,
    M_RESERVED,
    M_UNKNOWN,
    M_VMALLOC,
    OFFLINE_NONE,
    OWNER_MASK,
    OWNER_SHIFT,
    T_COUNTED,
    T_PERCPU,
    TAIL_BIT,
    TYPE_MASK,
)
from stress.checkers._report import Report, checking
from stress.checkers._view import Bools, Ints, View, lookup, tally, within
from stress.checkers.conservation import COUNTED

HELD_SUBTYPES = (M_KMALLOC_LARGE, M_UNKNOWN, M_VMALLOC)
PERCPU = 4  # of held_kind


def _check(view: View, report: Report) -> None:
    kind = view.at("held_kind", view.held.at)
    _check_held_frames(view, report, kind)
    _check_contig(view, report)
    _check_counted(view, report, kind)
    _check_balloons(view, report)
    _check_reserved(view, report)


def _check_reserved(view: View, report: Report) -> None:
    """Exactly the first frames of each node are reserved; a recorded machine has them anywhere, but as many."""
    reserved = view.is_misc & (view.subtype == M_RESERVED)
    anywhere = view.param("reserved_anywhere")
    if anywhere:
        found = np.array([np.count_nonzero(reserved)])
        report.add("number of reserved frames differs from the recorded number", found=found[found != anywhere])
        return
    here = np.arange(view.nr_frames) % view.param("frames_per_node") < view.param("reserved_frames")
    wrong = np.flatnonzero(here != reserved)
    report.add("frame that boot reserved is not Reserved, or another frame is", pfn=wrong, word=view.wide("memdesc")[wrong])


def _head(view: View, pfn: Ints, subtypes: tuple[int, ...]) -> Bools:
    """Whether each pfn is the head of a block of one of these subtypes."""
    here = np.where(within(pfn, view.nr_frames), pfn, 0)
    tail = view.wide("memdesc")[here] & TAIL_BIT != 0
    found: Bools = within(pfn, view.nr_frames) & view.is_misc[here] & ~tail & np.isin(view.subtype[here], subtypes)
    return found


def _check_held_frames(view: View, report: Report, kind: Ints) -> None:
    plain = kind != COUNTED
    pfn, cpu = view.held.value[plain], view.held.owner[plain]
    order = view.at("held_order", view.held.at[plain])
    word = lookup(view.wide("memdesc"), pfn)
    percpu = kind[plain] == PERCPU
    wrong = np.where(percpu, word != T_PERCPU, ~_head(view, pfn, HELD_SUBTYPES) | (lookup(view.misc_order, pfn) != order))
    report.add("memdesc word of a held block does not match its kind or order", where=wrong, pfn=pfn, cpus=cpu, word=word, order=order)
    replayed = view.wide("ev_pfn")
    replayed = replayed[replayed >= 0]
    wrong = ~_head(view, replayed, (M_KMALLOC_LARGE, M_UNKNOWN))
    report.add(
        "memdesc word of a replayed allocation is not an allocation's",
        pfn=replayed[wrong],
        word=lookup(view.wide("memdesc"), replayed[wrong]),
    )
    held = tally(np.concatenate((pfn, replayed, view.contig.value)), view.nr_frames)
    twice = np.flatnonzero(held > 1)
    report.add("block is in inventories twice", pfn=twice, invariant="I2", word=view.wide("memdesc")[twice])
    heads = view.misc_heads[~np.isin(view.subtype[view.misc_heads], (M_OFFLINE, M_RESERVED, M_NOT_ONLINE))]
    heads = np.concatenate((heads, np.flatnonzero(view.word_type == T_PERCPU)))
    orphan = heads[held[heads] == 0]
    report.add("allocated block is in no inventory", pfn=orphan, word=view.wide("memdesc")[orphan])


def _check_contig(view: View, report: Report) -> None:
    """Each pageblock of a contiguous range is a block with its own head word."""
    pfn = view.contig.value
    wrong = ~_head(view, pfn, (M_UNKNOWN,)) | (lookup(view.misc_order, pfn) != view.param("pageblock_order"))
    report.add(
        "memdesc word of a held contiguous range's pageblock is not that of a block of its order",
        pfn=pfn[wrong],
        cpus=view.contig.owner[wrong],
        word=lookup(view.wide("memdesc"), pfn[wrong]),
    )


def _check_counted(view: View, report: Report, kind: Ints) -> None:
    desc, cpu = view.held.value[kind == COUNTED], view.held.owner[kind == COUNTED]
    counted = view.live & (view.wide("folio_type") == T_COUNTED) & ~view.in_balloon & ~view.hugetlb
    wrong = ~within(desc, view.nr_desc)
    wrong[~wrong] = ~counted[desc[~wrong]]
    pfn = lookup(view.wide("folio_pfn"), desc)
    report.add("inventory has a descriptor that is not a counted allocation", where=wrong, pfn=pfn, cpus=cpu, desc=desc)
    held = tally(desc, view.nr_desc)
    twice = np.flatnonzero(held > 1)
    report.add("counted allocation is in inventories twice", pfn=view.wide("folio_pfn")[twice], invariant="I2", desc=twice)
    orphan = np.flatnonzero(counted & (held == 0))
    report.add("counted allocation is in no inventory", pfn=view.wide("folio_pfn")[orphan], desc=orphan)


def _check_balloons(view: View, report: Report) -> None:
    pfn, balloon = view.balloon.value, view.balloon.owner
    word = lookup(view.wide("memdesc"), pfn)
    if view.param("policy_offline") == OFFLINE_NONE:
        wrong = ~_head(view, pfn, (M_OFFLINE,)) | (word >> OWNER_SHIFT & OWNER_MASK != balloon)
    else:
        desc = np.maximum(lookup(view.word_desc, pfn), 0)
        wrong = (word & TYPE_MASK != T_COUNTED) | ~view.in_balloon[desc] | (view.wide("cpupid")[desc] != balloon)
    report.add("block in a balloon's inventory is not Offline, or is another balloon's", where=wrong, pfn=pfn, cpus=balloon, word=word)
    place = view.balloon.at % HELD_CAPACITY
    believed = lookup(view.wide("frame_next"), pfn)
    astray = ~wrong & (believed != place)
    report.add(
        "frame_next of a balloon's block differs from its place in the inventory",
        where=astray,
        pfn=pfn,
        cpus=balloon,
        place=place,
        believed=believed,
    )
    held = tally(pfn, view.nr_frames)
    twice = np.flatnonzero(held > 1)
    report.add("block is in balloons' inventories twice", pfn=twice, invariant="I2", word=view.wide("memdesc")[twice])
    heads = view.misc_heads[view.subtype[view.misc_heads] == M_OFFLINE]
    heads = np.concatenate((heads, view.wide("folio_pfn")[view.in_balloon]))
    orphan = heads[held[heads] == 0]
    report.add("Offline block is in no balloon's inventory", pfn=orphan, word=view.wide("memdesc")[orphan])


CHECKER = checking("inventories", ("I1", "I2"), "memdesc words and the roles' inventories name the same owner for each block", _check)
