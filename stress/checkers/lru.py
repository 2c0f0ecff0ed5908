"""Every folio is on the list of its node and type, or in one batch on its way there; and the lists are lists."""

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
    report.add("LRU batches are disabled at rest, and nobody will enable them", count=disabled[wrong])


def _check_membership(view: View, report: Report) -> None:
    flags, batched = view.wide("flags"), tally(view.batch.value, view.nr_desc)
    pfn, folio = view.wide("folio_pfn"), view.live & (view.wide("folio_type") != T_COUNTED)
    wrong = np.flatnonzero((view.live | (batched > 0)) & (batched != (flags & FL_BATCHED != 0)))
    report.add("folio's batched flag is not whether a batch has it", pfn=pfn[wrong], desc=wrong, flags=flags[wrong], batches=batched[wrong])
    both = np.flatnonzero(view.live & (batched > 0) & (flags & FL_LRU != 0))
    report.add("folio is in a batch and on its list", pfn=pfn[both], desc=both, flags=flags[both])
    nowhere = np.flatnonzero(folio & (flags & (FL_LRU | FL_BATCHED | FL_ISOLATED) == 0))
    report.add("folio is lost to the LRU: on no list, in no batch, not isolated", pfn=pfn[nowhere], desc=nowhere, flags=flags[nowhere])
    odd = np.flatnonzero(view.live & ~folio & (flags & (FL_LRU | FL_BATCHED) != 0))
    report.add("counted allocation is on the LRU", pfn=pfn[odd], desc=odd, flags=flags[odd])


def _check_lists(view: View, report: Report, desc: Ints) -> None:
    heads, tails = view.wide("lru_head"), view.wide("lru_tail")
    after, before = view.wide("folio_next"), view.wide("folio_prev")
    chains = read_chains(desc, after, before, heads, view.nr_desc)
    pfn = view.wide("folio_pfn")[desc]
    lruvec = pfn // view.param("frames_per_node") * 2 + (view.wide("folio_type")[desc] == T_FILE)
    for wrong, message in (
        (chains.astray, "LRU link leads to what is not on a list"),
        (chains.torn, "LRU neighbour does not link back"),
        (chains.ring, "LRU list runs in a ring"),
        (~chains.ring & (chains.list_of != lruvec), "folio is flagged as on the LRU and not on its list"),
    ):
        at = desc[wrong]
        report.add(message, pfn=pfn[wrong], desc=at, next=after[at], prev=before[at], list=chains.list_of[wrong], wanted=lruvec[wrong])
    counted, found = view.wide("lru_count"), tally(chains.list_of, len(heads))
    wrong_count = np.flatnonzero(counted != found)
    report.add("LRU list has another length than it counts", list=wrong_count, counted=counted[wrong_count], found=found[wrong_count])
    _check_ends(view, report, heads, tails)


def _check_ends(view: View, report: Report, heads: Ints, tails: Ints) -> None:
    """Nothing stands before a head, nothing behind a tail, and a list has both or neither."""
    flags = np.where(view.live, view.wide("flags"), 0)
    for name, ends, beyond in (("head", heads, view.wide("folio_prev")), ("tail", tails, view.wide("folio_next"))):
        wrong = np.flatnonzero((ends != 0) & ((lookup(flags, ends - 1, 0) & FL_LRU == 0) | (lookup(beyond, ends - 1) != 0)))
        report.add(f"LRU list's {name} is not on it, or not at its end", list=wrong, end=ends[wrong])
    wrong = np.flatnonzero((heads == 0) != (tails == 0))
    report.add("LRU list has one end only", list=wrong, head=heads[wrong], tail=tails[wrong])


CHECKER = checking("lru", ("I16",), "every folio is on its LRU list or in one batch, and the lists are whole", _check)
