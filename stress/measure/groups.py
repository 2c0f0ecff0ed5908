"""The cells of the suite that a crew measures: each specification of the grid becomes an operation on a machine.

A group has one machine for each value of a policy that cannot change on a booted one, and cells share it: each leaves it as it was, or
puts it back outside of its time.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kernels.base.layout import FAMILY_TASKS, HELD_CAPACITY, PARAM, Geometry
from kernels.policy import boot
from stress.measure import calibration, entries, machines, migration, operations
from stress.measure.crew import Chore, Timed, TimedCell
from stress.measure.grid import CellSpec
from stress.storm.scenario import policy_params

RECORDING = Path(__file__).resolve().parents[1] / "snapshot" / "recordings" / "compaction.npz"
BLOCKS = {0: 2048, 3: 512, 9: 16}  # that one call of an allocation pattern takes, by order
PAGES = 256  # that one call of the others works on
COMPACT_BLOCKS = 512  # pageblocks of one call of a compaction
_SIDE_BLOCKS = 32  # of the machines that migrate
_RECORDED_FRAME_BYTES = 512


class Groups:
    """Makes the timed cells of a group, and the machines that they share."""

    def __init__(self, nr_cpus: int) -> None:
        self._nr_cpus = nr_cpus
        self._machines: dict[Any, Any] = {}

    def cell(self, group: str, spec: CellSpec) -> TimedCell:
        """The timed cell of a specification.

        Raises      KeyError if the group is not measured by a crew, or its operation is unknown
        """
        made: TimedCell = _MAKERS[group](self, spec)
        return made

    def machine(self, key: Any, make: Callable[[], Any]) -> Any:
        """A machine that the cells of a group share; made once."""
        if key not in self._machines:
            self._machines[key] = make()
        return self._machines[key]

    def machines_made(self) -> list[Any]:
        """Every machine but that of the calibrations."""
        return [mem for key, mem in self._machines.items() if key != "calibration"]

    def timed(self, spec: CellSpec, mem: Any, operation: Timed, **more: Any) -> TimedCell:
        """A timed cell with the calibration that its specification names."""
        cal_mem = self.machine("calibration", lambda: machines.calibration_machine(self._nr_cpus))
        fixed = partial(_call, getattr(calibration, spec.calibration))
        return TimedCell(spec.name, spec.workers, operation, mem, fixed, cal_mem, **more)

    # -- the groups

    def references(self, spec: CellSpec) -> TimedCell:
        mem = self.machine("references", lambda: machines.reference_machine(self._nr_cpus))
        if spec.operation.startswith("walk"):
            machines.link_ring(mem, 4096)
            return self.timed(spec, mem, lambda mem, cpu, nr_ops: entries.walk_list(mem, cpu, 0, nr_ops))
        if "random" in spec.operation:
            walk = entries.pair_random_tested if "tested" in spec.operation else entries.pair_random
            return self.timed(spec, mem, lambda mem, cpu, nr_ops: walk(mem, cpu, 0, nr_ops))
        stride = 0 if spec.operation.endswith("one line") else machines.HOT_STRIDE
        return self.timed(spec, mem, lambda mem, cpu, nr_ops: entries.pair_hot(mem, cpu, 8 + cpu * stride, nr_ops), before=_policies(spec))

    def allocation(self, spec: CellSpec) -> TimedCell:
        order, pattern = int(spec.operation.split()[1]), spec.operation.split(" ", 2)[2]
        mem = self.machine(spec.settings, lambda: machines.allocation_machine(self._nr_cpus, dict(spec.settings)))
        if pattern == "pair":
            return self.timed(spec, mem, lambda mem, cpu, nr_ops: entries.alloc_free(mem, cpu, order, nr_ops))
        shuffled, away = int(pattern == "random frees"), int(pattern == "remote frees")
        return self.timed(
            spec,
            mem,
            lambda mem, cpu, nr_ops: operations.take(mem, cpu, order, nr_ops),
            then=lambda mem, cpu, nr_ops: operations.give(mem, cpu, (cpu + away) % spec.workers, order, shuffled, nr_ops),
            before=partial(_shuffle, BLOCKS[order]) if shuffled else None,
            batch=BLOCKS[order],
        )

    def memory(self, spec: CellSpec) -> TimedCell:
        mem = self.machine("tasks", lambda: _tasks(self._nr_cpus))
        what = {
            "fault": operations.FAULT,
            "access": operations.ACCESS,
            "unmap": operations.UNMAP,
            "fork": operations.FORK,
            "copy on write": operations.COPY_ON_WRITE,
            "shootdown": operations.SHOOTDOWN,
        }[spec.operation]
        do = operations.memory_work
        steps: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = {
            operations.FAULT: ((), (operations.UNMAP,)),
            operations.ACCESS: ((operations.FAULT,), (operations.UNMAP,)),
            operations.UNMAP: ((operations.FAULT,), ()),
            operations.FORK: ((operations.FAULT,), (operations.UNMAP_CHILD, operations.UNMAP)),
            operations.COPY_ON_WRITE: ((operations.FAULT, operations.FORK), (operations.UNMAP_CHILD, operations.UNMAP)),
            operations.SHOOTDOWN: ((), ()),
        }
        before, after = steps[what]
        return self.timed(spec, mem, _with(do, what), batch=PAGES, before=_chores(do, before), after=_chores(do, after))

    def pagecache(self, spec: CellSpec) -> TimedCell:
        mem = self.machine("files", lambda: _tasks(self._nr_cpus))
        what = {"hit": operations.HIT, "read-in": operations.READ_IN, "truncation": operations.TRUNCATE}[spec.operation]
        do = operations.file_work
        before = () if what == operations.READ_IN else (operations.READ_IN,)
        after = () if what == operations.TRUNCATE else (operations.TRUNCATE,)
        return self.timed(spec, mem, _with(do, what), batch=PAGES, before=_chores(do, before), after=_chores(do, after))

    def migration(self, spec: CellSpec) -> TimedCell:
        words = spec.operation.split(", ")
        if words[0] == "one folio to the other node":
            mem = self.machine("two nodes", partial(_filled, 2))
            return self.timed(spec, mem, lambda mem, cpu, nr_ops: migration.migrate_one_folio(mem, cpu, 0, 512, nr_ops), batch=512)
        if words[0] == "folios by callbacks":
            mem, batch = self.machine("one node", partial(_filled, 1)), int(words[1].split()[-1])
            return self.timed(
                spec, mem, lambda mem, cpu, nr_ops: nr_ops - migration.migrate_by_folios(mem, cpu, 0, nr_ops, 1, batch), batch=512
            )
        kind, density = words[1], int(words[2].split()[0])
        mem = self.machine((kind, density), partial(_of_kind, kind, density))
        number = {"anon": operations.ANON, "offline": operations.OFFLINE, "cached": operations.CACHED}[kind]
        return self.timed(
            spec,
            mem,
            lambda mem, cpu, nr_ops: nr_ops if operations.evacuate_kind(mem, cpu, number, 512) == nr_ops else 0,
            batch=density,
            before=_policies(spec),
        )

    def compaction(self, spec: CellSpec) -> TimedCell:
        """The first pageblocks of the zone, which hold most of what moves; the zone is put back before each call."""
        mem = self.machine("recorded", _recorded)
        zone = _Recorded(mem, _policies(spec))
        return self.timed(spec, mem, operations.compact_some, batch=COMPACT_BLOCKS, before=zone.put_back)

    def uncounted(self, spec: CellSpec) -> TimedCell:
        do = operations.uncounted_work
        if spec.operation == "memory block offline + online":
            mem = self.machine("half full", partial(_filled, 1, 4))
            return self.timed(spec, mem, _with(do, operations.HOTPLUG), batch=4)
        if spec.operation == "contiguous range pair":
            mem = self.machine("half full", partial(_filled, 1, 4))
            return self.timed(spec, mem, _with(do, operations.CONTIG), batch=4)
        mem = self.machine("inventories", lambda: _tasks(self._nr_cpus))
        what, before, after = {
            "inflate": (operations.INFLATE, (), (operations.DEFLATE,)),
            "deflate": (operations.DEFLATE, (operations.INFLATE,), ()),
            "zsmalloc allocate": (operations.ZS_MALLOC, (), (operations.ZS_FREE,)),
            "zsmalloc access": (operations.ZS_ACCESS, (operations.ZS_MALLOC,), (operations.ZS_FREE,)),
            "zsmalloc free": (operations.ZS_FREE, (operations.ZS_MALLOC,), ()),
            "hugetlb pair": (operations.HUGETLB, (), ()),
        }[spec.operation]
        batch = 16 if what == operations.HUGETLB else PAGES
        return self.timed(spec, mem, _with(do, what), batch=batch, before=_chores(do, before), after=_chores(do, after))


_MAKERS: dict[str, Callable[[Groups, CellSpec], TimedCell]] = {
    "references": Groups.references,
    "allocation": Groups.allocation,
    "memory": Groups.memory,
    "pagecache": Groups.pagecache,
    "migration": Groups.migration,
    "compaction": Groups.compaction,
    "uncounted": Groups.uncounted,
}
#: the entries that a group calls, beside those of boot and of the calibration
ENTRIES_OF: dict[str, tuple[Any, ...]] = {
    "references": (entries.pair_hot, entries.pair_random, entries.pair_random_tested, entries.walk_list),
    "allocation": (entries.alloc_free, operations.take, operations.give),
    "memory": (operations.memory_work,),
    "pagecache": (operations.file_work,),
    "migration": (
        migration.migrate_one_folio,
        migration.migrate_by_folios,
        operations.evacuate_kind,
        migration.fault_in,
        migration.inflate,
        operations.file_work,
    ),
    "compaction": (operations.compact_some,),
    "uncounted": (operations.uncounted_work, migration.fault_in),
}
SHARED_ENTRIES: tuple[Any, ...] = (
    boot.boot,
    boot.read_cycles,
    calibration.line,
    calibration.list_pair,
    calibration.plain,
    calibration.walk,
    calibration.shared,
)


def _call(entry: Any, mem: Any, cpu: int, nr_ops: int) -> int:
    return int(entry(mem, cpu, nr_ops))


def _with(entry: Any, what: int) -> Timed:
    return lambda mem, cpu, nr_ops: entry(mem, cpu, what, nr_ops)


def _chores(entry: Any, whats: tuple[int, ...]) -> Chore | None:
    if not whats:
        return None

    def do_all(mem: Any, cpu: int) -> None:
        for what in whats:
            entry(mem, cpu, what, PAGES)

    return do_all


def _policies(spec: CellSpec) -> Chore:
    """Set every policy to its default or to what the cell says: the next cell may want another value of the same machine."""
    values = {PARAM[name]: value for name, value in policy_params(dict(spec.settings)).items() if name != "window_blocks"}

    def choose(mem: Any, _: int) -> None:
        for word, value in values.items():
            mem.header[word] = value

    return choose


def _shuffle(nr_blocks: int, mem: Any, cpu: int) -> None:
    base = cpu * HELD_CAPACITY
    mem.arrays["held_kind"][base : base + nr_blocks] = _permutation(nr_blocks)


_PERMUTATIONS: dict[int, Any] = {}


def _permutation(nr_blocks: int) -> Any:
    if nr_blocks not in _PERMUTATIONS:
        _PERMUTATIONS[nr_blocks] = np.random.default_rng(1).permutation(nr_blocks)
    return _PERMUTATIONS[nr_blocks]


# ---------------------------------------------------------------------------------------------------------------- machines


def _tasks(nr_cpus: int) -> Any:
    """A family, a file and 8 MiB of frames for each CPU."""
    blocks = 16 + 4 * nr_cpus
    return machines.booted(
        Geometry(
            nr_cpus=nr_cpus,
            nr_nodes=1,
            frames_per_node=512 * blocks,
            words_per_frame=64,
            nr_tasks=FAMILY_TASKS * max(nr_cpus, 4),
            task_pages=512,
            table_pages=256,
            nr_files=max(4, nr_cpus),
            file_pages=512,
        )
    )


def _filled(nr_nodes: int, nr_spaces: int = 1) -> Any:
    """Tasks with 512 pages each, present and on the LRU."""
    mem = machines.task_machine(nr_nodes, nr_blocks=_SIDE_BLOCKS, frame_bytes=512)
    for space in range(nr_spaces):
        migration.fault_in(mem, 0, space, 512)
    return mem


def _of_kind(kind: str, density: int) -> Any:
    """So many frames of a kind in one pageblock, and nothing else: when they move, they all move to another."""
    mem = machines.task_machine(1, nr_blocks=_SIDE_BLOCKS, frame_bytes=512, file_pages=512)
    if kind == "anon":
        migration.fault_in(mem, 0, 0, density)
    elif kind == "offline":
        migration.inflate(mem, 0, density)
    else:
        operations.file_work(mem, 0, operations.READ_IN, density)
    return mem


def _recorded() -> Any:
    from stress.snapshot.command import machine_of  # late: only this group reads recordings
    from stress.snapshot.load import start_from

    start = start_from(RECORDING, 1, _RECORDED_FRAME_BYTES, 1)
    return machine_of(start, start.params | policy_params({}) | {"seed": 1, "shadow_on": 0})


class _Recorded:
    """The recorded zone, put back before each compaction: its arrays are copied once."""

    def __init__(self, mem: Any, choose: Chore) -> None:
        # contents are not: a pass moves frames from one end of the zone to the other, and overwrites none that it moved
        self._saved = {name: array.copy() for name, array in mem.arrays.items() if name not in ("contents", "header")}
        self._choose = choose

    def put_back(self, mem: Any, cpu: int) -> None:
        """The zone as it was recorded, and the cell's policies."""
        for name, array in self._saved.items():
            mem.arrays[name][:] = array
        self._choose(mem, cpu)
