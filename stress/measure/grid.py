"""Which cells each group of the benchmark suite has: operations, workers, values of policies. Nothing here is measured or compiled.

asv reads the list of a group before it has anything built, so this module imports the layout only. A cell's name says all that it is.
PFNSTORM_BENCH chooses: `full` is the whole grid; the default is the cells marked as core, and of the others those that a seed draws, the
same every time, also when the grid grows; `quick` has the same cells as the default and measures them shortly; `tiny` is for tests: all
cells, a slice each.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

from kernels.base.layout import POLICIES

MODES = ("tiny", "quick", "default", "full")
SEED = 14
DRAWN_PER_CENT = 20  # of the cells that are not core
MAX_WORKERS = 512
ORDERS = (0, 3, 9)
DENSITIES = (512, 64, 8)  # frames of a pageblock that are in use


def mode() -> str:
    """What PFNSTORM_BENCH chooses.

    Raises      ValueError if it is no mode
    """
    chosen = os.environ.get("PFNSTORM_BENCH") or "default"
    if chosen not in MODES:
        raise ValueError(f"PFNSTORM_BENCH={chosen}: take one of {', '.join(MODES)}")
    return chosen


@dataclass(frozen=True)
class CellSpec:
    """One cell.

    Fields      operation: with its parameters, in words; workers; calibration: an entry of stress.measure.calibration
                settings: values of policies that are not the default; core: whether the default mode always has it
    """

    operation: str
    workers: int = 1
    calibration: str = "list_pair"
    settings: tuple[tuple[str, str], ...] = ()
    core: bool = True

    @property
    def name(self) -> str:
        """ "order 0 pair, 2 workers, allocator=bitfield": no parentheses, since asv selects cells by regular expressions."""
        words = [self.operation, f"{self.workers} worker{'s' if self.workers > 1 else ''}"]
        return ", ".join([*words, *(f"{name}={value}" for name, value in self.settings)])


def worker_counts() -> tuple[int, ...]:
    """1, 2, half and all of this host's processors, each once, at most MAX_WORKERS."""
    processors = len(os.sched_getaffinity(0))
    return tuple(sorted({count for count in (1, 2, processors // 2, processors) if 1 <= count <= min(processors, MAX_WORKERS)}))


def _references() -> Iterator[CellSpec]:
    yield CellSpec("get + put at random over 64 MiB", calibration="walk")
    yield CellSpec("get + put at random over 64 MiB, tested for the last", calibration="walk", core=False)
    yield CellSpec("walk of a list in the second cache")
    for workers in worker_counts():
        yield CellSpec("get + put, a line each", workers, "line")
        if workers > 1:
            yield from _each_value("refcount", CellSpec("get + put, one line", workers, "shared"))


def _allocation() -> Iterator[CellSpec]:
    for order in ORDERS:
        for pattern in ("pair", "bulk", "random frees", "remote frees"):
            for workers in worker_counts():
                if pattern != "remote frees" or workers > 1:
                    core = (order == 0 and workers <= 2) or (pattern == "pair" and workers == 1)
                    yield from _each_value("allocator", CellSpec(f"order {order} {pattern}", workers, core=core))


def _memory() -> Iterator[CellSpec]:
    for operation in ("fault", "access", "unmap", "fork", "copy on write", "shootdown"):
        for workers in worker_counts():
            core = workers == 1 or operation in ("fault", "shootdown")
            calibration = "shared" if operation == "shootdown" and workers > 1 else "list_pair"
            yield CellSpec(operation, workers, calibration, core=core)


def _pagecache() -> Iterator[CellSpec]:
    for operation in ("hit", "read-in", "truncation"):
        for workers in worker_counts():
            yield CellSpec(operation, workers, core=workers == 1 or operation == "hit")


def _migration() -> Iterator[CellSpec]:
    yield CellSpec("one folio to the other node")
    for batch in (512, 1):
        yield CellSpec(f"folios by callbacks, batches of {batch}", core=batch == 512)
    for kind in ("anon", "offline", "cached"):
        for density in DENSITIES:
            core = kind == "anon" or density == 512
            yield from _each_value("migration", CellSpec(f"range, {kind}, {density} of 512", core=core))


def _compaction() -> Iterator[CellSpec]:
    yield from _each_value("migration", CellSpec("recorded zone, a pageblock"))


def _uncounted() -> Iterator[CellSpec]:
    for operation in ("inflate", "deflate", "zsmalloc allocate", "zsmalloc access", "zsmalloc free", "hugetlb pair"):
        for workers in worker_counts():
            yield CellSpec(operation, workers, core=workers == 1)
    yield CellSpec("contiguous range pair")
    yield CellSpec("memory block offline + online")


def _exploring() -> Iterator[CellSpec]:
    for memory, strategy in (("sc", "random"), ("tso", "random"), ("tso", "dpor"), ("sc", "dpor"), ("sc", "surw"), ("tso", "pct-3")):
        core = (memory, strategy) in (("sc", "random"), ("tso", "random"), ("tso", "dpor"))
        yield CellSpec(f"a schedule, {memory}{' with clocks' if memory == 'tso' else ''}, {strategy}", calibration="plain", core=core)


def _storms() -> Iterator[CellSpec]:
    """Roles of the scenario storm, under the default of each policy; the others and their values are for `full`."""
    for role in ("anon", "balloon", "compactor", "filecache", "hugepage", "kernel", "numa", "speculator"):
        for spec in _each_value("migration", CellSpec(role, worker_counts()[-1])):
            yield replace(spec, core=not spec.settings)


def _starting() -> Iterator[CellSpec]:
    yield CellSpec("import of the command", calibration="bare")
    yield CellSpec("a warm start to the first operation", calibration="bare")
    yield CellSpec("64 workers ready", 64, calibration="bare")
    yield CellSpec("512 workers ready", 512, calibration="bare", core=False)


def _building() -> Iterator[CellSpec]:
    yield CellSpec("references compiled, kernels and entries", calibration="plain")


def _overhead() -> Iterator[CellSpec]:
    """None: its figure is a ratio already."""
    yield from ()


def _each_value(policy: str, spec: CellSpec) -> Iterator[CellSpec]:
    """A cell under every value of a policy, the default first and without a setting; only the cell itself where there is no such policy."""
    values = POLICIES.get(policy, ("",))
    for value in values:
        yield spec if value == values[0] else replace(spec, settings=((policy, value),), core=spec.core and policy != "migration")


GROUPS = {
    "references": _references,
    "allocation": _allocation,
    "memory": _memory,
    "pagecache": _pagecache,
    "migration": _migration,
    "compaction": _compaction,
    "uncounted": _uncounted,
    "exploring": _exploring,
    "storms": _storms,
    "starting": _starting,
    "building": _building,
    "overhead": _overhead,
}


def cells(group: str, chosen: str | None = None) -> list[CellSpec]:
    """The cells of a group in a mode, by default the one of PFNSTORM_BENCH."""
    full = (chosen or mode()) in ("full", "tiny")
    return [spec for spec in GROUPS[group]() if full or spec.core or _drawn(group, spec)]


def _drawn(group: str, spec: CellSpec) -> bool:
    digest = hashlib.sha256(f"{SEED} {group} {spec.name}".encode()).digest()
    return digest[0] * 100 < DRAWN_PER_CENT * 256
