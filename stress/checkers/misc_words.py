"""Blocks without a descriptor are described by their memdesc words alone: a head, and tails that agree with it.

Checks      I6 (docs/invariants.md)
Linux       prep_compound_page(), mm/page_alloc.c; __split_folio_to_order(), mm/huge_memory.c: smp_wmb() before the head is cleared
"""

import numpy as np

from kernels.base.layout import (
    M_KMALLOC_LARGE,
    M_NOT_ONLINE,
    M_OFFLINE,
    M_RESERVED,
    M_UNKNOWN,
    M_VMALLOC,
    NODE_MASK,
    NODE_SHIFT,
    NR_ORDERS,
    ORDER_MASK,
    ORDER_SHIFT,
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
from stress.checkers._report import Report, checking
from stress.checkers._view import View, order_size, tally

WRITTEN_TYPES = (T_MISC, T_BUDDY, T_FILE, T_ANON, T_KSM, T_COUNTED, T_MOVABLE, T_PAGETABLE, T_SLAB, T_PERCPU, T_NETPOOL, T_HWPOISON)
WRITTEN_SUBTYPES = (M_UNKNOWN, M_OFFLINE, M_KMALLOC_LARGE, M_VMALLOC, M_RESERVED, M_NOT_ONLINE)
#: the bits in which head and tails of a block agree
_SHARED = TYPE_MASK | SUBTYPE_MASK << SUBTYPE_SHIFT | ORDER_MASK << ORDER_SHIFT | NODE_MASK << NODE_SHIFT


def _check(view: View, report: Report) -> None:
    memdesc = view.wide("memdesc")
    unknown = np.flatnonzero(~np.isin(view.word_type, WRITTEN_TYPES))
    report.add("memdesc word has a type that the model does not use", pfn=unknown, word=memdesc[unknown])
    unknown = np.flatnonzero(view.is_misc & ~np.isin(view.subtype, WRITTEN_SUBTYPES))
    report.add("Misc word has a subtype that the model does not use", pfn=unknown, word=memdesc[unknown])
    _check_heads(view, report)
    tails = np.flatnonzero(view.is_misc & (memdesc & TAIL_BIT != 0))
    head = tails & ~(order_size(view.misc_order[tails]) - 1)
    torn = (memdesc[head] & TAIL_BIT != 0) | ((memdesc[head] ^ memdesc[tails]) & _SHARED != 0) | (head == tails)
    report.add("tail word has no head word that agrees with it", pfn=tails[torn], word=memdesc[tails[torn]], head=memdesc[head[torn]])
    nr_tails = tally(head[~torn], view.nr_frames)[view.misc_heads]
    short = view.misc_heads[nr_tails != order_size(view.misc_order[view.misc_heads]) - 1]
    report.add("number of tails differs from the order in the head word", pfn=short, word=memdesc[short])


def _check_heads(view: View, report: Report) -> None:
    heads, order = view.misc_heads, view.misc_order[view.misc_heads]
    memdesc = view.wide("memdesc")
    wrong = (order >= NR_ORDERS) | (heads & (order_size(order) - 1) != 0)
    report.add("block has an invalid order, or is not aligned to it", pfn=heads[wrong], word=memdesc[heads[wrong]], order=order[wrong])
    nid = memdesc[heads] >> NODE_SHIFT & NODE_MASK
    stray = nid != heads // view.param("frames_per_node") & NODE_MASK
    report.add("node in the memdesc word differs from the frame's node", pfn=heads[stray], word=memdesc[heads[stray]], node=nid[stray])


CHECKER = checking(
    "misc_words", ("I6",), "head and tail words of a block without a descriptor agree: none is partly published or partly retired", _check
)
