"""The first frame of each allocation that roles kernel, contig and replay hold keeps its holder's stamp, and is never written.

Checks      I13 (docs/invariants.md)
Linux       no statement about memory that the kernel holds (the functions of I13 are about pages that are mapped or cached): a write by
            another owner is memory corruption
"""

import numpy as np

from stress.checkers._report import Report, checking
from stress.checkers._view import View, lookup, within
from stress.checkers.conservation import COUNTED

CONTIG_STAMP = 1 << 57  # role `contig`: CONTIG_STAMP | CPU, in each pageblock of its range
KERNEL_STAMP = 1 << 60  # role `kernel`: KERNEL_STAMP | CPU; role `replay`: KERNEL_STAMP | slot


def _check(view: View, report: Report) -> None:
    if not view.has_contents:
        return
    held, counted = view.held.value.copy(), view.at("held_kind", view.held.at) == COUNTED
    held[counted] = lookup(view.wide("folio_pfn"), held[counted])
    pfn = np.concatenate((held, view.wide("ev_pfn"), view.contig.value))
    holder = np.concatenate(
        (KERNEL_STAMP | view.held.owner, KERNEL_STAMP | np.arange(len(view["ev_pfn"])), CONTIG_STAMP | view.contig.owner)
    )
    known = within(pfn, view.nr_frames)  # `inventories` reports the others
    pfn, holder = pfn[known], holder[known]
    owner, version, mirror = view.owner[pfn], view.version[pfn], view.mirror[pfn]
    wrong = owner != holder
    report.add("held allocation has another owner's stamp", where=wrong, pfn=pfn, owner=owner, wanted=holder)
    written = ~wrong & ((version != 0) | (mirror != 0))
    report.add(
        "held allocation was written after its holder stamped it", where=written, pfn=pfn, holder=holder, version=version, mirror=mirror
    )


CHECKER = checking("contents_held", ("I13",), "allocations held by roles kernel, contig and replay keep their holder's stamp", _check)
