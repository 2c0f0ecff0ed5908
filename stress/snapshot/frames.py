"""What every frame of a recording is: class, order, mappings, free blocks, migratetypes of pageblocks. Plain numbers, no machine yet."""

from dataclasses import dataclass

import numpy as np

from kernels.base.layout import FAMILY_TASKS, MT_MOVABLE, MT_RECLAIMABLE, MT_UNMOVABLE, NR_ORDERS, Geometry
from stress.snapshot.flags import (
    KERNEL,
    MAPPED_SINCE,
    NAMES,
    NUMBER,
    ON_PCP,
    Bools,
    Ints,
    blocks_by_use,
    classify,
    free_blocks,
    free_from_heads,
    object_orders,
    settle_unflagged,
)
from stress.snapshot.recording import Recording

PCP_SHARE = 8  # MIN_PERCPU_PAGELIST_HIGH_FRACTION: the largest share of a zone that is on per-CPU lists


@dataclass(frozen=True)
class Frames:
    """For each frame: `settled`: its class (flags.NAMES); `orders`: of the object that begins there, or -1; `mapped`: its mappings."""

    settled: Ints
    orders: Ints
    mapped: Ints
    migratetypes: Ints  # by pageblock
    free_first: Ints
    free_orders: Ints
    by_flags: dict[str, int]  # frames of each class by their flags alone
    pageblock_order: int
    pcp_high: int  # frames on per-CPU lists when the flags were read
    nr_clipped: int  # anonymous or file frames whose count of mappings was changed to one that the model can have

    def of(self, *names: str) -> Ints:
        """The frames of some classes."""
        return np.flatnonzero(np.isin(self.settled, [NAMES.index(name) for name in names]))

    def counted(self) -> dict[str, int]:
        """Frames of each class."""
        return {name: int(count) for name, count in zip(NAMES, np.bincount(self.settled, minlength=len(NAMES)), strict=True) if count}


def settle(recording: Recording) -> Frames:
    """Decide what each frame is."""
    order_max = recording.pageblock_order
    classes = classify(recording.flags)
    by_flags = {name: int(count) for name, count in zip(NAMES, np.bincount(classes, minlength=len(NAMES)), strict=True) if count}
    if recording.heads_only:
        free = free_from_heads(classes == NUMBER["free"], classes == NUMBER["unflagged"], recording.buddyinfo_before, NR_ORDERS - 1)
        classes[free] = NUMBER["free"]
    known = recording.blocks_not_movable
    not_movable = blocks_by_use(classes, recording.pageblock_order, sum(known) if known else None)
    most_on_pcp = recording.nr_frames // PCP_SHARE
    settled = settle_unflagged(classes, recording.counts, not_movable, recording.pageblock_order, most_on_pcp)
    orders = object_orders(recording.flags, settled, order_max)
    orders[np.isin(settled, (ON_PCP, KERNEL, MAPPED_SINCE))] = 0
    _keep_within_pools(settled, orders)
    free_first, free_orders = free_blocks(settled == NUMBER["free"], not_movable, recording.pageblock_order, NR_ORDERS - 1)
    pcp_high = int(np.count_nonzero(np.isin(settled, (ON_PCP, MAPPED_SINCE))))
    settled[settled == MAPPED_SINCE] = NUMBER["anon"]
    mapped, nr_clipped = _mapped(settled, recording.counts)
    return Frames(
        settled=settled,
        orders=orders,
        mapped=mapped,
        migratetypes=_migratetypes(settled, not_movable, recording.pageblock_order, known),
        free_first=free_first,
        free_orders=free_orders,
        by_flags=by_flags,
        pageblock_order=recording.pageblock_order,
        pcp_high=min(pcp_high, most_on_pcp),
        nr_clipped=nr_clipped,
    )


def _keep_within_pools(settled: Ints, orders: Ints) -> None:
    """Make kernel memory, frame by frame, of page tables and slabs for which the model has no upper entry or no descriptor."""
    pools = Geometry(nr_cpus=1, nr_nodes=1, frames_per_node=len(settled))
    tables = np.flatnonzero(settled == NUMBER["page_table"])
    slabs = np.flatnonzero(settled == NUMBER["slab"])
    beyond = np.concatenate((tables[pools.nr_uppers :], slabs[max(0, pools.nr_udesc - min(len(tables), pools.nr_uppers)) :]))
    settled[beyond] = KERNEL
    orders[beyond] = 0


def _mapped(settled: Ints, counts: Ints) -> tuple[Ints, int]:
    """The mappings of each frame within the model's limits (anonymous: at least 1; all: at most FAMILY_TASKS), and how many changed."""
    mapped = np.minimum(counts, FAMILY_TASKS)
    anon = settled == NUMBER["anon"]
    mapped[anon] = np.maximum(mapped[anon], 1)
    mapped[~anon & (settled != NUMBER["file"])] = 0
    moved = (mapped != counts) & (anon | (settled == NUMBER["file"]))
    return mapped, int(np.count_nonzero(moved))


def _migratetypes(settled: Ints, not_movable: Bools, pageblock_order: int, known: tuple[int, int] | None) -> Ints:
    """The type of each pageblock: of those that are not Movable, the ones with the most memory beside slabs are Unmovable."""
    migratetypes = np.full(len(not_movable), MT_MOVABLE, np.int64)
    chosen = np.flatnonzero(not_movable)
    if known is None:
        migratetypes[chosen] = MT_UNMOVABLE
        return migratetypes
    never = np.isin(settled, (KERNEL, NUMBER["page_table"], NUMBER["kernel_block"])).reshape(-1, 1 << pageblock_order).sum(axis=1)
    ranked = chosen[np.argsort(-never[chosen], kind="stable")]
    migratetypes[ranked[: known[0]]] = MT_UNMOVABLE
    migratetypes[ranked[known[0] :]] = MT_RECLAIMABLE
    return migratetypes
