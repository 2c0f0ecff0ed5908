"""Each object of a zspage or slab is where its holder has it, with what the holder wrote; and each zspage or slab with free objects is
on its list.

Checks      I13, I1, I9 (docs/invariants.md)
Linux       zs_malloc(), zs_free(), zs_page_migrate(), fix_fullness_group(), mm/zsmalloc.c: pool, class and zspage lock; mm/slub.c
"""

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
    """The list that each zspage or slab belongs on; -1: none, since it is full."""
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
        return  # two frames point to one descriptor, which `uncounted` reports
    chains = read_chains(listed, view.wide("u_next"), view.wide("u_prev"), view.wide("u_head"), view.nr_udesc)
    for wrong, message in (
        (chains.astray | chains.torn | chains.ring, "list of zspages or slabs is broken: a link is wrong, not returned or circular"),
        (~chains.ring & (chains.list_of != wanted), "zspage or slab with free objects is not on its list"),
    ):
        report.add(message, where=wrong, pfn=pfn, invariant="I9", udesc=listed, list=chains.list_of, wanted=wanted)
    counted, found = view.wide("u_listed"), np.bincount(wanted[wanted < len(view["u_listed"])], minlength=len(view["u_listed"]))
    wrong = np.flatnonzero(counted != found[: len(counted)])
    report.add(
        "u_listed differs from the number of zspages or slabs with free objects",
        invariant="I9",
        list=wrong,
        counted=counted[wrong],
        found=found[wrong],
    )


def _words(view: View, obj: Ints, object_words: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Header, owner, version and mirror of objects; -1 if the object's place does not exist."""
    contents, base = view.wide("contents"), (obj >> OBJ_SHIFT) * view.param("words_per_frame") + (obj & OBJ_MASK) * object_words
    base = np.where(obj >= 0, base, -1)
    last = np.where(obj >= 0, base + object_words - 1, -1)
    return lookup(contents, base), lookup(contents, base + 1), lookup(contents, base + 2), lookup(contents, last)


def _check_handles(view: View, report: Report) -> None:
    handle = np.flatnonzero(view["zs_obj"] != 0)
    obj, which = view.at("zs_obj", handle) - 1, view.at("zs_class", handle)
    object_words = np.maximum(OBJECT_WORDS, view.param("words_per_frame") >> 1 + which % NR_ZS_CLASSES)
    udesc = lookup(view.word_udesc, obj >> OBJ_SHIFT)
    astray = (lookup(view.word_type, obj >> OBJ_SHIFT) != T_MOVABLE) | (lookup(view.wide("u_owner"), udesc) != which)
    report.add("handle does not point to a zspage of its class", pfn=obj[astray] >> OBJ_SHIFT, handle=handle[astray], udesc=udesc[astray])
    header, owner, version, mirror = _words(view, obj, object_words)
    wanted = view.at("zs_version", handle)
    wrong = ~astray & ((header != handle + 1 << 1 | 1) | (owner != ZS_STAMP | handle))
    report.add(
        "object has another handle's header or stamp",
        pfn=obj[wrong] >> OBJ_SHIFT,
        handle=handle[wrong],
        header=header[wrong],
        owner=owner[wrong],
    )
    wrong = ~astray & ~wrong & ((version != wanted) | (mirror != wanted))
    report.add(
        "object's version or mirror differs from the last write through its handle",
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
        "slab object differs from what its holder wrote",
        pfn=obj[wrong] >> OBJ_SHIFT,
        cpus=cpu[wrong],
        place=view.slab_objects.at[wrong] % SLAB_HELD,
        header=header[wrong],
        owner=owner[wrong],
        version=version[wrong],
    )


def _check_frames(view: View, report: Report) -> None:
    """The objects in use that a frame's descriptor counts are as many as handles or holders have in it."""
    for kind, held, message in (
        (
            T_MOVABLE,
            view.wide("zs_obj")[view.wide("zs_obj") > 0] - 1,
            "zspage's count of objects differs from the number of handles that point to it",
        ),
        (T_SLAB, view.slab_objects.value, "slab's count of objects differs from the number of objects held"),
    ):
        pfn = np.flatnonzero((view.word_type == kind) & (view.word_udesc >= 0))
        at = held[(held >> OBJ_SHIFT >= 0) & (held >> OBJ_SHIFT < view.nr_frames)] >> OBJ_SHIFT
        holders = np.bincount(at, minlength=view.nr_frames)[pfn].astype(np.int64)
        inuse = view.wide("u_inuse")[view.word_udesc[pfn]]
        wrong = holders != inuse
        report.add(message, pfn=pfn[wrong], invariant="I1", udesc=view.word_udesc[pfn[wrong]], inuse=inuse[wrong], held=holders[wrong])


CHECKER = checking(
    "objects", ("I13", "I1", "I9"), "objects of zspages and slabs have one holder and its last write, and their frames are listed", _check
)
