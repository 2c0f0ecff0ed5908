"""Page tables that are frames: upper entries and tables agree, nothing that was written is missing, and nobody walks at rest."""

import numpy as np

from kernels.base.layout import INCARNATION_SHIFT, T_PAGETABLE
from stress.checkers._report import Report, checking
from stress.checkers._view import View, lookup, tally

TABLE_STAMP = 1 << 58  # | upper entry
_COUNT_MASK = (1 << INCARNATION_SHIFT) - 1


def _check(view: View, report: Report) -> None:
    slot = np.flatnonzero(view.wide("upper") != 0)
    pfn = view.wide("upper")[slot] - 1
    udesc = lookup(view.word_udesc, pfn)
    wrong = (lookup(view.word_type, pfn) != T_PAGETABLE) | (lookup(view.wide("u_owner"), udesc) != slot)
    word = lookup(view.wide("memdesc"), pfn)
    report.add("upper entry leads to no table of its own", where=wrong, pfn=pfn, slot=slot, word=word, udesc=udesc)
    table = np.flatnonzero(view.word_type == T_PAGETABLE)
    orphan = table[tally(pfn, view.nr_frames)[table] != 1]
    report.add("page table that not exactly one upper entry leads to", pfn=orphan, word=view.wide("memdesc")[orphan])
    walking = np.flatnonzero(view.wide("rcu_seq") & 1)
    report.add("CPU is inside of an RCU section at rest", cpus=walking, invariant="I11", sequence=view.wide("rcu_seq")[walking])
    if view.has_contents:
        slot, pfn = slot[~wrong], pfn[~wrong]
        written, version, mirror = view.wide("upper_oracle")[slot] & _COUNT_MASK, view.version[pfn], view.mirror[pfn]
        wrong = view.owner[pfn] != TABLE_STAMP | slot
        report.add("table holds somebody else's contents", pfn=pfn[wrong], invariant="I13", slot=slot[wrong], owner=view.owner[pfn[wrong]])
        wrong = ~wrong & ((version != written) | (mirror != written))
        report.add(
            "table has not the writes that were counted",
            where=wrong,
            pfn=pfn,
            invariant="I13",
            slot=slot,
            version=version,
            mirror=mirror,
            written=written,
        )


CHECKER = checking("pagetables", ("I10", "I11", "I13"), "upper entries and page tables agree, and tables hold what was written", _check)
