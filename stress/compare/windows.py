"""Stages of a migration under each interface: a quiet machine, one process, whole pageblocks, back and forth.

All values are measured on one machine in one process: a policy is a word of the header, read again at each call. The values of a round are
measured one after the other in random order, so that drift of the host favours none.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kernels.base.layout import COUNTER, POLICIES, T_ANON, TYPE_MASK, WINDOW_FRAMES
from kernels.base.stage import STAGES
from stress.compare.turns import in_turn, names_of
from stress.machine.segment import set_param
from stress.measure import machines, migration
from stress.measure.ratio import Figure, in_order
from stress.storm.scenario import policy_params

NR_SPACES, NR_PAGES = 4, 512
NR_BLOCKS = 16
FOLIOS, FOLIO = "folios", "folio by folio"  # not values of a policy: the path of NUMA balancing, with a batch of 512 and of 1
BATCH = "batch"
#: the axis of batches: the parameters that each of its values sets
BATCHINGS: dict[str, dict[str, int]] = {
    "a window": {},
    "4 windows": {"window_blocks": 4},
    "32 folios": {"migrate_batch": 32, "isolate_batch": 32},
    "one folio": {"migrate_batch": 1, "isolate_batch": 1},
}
BATCH_IPI_NS = 2000  # the cost of a flush where batches are compared: without it batches save almost nothing
AXES = ("migration", "offline", BATCH)


_STAGES = ("scan + isolate", "unmap", "flush", "copy", "move", "put back", "all", "all but copy and flush")
_STAGES_OF = {BATCH: ("scan + isolate", "flush", "all but copy")}  # the others do not change


@dataclass(frozen=True)
class Load:
    """The frames that are migrated: every `stride`-th frame of some pageblocks is in use."""

    name: str
    stride: int
    offline: bool = False
    interface: str = POLICIES["migration"][0]

    def values(self, axis: str) -> tuple[str, ...]:
        """The values of an axis that can move this load."""
        if axis == BATCH:
            return tuple(BATCHINGS)
        if axis == "migration" and not self.offline:
            return (*POLICIES[axis], FOLIOS, FOLIO)
        return POLICIES[axis]


def loads_of(axis: str) -> tuple[Load, ...]:
    """The loads that an axis affects."""
    if axis == BATCH:
        sparse = [load for load in LOADS if not load.offline]
        return tuple(replace(load, name=f"{load.name}, {each}", interface=each) for load in sparse for each in POLICIES["migration"])
    return tuple(load for load in LOADS if load.offline or axis == "migration")


LOADS = (
    Load("anon, 512 of 512", 1),
    Load("anon, 64 of 512", 8),
    Load("anon, 8 of 512", 64),
    Load("offline, 512 of 512", 1, offline=True),
)


class Windows:
    """A machine of NR_BLOCKS pageblocks with four tasks and a balloon.

    Parameters  frame_bytes: contents of a frame, 64..4096; window_blocks: pageblocks that a batch may span
    """

    def __init__(self, frame_bytes: int = 4096, nr_spaces: int = NR_SPACES, window_blocks: int = 1) -> None:
        self.mem: Any = machines.task_machine(1, nr_blocks=NR_BLOCKS, frame_bytes=frame_bytes, window_blocks=window_blocks)
        self.nr_spaces, self.nr_pages, self.window_blocks = nr_spaces, NR_PAGES, window_blocks
        set_param(self.mem, "timing", 1)
        set_param(self.mem, "spin_yield", 1 << 30)  # a CPU that waits here is alone, and is timed

    def fill(self, load: Load) -> int:
        """Put the load's frames in place; returns how many."""
        if load.offline:
            return int(migration.inflate(self.mem, 0, self.nr_spaces * self.nr_pages))
        return int(migration.populate(self.mem, 0, self.nr_spaces, self.nr_pages, load.stride))

    def empty(self, load: Load) -> None:
        if load.offline:
            migration.deflate(self.mem, 0, self.mem.nr_frames)
        else:
            migration.depopulate(self.mem, 0, self.nr_spaces, self.nr_pages)

    def _blocks(self, load: Load) -> list[int]:
        """The full pageblocks, or all if none is full. Targets are placed in one that is not full, and would be moved again there."""
        arrays = self.mem.arrays
        if load.offline:
            pfns = arrays["balloon_pfn"][: arrays["balloon_pages"][0]]
        else:
            pfns = np.flatnonzero((arrays["memdesc"] & TYPE_MASK) == T_ANON)
        blocks, counts = np.unique(pfns >> self.mem.pageblock_order, return_counts=True)
        full = blocks[counts >= (1 << self.mem.pageblock_order) // load.stride]
        return [int(block) for block in (full if len(full) else blocks)]

    def _runs(self, blocks: list[int]) -> list[tuple[int, int]]:
        """Windows that cover the blocks, each of as many neighbours as a batch may span: (the first block, how many)."""
        runs: list[tuple[int, int]] = []
        for block in blocks:
            if not runs or block >= sum(runs[-1]):
                runs.append((block, min(self.window_blocks, NR_BLOCKS - block)))
        return runs

    def choose(self, axis: str, load: Load, value: str) -> None:
        """Set the axis's policy to a value, and every other policy to its default. The machine holds no frames of another value."""
        chosen = {"migration": load.interface}
        if axis == BATCH:
            set_param(self.mem, "ipi_ns", BATCH_IPI_NS)
            chosen |= {name: str(number) for name, number in BATCHINGS[value].items()}
        elif value in POLICIES[axis]:
            chosen[axis] = value
        for name, number in policy_params(chosen | {"window_blocks": str(self.window_blocks)}).items():
            set_param(self.mem, name, number)

    def migrate(self, load: Load, value: str) -> int:
        """Move everything once; returns the frames migrated."""
        counters = self.mem.arrays["counters"]
        before = int(counters[COUNTER["pgmigrate_success"]])
        if value in (FOLIOS, FOLIO):
            batch = WINDOW_FRAMES if value == FOLIOS else 1
            for space in range(self.nr_spaces):
                migration.migrate_by_folios(self.mem, 0, space, self.nr_pages, load.stride, batch)
        else:
            for first_block, nr_blocks in self._runs(self._blocks(load)):
                migration.evacuate(self.mem, 0, first_block, nr_blocks)
        return int(counters[COUNTER["pgmigrate_success"]]) - before

    def stage_ns(self, axis: str, load: Load, value: str) -> dict[str, float]:
        """ns per migrated frame of each stage, in one round on newly placed frames.

        Raises      RuntimeError if nothing was migrated
        """
        self.choose(axis, load, value)
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


def figures(axis: str, nr_rounds: int, tick: Callable[[str], None], twin: str | None = None) -> list[Figure]:
    """Every load and stage under every value of an axis (AXES).

    Parameters  tick: called with what is measured, before each round; twin: the one value that is compared with itself, or None for all
    """
    loads = loads_of(axis)
    spans = {BATCHINGS[value].get("window_blocks", 1) for value in BATCHINGS} if axis == BATCH else {1}
    machine_of = {span: Windows(window_blocks=span) for span in spans}  # one for each span: a longer bitmap takes longer to clear
    for load in loads:
        for value in names_of(load.values(axis), twin).values():
            machine_of[_span(axis, value)].stage_ns(axis, load, value)  # maps all memory and loads all code
    return [figure for load in loads for figure in _of_load(machine_of, axis, load, nr_rounds, tick, twin)]


def _span(axis: str, value: str) -> int:
    return BATCHINGS[value].get("window_blocks", 1) if axis == BATCH else 1


def _of_load(
    machine_of: dict[int, Windows], axis: str, load: Load, nr_rounds: int, tick: Callable[[str], None], twin: str | None
) -> list[Figure]:
    measured = names_of(load.values(axis), twin)
    taken: dict[str, dict[str, list[float]]] = {}
    for number in range(nr_rounds):
        tick(f"{load.name}, round {number + 1} of {nr_rounds}")
        for name in in_turn(tuple(measured)):
            ns = machine_of[_span(axis, measured[name])].stage_ns(axis, load, measured[name])
            summed = {
                "scan + isolate": ns["scan"] + ns["isolate"],
                "unmap": ns["unmap"],
                "flush": ns["flush"],
                "copy": ns["copy"],
                "move": ns["move"],
                "put back": ns["putback"],
                "all": sum(ns.values()),
                "all but copy": sum(ns.values()) - ns["copy"],
                "all but copy and flush": sum(ns.values()) - ns["copy"] - ns["flush"],
            }
            for stage, figure in summed.items():
                if stage in _STAGES_OF.get(axis, _STAGES):
                    taken.setdefault(stage, {}).setdefault(name, []).append(figure)
    return [Figure(f"{load.name}: {stage}", "ns/frame", in_order(rounds, tuple(measured))) for stage, rounds in taken.items()]
