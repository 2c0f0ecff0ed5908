"""Stages of a migration under each interface: quiet machine, one process, whole pageblocks, back and forth.

All values are taken on one machine in one process: a policy is a word of the header, read anew at each call. Rounds alternate their
order, so that drift of the host cancels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.base.layout import COUNTER, POLICIES, T_ANON, TYPE_MASK, WINDOW_FRAMES
from kernels.base.stage import STAGES
from stress.benchmarks import machines, migration
from stress.compare.ratio import Figure, in_order
from stress.machine import set_param

NR_SPACES, NR_PAGES = 4, 512
NR_BLOCKS = 16
FOLIOS, FOLIO = "folios", "folio by folio"  # not values of a policy: what NUMA balancing calls, with a batch of 512 and of 1
AXES = ("migration", "offline")


@dataclass(frozen=True)
class Load:
    """What is migrated: every `stride`-th frame of some pageblocks is in use."""

    name: str
    stride: int
    offline: bool = False

    def values(self, axis: str) -> tuple[str, ...]:
        """What this load can be moved by, along an axis."""
        if axis == "migration" and not self.offline:
            return (*POLICIES[axis], FOLIOS, FOLIO)
        return POLICIES[axis]


def loads_of(axis: str) -> tuple[Load, ...]:
    """The loads that an axis has something to do with."""
    return tuple(load for load in LOADS if load.offline or axis == "migration")


LOADS = (
    Load("anon, 512 of 512", 1),
    Load("anon, 64 of 512", 8),
    Load("anon, 8 of 512", 64),
    Load("offline, 512 of 512", 1, offline=True),
)


class Windows:
    """A machine of NR_BLOCKS pageblocks with four tasks and a balloon.

    Parameters  frame_bytes: contents of a frame, 64..4096
    """

    def __init__(self, frame_bytes: int = 4096, nr_spaces: int = NR_SPACES, nr_pages: int = NR_PAGES) -> None:
        self.mem: Any = machines.task_machine(1, nr_blocks=NR_BLOCKS, frame_bytes=frame_bytes)
        self.nr_spaces, self.nr_pages = nr_spaces, nr_pages
        set_param(self.mem, "timing", 1)

    def fill(self, load: Load) -> int:
        """Put the load's frames in place; how many there are."""
        if load.offline:
            return int(migration.inflate(self.mem, 0, self.nr_spaces * self.nr_pages))
        return int(migration.populate(self.mem, 0, self.nr_spaces, self.nr_pages, load.stride))

    def empty(self, load: Load) -> None:
        if load.offline:
            migration.deflate(self.mem, 0, self.mem.nr_frames)
        else:
            migration.depopulate(self.mem, 0, self.nr_spaces, self.nr_pages)

    def _blocks(self, load: Load) -> list[int]:
        """The pageblocks that are full, or if none is, all: targets come to lie in one that is not, and would be moved again there."""
        arrays = self.mem.arrays
        if load.offline:
            pfns = arrays["balloon_pfn"][: arrays["balloon_pages"][0]]
        else:
            pfns = np.flatnonzero((arrays["memdesc"] & TYPE_MASK) == T_ANON)
        blocks, counts = np.unique(pfns >> self.mem.pageblock_order, return_counts=True)
        full = blocks[counts >= (1 << self.mem.pageblock_order) // load.stride]
        return [int(block) for block in (full if len(full) else blocks)]

    def choose(self, axis: str, value: str) -> None:
        """Take the default of every policy but one; the machine holds nothing that another value has made."""
        for name, values in POLICIES.items():
            set_param(self.mem, f"policy_{name}", values.index(value) if name == axis and value in values else 0)

    def migrate(self, load: Load, value: str) -> int:
        """Move everything once; frames migrated."""
        counters = self.mem.arrays["counters"]
        before = int(counters[COUNTER["pgmigrate_success"]])
        if value in (FOLIOS, FOLIO):
            batch = WINDOW_FRAMES if value == FOLIOS else 1
            for space in range(self.nr_spaces):
                migration.migrate_by_folios(self.mem, 0, space, self.nr_pages, load.stride, batch)
        else:
            for block in self._blocks(load):
                migration.evacuate(self.mem, 0, block, 1)
        return int(counters[COUNTER["pgmigrate_success"]]) - before

    def stage_ns(self, axis: str, load: Load, value: str) -> dict[str, float]:
        """ns per migrated frame of each stage, in one round on freshly placed frames.

        Raises      RuntimeError if nothing was migrated
        """
        self.choose(axis, value)
        self.fill(load)
        cycles = self.mem.arrays["stage_cycles"][: len(STAGES)]
        cycles[:] = 0
        migrated = self.migrate(load, value)
        spent = cycles.astype(np.float64)
        self.empty(load)
        if migrated == 0:
            raise RuntimeError(f"{value}: nothing was migrated of {load.name}")
        ns = dict(zip(STAGES, spent * 1000 / self.mem.cycles_per_us / migrated, strict=True))
        ns["move"] -= ns["copy"]  # timed within it
        return ns


def figures(axis: str, nr_rounds: int, tick: Callable[[str], None]) -> list[Figure]:
    """Every load and stage under every value of an axis (AXES).

    Parameters  tick: is told what is measured, before each round
    """
    windows, loads = Windows(), loads_of(axis)
    for load in loads:
        for value in load.values(axis):
            windows.stage_ns(axis, load, value)  # everything is mapped and its code is loaded
    return [figure for load in loads for figure in _of_load(windows, axis, load, nr_rounds, tick)]


def _of_load(windows: Windows, axis: str, load: Load, nr_rounds: int, tick: Callable[[str], None]) -> list[Figure]:
    values = load.values(axis)
    taken: dict[str, dict[str, list[float]]] = {}
    for number in range(nr_rounds):
        tick(f"{load.name}, round {number + 1} of {nr_rounds}")
        for value in values if number % 2 else values[::-1]:
            ns = windows.stage_ns(axis, load, value)
            summed = {
                "scan + isolate": ns["scan"] + ns["isolate"],
                "unmap": ns["unmap"],
                "flush": ns["flush"],
                "copy": ns["copy"],
                "move": ns["move"],
                "put back": ns["putback"],
                "all": sum(ns.values()),
                "all but copy and flush": sum(ns.values()) - ns["copy"] - ns["flush"],
            }
            for stage, figure in summed.items():
                taken.setdefault(stage, {}).setdefault(value, []).append(figure)
    return [Figure(f"{load.name}: {stage}", "ns/frame", in_order(rounds, values)) for stage, rounds in taken.items()]
