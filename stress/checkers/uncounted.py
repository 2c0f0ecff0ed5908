"""Descriptors without a count: each is free or belongs to one frame, its state word agrees, and none is isolated or in use at rest.

Checks      I16, I1, I2 (docs/invariants.md)
Linux       isolate_movable_ops_page(), putback_movable_ops_page(), mm/migrate.c: PG_movable_ops_isolated
"""

import numpy as np

from kernels.base.layout import U_CPU_MASK, U_CPU_SHIFT, U_LIVE, U_PFN_SHIFT, U_TYPE_SHIFT
from stress.checkers._report import Report, checking
from stress.checkers._view import View, lookup, tally


def _check(view: View, report: Report) -> None:
    memdesc = view.wide("memdesc")
    nowhere = np.flatnonzero(view.leads_to_udesc & (view.word_udesc < 0))
    report.add("memdesc word points to a descriptor that does not exist", pfn=nowhere, invariant="I2", word=memdesc[nowhere])
    pfn = np.flatnonzero(view.word_udesc >= 0)
    udesc = view.word_udesc[pfn]
    state = view.wide("u_word")[udesc]
    wanted = pfn << U_PFN_SHIFT | view.word_type[pfn] << U_TYPE_SHIFT | U_LIVE
    wrong = state != wanted
    report.add(
        "descriptor is isolated at rest, or belongs to another frame",
        pfn=pfn[wrong],
        cpus=state[wrong] >> U_CPU_SHIFT & U_CPU_MASK,
        udesc=udesc[wrong],
        state=state[wrong],
        wanted=wanted[wrong],
    )
    used = np.flatnonzero(view.wide("u_lock") != 0)
    report.add("object is in use at rest", udesc=used, users=view.wide("u_lock")[used])
    _check_pool(view, report)


def _check_pool(view: View, report: Report) -> None:
    top = int(np.clip(view["udesc_top"][0], 0, view.nr_udesc))
    pooled = tally(view.wide("udesc_stack")[:top], view.nr_udesc)
    named = tally(view.word_udesc, view.nr_udesc)
    pfn = view.wide("u_word") >> U_PFN_SHIFT
    lost = np.flatnonzero(pooled + named == 0)
    report.add("descriptor is leaked: neither free nor in use", pfn=pfn[lost], invariant="I1", udesc=lost)
    twice = np.flatnonzero(pooled + named > 1)
    word = lookup(view.wide("memdesc"), pfn[twice])
    report.add("descriptor is free twice, or free and in use", pfn=pfn[twice], invariant="I2", udesc=twice, word=word)


CHECKER = checking(
    "uncounted", ("I16", "I1", "I2"), "a descriptor without a count is free or belongs to one frame, and none is isolated at rest", _check
)
