"""Stages of a migration under each interface: quiet machine, one process, whole pageblocks, back and forth.

All values are taken on one machine in one process: a policy is a word of the header, read anew at each call. Rounds alternate their
order, so that drift of the host cancels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.base.layout import COUNTER, M_OFFLINE, POLICIES, SUBTYPE_MASK, SUBTYPE_SHIFT, T_ANON, T_MISC, TYPE_MASK, WINDOW_FRAMES
from kernels.base.stage import STAGES
from stress.benchmarks import machines, migration
from stress.compare.ratio import Figure, in_order
from stress.machine import set_param

NR_SPACES, NR_PAGES = 4, 512
NR_BLOCKS = 16
FOLIOS, FOLIO = "folios", "folio by folio"  # not values of the policy: what NUMA balancing calls, with a batch of 512 and of 1
VALUES = (*POLICIES["migration"], FOLIOS, FOLIO)


@dataclass(frozen=True)
class Load:
    """What is migrated: every `stride`-th frame of some pageblocks is in use."""

    name: str
    stride: int
    offline: bool = False

    def values(self) -> tuple[str, ...]:
        return POLICIES["migration"] if self.offline else VALUES


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
        words = self.mem.arrays["memdesc"]
        wanted = (words & TYPE_MASK) == T_ANON
        if load.offline:
            wanted = (words & (TYPE_MASK | SUBTYPE_MASK << SUBTYPE_SHIFT)) == T_MISC | M_OFFLINE << SUBTYPE_SHIFT
        return [int(block) for block in np.unique(np.flatnonzero(wanted) >> self.mem.pageblock_order)]

    def migrate(self, load: Load, value: str) -> int:
        """Move everything once; frames migrated."""
        counters = self.mem.arrays["counters"]
        before = int(counters[COUNTER["pgmigrate_success"]])
        if value in POLICIES["migration"]:
            set_param(self.mem, "policy_migration", POLICIES["migration"].index(value))
            for block in self._blocks(load):
                migration.evacuate_one(self.mem, 0, block)
        else:
            batch = WINDOW_FRAMES if value == FOLIOS else 1
            for space in range(self.nr_spaces):
                migration.migrate_by_folios(self.mem, 0, space, self.nr_pages, load.stride, batch)
        return int(counters[COUNTER["pgmigrate_success"]]) - before

    def stage_ns(self, load: Load, value: str) -> dict[str, float]:
        """ns per migrated frame of each stage, in one round on freshly placed frames.

        Raises      RuntimeError if nothing was migrated
        """
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


def figures(nr_rounds: int, tick: Callable[[str], None]) -> list[Figure]:
    """Every load and stage under every interface.

    Parameters  tick: is told what is measured, before each round
    """
    windows = Windows()
    for load in LOADS:
        for value in load.values():
            windows.stage_ns(load, value)  # everything is mapped and its code is loaded
    return [figure for load in LOADS for figure in _of_load(windows, load, nr_rounds, tick)]


def _of_load(windows: Windows, load: Load, nr_rounds: int, tick: Callable[[str], None]) -> list[Figure]:
    taken: dict[str, dict[str, list[float]]] = {}
    for number in range(nr_rounds):
        tick(f"{load.name}, round {number + 1} of {nr_rounds}")
        for value in load.values() if number % 2 else load.values()[::-1]:
            ns = windows.stage_ns(load, value)
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
    return [Figure(f"{load.name}: {stage}", "ns/frame", in_order(rounds, load.values())) for stage, rounds in taken.items()]
