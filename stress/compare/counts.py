"""Atomics and cache lines of a migration, counted by interpreting the kernels: python -m stress.compare.counts AXIS prints them.

Every access of a kernel goes through a Field, and every atomic through a function of kernels.base.atomics, so both are counted where they
happen; nothing is estimated. Not counted: contents of frames, and the model's own records (counters, stages, the flight recorder).
A line is 64 bytes; the lines of a stage are distinct within one migration of all frames of a load.
"""

import json
import subprocess
import sys
from collections import defaultdict
from typing import Any

from stress.errors import HostError
from stress.process import itself

LINE_BYTES = 64
ATOMIC = ("cas_", "fetch_", "exchange_")
UNCOUNTED = ("contents", "counters", "lockstat", "stage_cycles", "ring", "rolestat", "cpus")
SHOWN = ("scan", "isolate", "unmap", "flush", "move", "putback")


class AccessTally:
    """Atomics, and lines in the order in which they were touched."""

    def __init__(self) -> None:
        self.atomics = 0
        self.lines: list[int] = []
        self._marks: list[tuple[int, int]] = []
        self.stage_atomics: dict[int, int] = defaultdict(int)
        self.stage_lines: dict[int, set[int]] = defaultdict(set)
        self.stage_accesses: dict[int, int] = defaultdict(int)

    def begin(self, _mem: Any) -> int:
        self._marks.append((self.atomics, len(self.lines)))
        return len(self._marks) - 1

    def end(self, mem: Any, _cpu: int, stage: int, begin: int) -> int:
        atomics, first = self._marks[begin]
        self.stage_atomics[stage] += self.atomics - atomics
        self.stage_lines[stage].update(self.lines[first:])
        self.stage_accesses[stage] += len(self.lines) - first
        return self.begin(mem)


def _instrument(tally: AccessTally) -> None:
    """Put counters into atomics, fields and stages. This comes before any other kernel is imported: kernels import them by name."""
    from kernels.base import atomics, memory, stage

    def counting(function: Any) -> Any:
        def counted(*arguments: Any) -> Any:
            tally.atomics += 1
            return function(*arguments)

        return counted

    for name in dir(atomics):
        if name.startswith(ATOMIC):
            setattr(atomics, name, counting(getattr(atomics, name)))
    from kernels.base.layout import ARRAYS, FIELDS

    uncounted = {name for name, (slot, *_) in FIELDS.items() if ARRAYS[slot].name in UNCOUNTED}
    check = memory.Field.check

    def checked(self: Any, index: int) -> None:
        check(self, index)
        if self.name not in uncounted:
            tally.lines.append((self.array.__array_interface__["data"][0] + self.array.strides[0] * index) // LINE_BYTES)

    memory.Field.check = checked  # type: ignore[method-assign]  # loads and stores both pass it
    stage.stage_begin, stage.stage_end = tally.begin, tally.end


def _count(axis: str) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """load -> interface -> stage -> {atomics, lines, accesses} per migrated frame."""
    tally = AccessTally()
    _instrument(tally)
    from kernels.base.stage import STAGES
    from stress.compare.windows import Windows, loads_of

    windows = Windows(frame_bytes=64, nr_spaces=1)
    result: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for load in loads_of(axis):
        for value in load.values(axis):
            windows.choose(axis, load, value)
            windows.fill(load)
            for counts in (tally.stage_atomics, tally.stage_lines, tally.stage_accesses):
                counts.clear()
            tally.lines.clear()
            migrated = windows.migrate(load, value)
            result.setdefault(load.name, {})[value] = {
                name: {
                    "atomics": tally.stage_atomics[number] / migrated,
                    "lines": len(tally.stage_lines[number]) / migrated,
                    "accesses": tally.stage_accesses[number] / migrated,
                }
                for number, name in enumerate(STAGES)
                if name in SHOWN
            }
            windows.empty(load)
    return result


def counts(axis: str) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """As _count(), in a process with interpreted kernels.

    Raises      HostError if that process failed
    """
    environment = itself.environment(NUMBA_DISABLE_JIT="1", PFNSTORM_FLAVOUR="fast")
    done = subprocess.run(
        itself.command(axis, module="stress.compare.counts"), capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode:
        raise HostError(f"counting by interpretation failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    return dict(json.loads(done.stdout))


if __name__ == "__main__":
    print(json.dumps(_count(sys.argv[1])))
