"""Objects of zspages and slabs: what holders believe to have is there, with what they wrote, and each frame is on its list."""

import numpy as np

from kernels.base.layout import (
    NR_ULISTS,
    NR_ZS_CLASSES,
    OBJ_MASK,
    OBJ_SHIFT,
    OBJECT_WORDS,
    SLAB_HELD,
    SLAB_OBJECTS,
    T_MOVABLE,
    T_SLAB,
    UL_SLAB_EMPTY,
    UL_SLAB_PARTIAL,
)
from stress.checkers._lists import read_chains
from stress.checkers._report import Report, checking
from stress.checkers._view import Ints, View, lookup

ZS_STAMP, SLAB_STAMP = 1 << 59, 1 << 57  # | handle, | CPU


def _check(view: View, report: Report) -> None:
    _check_lists(view, report)
    if view.has_contents:
        _check_handles(view, report)
        _check_slab_objects(view, report)
        _check_frames(view, report)


def _owner_list(view: View, pfn: Ints) -> Ints:
    """The list that each zspage or slab belongs on; -1: none, it is full."""
    udesc = view.word_udesc[pfn]
    owner, inuse, free = (view.wide(name)[udesc] for name in ("u_owner", "u_inuse", "u_free"))
    zs = owner // NR_ZS_CLASSES * NR_ULISTS + owner % NR_ZS_CLASSES
    slab = owner * NR_ULISTS + np.where(inuse == 0, UL_SLAB_EMPTY, UL_SLAB_PARTIAL)
    return np.where(free == 0, -1, np.where(view.word_type[pfn] == T_MOVABLE, zs, slab))


def _check_lists(view: View, report: Report) -> None:
    pfn = np.flatnonzero((view.word_udesc >= 0) & np.isin(view.word_type, (T_MOVABLE, T_SLAB)))
    wanted = _owner_list(view, pfn)
    listed, pfn, wanted = view.word_udesc[pfn[wanted >= 0]], pfn[wanted >= 0], wanted[wanted >= 0]
    if len(np.unique(listed)) < len(listed):
        return  # two frames of one descriptor, which `uncounted` reports
    chains = read_chains(listed, view.wide("u_next"), view.wide("u_prev"), view.wide("u_head"), view.nr_udesc)
    for wrong, message in (
        (chains.astray | chains.torn | chains.ring, "list of zspages or slabs is torn"),
        (~chains.ring & (chains.list_of != wanted), "zspage or slab with room is not on its list"),
    ):
        report.add(message, where=wrong, pfn=pfn, invariant="I9", udesc=listed, list=chains.list_of, wanted=wanted)
    counted, found = view.wide("u_listed"), np.bincount(wanted[wanted < len(view["u_listed"])], minlength=len(view["u_listed"]))
    wrong = np.flatnonzero(counted != found[: len(counted)])
    report.add("list has another length than it counts", invariant="I9", list=wrong, counted=counted[wrong], found=found[wrong])


def _words(view: View, obj: Ints, object_words: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Header, owner, version and mirror of objects; -1 where there is no such place."""
    contents, base = view.wide("contents"), (obj >> OBJ_SHIFT) * view.param("words_per_frame") + (obj & OBJ_MASK) * object_words
    base = np.where(obj >= 0, base, -1)
    last = np.where(obj >= 0, base + object_words - 1, -1)
    return lookup(contents, base), lookup(contents, base + 1), lookup(contents, base + 2), lookup(contents, last)


def _check_handles(view: View, report: Report) -> None:
    handle = np.flatnonzero(view.wide("zs_obj") != 0)
    obj, which = view.wide("zs_obj")[handle] - 1, view.wide("zs_class")[handle]
    object_words = np.maximum(OBJECT_WORDS, view.param("words_per_frame") >> 1 + which % NR_ZS_CLASSES)
    udesc = lookup(view.word_udesc, obj >> OBJ_SHIFT)
    astray = (lookup(view.word_type, obj >> OBJ_SHIFT) != T_MOVABLE) | (lookup(view.wide("u_owner"), udesc) != which)
    report.add("handle leads to no zspage of its class", pfn=obj[astray] >> OBJ_SHIFT, handle=handle[astray], udesc=udesc[astray])
    header, owner, version, mirror = _words(view, obj, object_words)
    wanted = view.wide("zs_version")[handle]
    wrong = ~astray & ((header != handle + 1 << 1 | 1) | (owner != ZS_STAMP | handle))
    report.add(
        "handle's object is somebody else's", pfn=obj[wrong] >> OBJ_SHIFT, handle=handle[wrong], header=header[wrong], owner=owner[wrong]
    )
    wrong = ~astray & ~wrong & ((version != wanted) | (mirror != wanted))
    report.add(
        "object has not what was written through its handle",
        pfn=obj[wrong] >> OBJ_SHIFT,
        handle=handle[wrong],
        version=version[wrong],
        mirror=mirror[wrong],
        written=wanted[wrong],
    )


def _slab_words(view: View) -> int:
    return max(OBJECT_WORDS, view.param("words_per_frame") // SLAB_OBJECTS)


def _check_slab_objects(view: View, report: Report) -> None:
    obj, cpu = view.slab_objects.value, view.slab_objects.owner
    header, owner, version, mirror = _words(view, obj, np.full(len(obj), _slab_words(view)))
    wrong = (lookup(view.word_type, obj >> OBJ_SHIFT) != T_SLAB) | (header != cpu + 1 << 1 | 1)
    wrong |= (owner != SLAB_STAMP | cpu) | (version != obj) | (mirror != obj)
    report.add(
        "slab object is not what its holder left there",
        pfn=obj[wrong] >> OBJ_SHIFT,
        cpus=cpu[wrong],
        place=view.slab_objects.at[wrong] % SLAB_HELD,
        header=header[wrong],
        owner=owner[wrong],
        version=version[wrong],
    )


def _check_frames(view: View, report: Report) -> None:
    """Each frame has as many objects in use as its descriptor counts, and as somebody holds."""
    for kind, held, message in (
        (T_MOVABLE, view.wide("zs_obj")[view.wide("zs_obj") > 0] - 1, "zspage has other objects in use than handles lead to"),
        (T_SLAB, view.slab_objects.value, "slab has other objects in use than are held"),
    ):
        pfn = np.flatnonzero((view.word_type == kind) & (view.word_udesc >= 0))
        at = held[(held >> OBJ_SHIFT >= 0) & (held >> OBJ_SHIFT < view.nr_frames)] >> OBJ_SHIFT
        holders = np.bincount(at, minlength=view.nr_frames)[pfn].astype(np.int64)
        inuse = view.wide("u_inuse")[view.word_udesc[pfn]]
        wrong = holders != inuse
        report.add(message, pfn=pfn[wrong], invariant="I1", udesc=view.word_udesc[pfn[wrong]], inuse=inuse[wrong], held=holders[wrong])


CHECKER = checking(
    "objects", ("I13", "I1", "I9"), "zspages and slabs: objects are held, have what was written, and frames are on their lists", _check
)
