"""The group `exploring`: microseconds per schedule of a model, by memory model and strategy.

An engine is one in a process, so each cell has a crew of one worker, which makes its engine at its first slice.
"""

import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from stress.explore import state
from stress.explore.engine import Engine
from stress.explore.models import known_models
from stress.machine.host import usable_cpus
from stress.measure import calibration
from stress.measure.crew import PART_NS, Crew, TimedCell
from stress.measure.effort import Effort
from stress.measure.grid import SEED, CellSpec
from stress.process.build import build_entries

MODEL = "refcount-cas"


class Explorer:
    """Runs schedules of one cell; the engine is made in the process that first needs it."""

    def __init__(self, spec: CellSpec) -> None:
        _, memory, self._strategy = spec.operation.split(", ")
        self._memory, self._clocks = memory.split()[0], memory.endswith("clocks")
        self._engine: Engine | None = None

    def _made(self) -> Engine:
        if self._engine is None:
            self._engine = Engine(known_models()[MODEL], self._memory, races=self._clocks)
        return self._engine

    def compile(self) -> None:
        """Explore once, so that all code is compiled or loaded, and leave this process without an engine."""
        self.explore(None, 0, 1)
        self._made().close()
        self._engine = None

    def explore(self, _mem: Any, _cpu: int, nr_schedules: int) -> int:
        """So many schedules; an exhaustive strategy that is complete begins again."""
        engine, done = self._made(), 0
        while done < nr_schedules:
            engine.begin(self._strategy, 1)
            engine.explore(0, nr_schedules - done)
            if engine.found() is not None or engine.words[state.TOTAL_STEPS] == 0:
                break
            done += engine.nr_run
        return done

    def calibrate(self, _mem: Any, cpu: int, nr_ops: int) -> int:
        """Arithmetic in registers: it is the same in every flavour."""
        return int(calibration.plain(self._made().mem, cpu, nr_ops))


def slices_of(specs: list[CellSpec], effort: Effort) -> dict[str, Any]:
    """As stress.measure.alternation.slices_of()."""
    build_entries([calibration.plain.name])
    explorers = [Explorer(spec) for spec in specs]
    for each in explorers:
        each.compile()  # before the workers are forked
    taken: dict[str, Any] = {spec.name: {"slices": [], "counts": {}} for spec in specs}
    with ExitStack() as stack:
        slices: list[tuple[str, Callable[[], Any]]] = []
        for spec, each in zip(specs, explorers, strict=True):
            cell = TimedCell(spec.name, 1, each.explore, None, each.calibrate, None)
            crew = stack.enter_context(Crew([cell], usable_cpus(), effort.part_ns or PART_NS))
            crew.size(0)
            slices.append((spec.name, lambda crew=crew: crew.slice(0)))  # type: ignore[misc]
        start, order, rounds = time.monotonic(), random.Random(SEED), 0
        while rounds < effort.slices or time.monotonic() - start < effort.seconds:
            order.shuffle(slices)
            rounds += 1
            for name, take in slices:
                slice_ = take()
                taken[name]["slices"].append((slice_.cell_ns, slice_.calibration_ns))
    return taken
