"""The sizes in the header are those of the arrays, and each count of entries on a stack is within its capacity.

The other checkers rely on this: without it they would read past the entries of a stack.

Checks      bounds (docs/invariants.md)
Linux       no statement: these are sizes of the model
"""

import numpy as np

from kernels.base.layout import (
    CC_CAPACITY,
    DESC_CACHE,
    HELD_CAPACITY,
    HUGE_HELD,
    HUGE_POOL,
    LRU_BATCH,
    NET_CACHE,
    NR_ORDERS,
    PCP_LISTS,
    PCP_STRIDE,
    PIN_CAPACITY,
    POISONED,
    SLAB_HELD,
)
from stress.checkers._report import Report, checking
from stress.checkers._view import CC_STRIDE, View

_CAPACITIES = (
    ("desc_cached", DESC_CACHE),
    ("lru_batched", LRU_BATCH - 1),  # a full batch is drained immediately
    ("held_count", HELD_CAPACITY),
    ("balloon_pages", HELD_CAPACITY),
    ("pin_count", PIN_CAPACITY),
    ("slab_count", SLAB_HELD),
    ("net_cached", NET_CACHE),
    ("poison_count", POISONED),
    ("huge_count", HUGE_HELD),
    ("huge_free", HUGE_POOL),
)


def _check(view: View, report: Report) -> None:
    for complaint in view.complaints:
        report.say(f"header: {complaint}; the other checkers are skipped")
    if view.complaints:
        return
    nr_blocks = view.nr_frames >> view.param("pageblock_order")
    for name, capacity in (*_CAPACITIES, ("contig_held", nr_blocks)):
        counts = view.wide(name)
        beyond = np.flatnonzero((counts < 0) | (counts > capacity))
        report.add(f"{name} is outside 0..{capacity}", cpus=beyond, count=counts[beyond])
    _check_table(view, report, "pcp_nr", PCP_STRIDE, PCP_LISTS, view.param("pcp_capacity"))
    _check_table(view, report, "cc_count", CC_STRIDE, NR_ORDERS, CC_CAPACITY)
    for name, capacity in (("desc_top", view.nr_desc), ("udesc_top", view.nr_udesc)):
        top = view.wide(name)
        report.add(f"{name} is outside 0..{capacity}", count=top[(top < 0) | (top > capacity)])


def _check_table(view: View, report: Report, name: str, stride: int, used: int, capacity: int) -> None:
    counts = view.row(name, stride)[:, :used]
    row, column = np.nonzero((counts < 0) | (counts > capacity))
    report.add(f"{name} is outside 0..{capacity}", row=row, column=column, count=counts[row, column])


CHECKER = checking(
    "bounds",
    ("bounds",),
    "the header's sizes are those of the arrays, and no stack is deeper than its capacity",
    _check,
    needs_header=False,
)
