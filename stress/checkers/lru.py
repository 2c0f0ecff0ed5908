"""Each folio is on the LRU list of its node and type, or in one CPU's batch; and the lists are intact.

Checks      I16 (docs/invariants.md)
Linux       folio_batch_move_lru(), lru_add_drain_cpu(), lru_cache_disable(), mm/swap.c; folio_isolate_lru(), folio_putback_lru(),
            mm/vmscan.c
"""

import numpy as np

from kernels.base.layout import FL_BATCHED, FL_ISOLATED, FL_LRU, T_COUNTED, T_FILE
from stress.checkers._lists import read_chains
from stress.checkers._report import Report, checking
from stress.checkers._view import Ints, View, lookup, tally


def _check(view: View, report: Report) -> None:
    _check_membership(view, report)
    on_list = np.flatnonzero(view.live & (view.wide("flags") & FL_LRU != 0))
    _check_lists(view, report, on_list)
    disabled = view.wide("lru_disabled")
    wrong = np.flatnonzero(disabled != 0)
    report.add("LRU batches are still disabled at rest", count=disabled[wrong])


def _check_membership(view: View, report: Report) -> None:
    flags, batched = view.wide("flags"), tally(view.batch.value, view.nr_desc)
    pfn, folio = view.wide("folio_pfn"), view.live & (view.wide("folio_type") != T_COUNTED)
    wrong = np.flatnonzero((view.live | (batched > 0)) & (batched != (flags & FL_BATCHED != 0)))
    report.add(
        "FL_BATCHED is set on a folio that is not in exactly one batch, or clear on one that is in a batch",
        pfn=pfn[wrong],
        desc=wrong,
        flags=flags[wrong],
        batches=batched[wrong],
    )
    both = np.flatnonzero(view.live & (batched > 0) & (flags & FL_LRU != 0))
    report.add("folio is in a batch and on an LRU list", pfn=pfn[both], desc=both, flags=flags[both])
    nowhere = np.flatnonzero(folio & (flags & (FL_LRU | FL_BATCHED | FL_ISOLATED) == 0))
    report.add("folio is on no LRU list, in no batch and not isolated", pfn=pfn[nowhere], desc=nowhere, flags=flags[nowhere])
    odd = np.flatnonzero(view.live & ~folio & (flags & (FL_LRU | FL_BATCHED) != 0))
    report.add("counted allocation is on an LRU list or in a batch", pfn=pfn[odd], desc=odd, flags=flags[odd])


def _check_lists(view: View, report: Report, desc: Ints) -> None:
    heads, tails = view.wide("lru_head"), view.wide("lru_tail")
    after, before = view.wide("folio_next"), view.wide("folio_prev")
    chains = read_chains(desc, after, before, heads, view.nr_desc)
    pfn = view.wide("folio_pfn")[desc]
    lruvec = pfn // view.param("frames_per_node") * 2 + (view.wide("folio_type")[desc] == T_FILE)
    for wrong, message in (
        (chains.astray, "LRU link points to a descriptor without FL_LRU"),
        (chains.torn, "LRU neighbour does not link back"),
        (chains.ring, "LRU list is circular"),
        (~chains.ring & (chains.list_of != lruvec), "folio has FL_LRU and is not on the list of its node and type"),
    ):
        at = desc[wrong]
        report.add(message, pfn=pfn[wrong], desc=at, next=after[at], prev=before[at], list=chains.list_of[wrong], wanted=lruvec[wrong])
    counted, found = view.wide("lru_count"), tally(chains.list_of, len(heads))
    wrong_count = np.flatnonzero(counted != found)
    report.add(
        "lru_count differs from the length of the LRU list", list=wrong_count, counted=counted[wrong_count], found=found[wrong_count]
    )
    _check_ends(view, report, heads, tails)


def _check_ends(view: View, report: Report, heads: Ints, tails: Ints) -> None:
    """A head has no predecessor, a tail has no successor, and a list has both or neither."""
    flags = np.where(view.live, view.wide("flags"), 0)
    for name, ends, beyond in (
        ("lru_head does not point to the first folio", heads, view.wide("folio_prev")),
        ("lru_tail does not point to the last folio", tails, view.wide("folio_next")),
    ):
        wrong = np.flatnonzero((ends != 0) & ((lookup(flags, ends - 1, 0) & FL_LRU == 0) | (lookup(beyond, ends - 1) != 0)))
        report.add(f"{name} of an LRU list", list=wrong, end=ends[wrong])
    wrong = np.flatnonzero((heads == 0) != (tails == 0))
    report.add("LRU list has a head and no tail, or a tail and no head", list=wrong, head=heads[wrong], tail=tails[wrong])


CHECKER = checking("lru", ("I16",), "each folio is on the LRU list of its node and type or in one batch, and the lists are intact", _check)
