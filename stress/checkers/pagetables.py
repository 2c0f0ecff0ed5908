"""Page tables that are frames: each upper entry has its own table, each table has all writes to it, and no CPU walks at rest.

Checks      I10, I11, I13 (docs/invariants.md)
Linux       pte_free_defer(), pte_offset_map(), mm/pgtable-generic.c; synchronize_rcu(), kernel/rcu/tree.c
"""

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
    report.add("upper entry does not point to a page table of its own", where=wrong, pfn=pfn, slot=slot, word=word, udesc=udesc)
    table = np.flatnonzero(view.word_type == T_PAGETABLE)
    orphan = table[tally(pfn, view.nr_frames)[table] != 1]
    report.add("number of upper entries that point to a page table is not one", pfn=orphan, word=view.wide("memdesc")[orphan])
    walking = np.flatnonzero(view.wide("rcu_seq") & 1)
    report.add("CPU is inside an RCU section at rest", cpus=walking, invariant="I11", sequence=view.wide("rcu_seq")[walking])
    if view.has_contents:
        slot, pfn = slot[~wrong], pfn[~wrong]
        written, version, mirror = view.wide("upper_oracle")[slot] & _COUNT_MASK, view.version[pfn], view.mirror[pfn]
        wrong = view.owner[pfn] != TABLE_STAMP | slot
        report.add("page table has another owner's stamp", pfn=pfn[wrong], invariant="I13", slot=slot[wrong], owner=view.owner[pfn[wrong]])
        wrong = ~wrong & ((version != written) | (mirror != written))
        report.add(
            "page table's version or mirror differs from the number of writes to it",
            where=wrong,
            pfn=pfn,
            invariant="I13",
            slot=slot,
            version=version,
            mirror=mirror,
            written=written,
        )


CHECKER = checking(
    "pagetables", ("I10", "I11", "I13"), "each upper entry has its own page table, and each table has all writes to it", _check
)
