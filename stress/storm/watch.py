"""Deaths, stops and stalls of workers, and their diagnosis.

The kernel reports a death or a stop to the parent. A stall is measured in the worker's own CPU time, never by the wall clock: a worker
that did not run because the host is busy has not stalled.
"""

import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kernels.base.layout import EXIT_ABANDONED, EXIT_BUG
from stress.machine.segment import describe_lock, read_params

STALL_CPU_NS = 2_000_000_000
_LOOK_INTERVAL_S = 0.5
_STOP_CONFIRM_S = 0.3  # Ctrl-Z and fg of the whole group is not a stall


@dataclass
class Loss:
    """Why a storm cannot continue; `verdict` is died, stalled or violated."""

    verdict: str
    cpu: int
    pid: int
    how: str
    details: list[str] = field(default_factory=list)

    def summary(self) -> str:
        return f"worker {self.cpu} (pid {self.pid}) {self.how}"


def process_state(pid: int) -> str:
    """The state letter of a process (R, S, D, T, t, Z); "" if it does not exist."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return text.rpartition(")")[2].split()[0]


def cpu_time_ns(pid: int) -> int:
    """The CPU time of a process: from schedstat, else in clock ticks from stat; 0 if it does not exist."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
    except (FileNotFoundError, ProcessLookupError):
        pass  # no such process, or a kernel without CONFIG_SCHED_INFO
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return (int(fields[11]) + int(fields[12])) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


class Watch:
    """Watches the workers of one machine. `pids[cpu]` is the process of a CPU."""

    def __init__(self, mem: Any, pids: list[int], role_names: list[str]) -> None:
        self.alive: dict[int, int] = {pid: cpu for cpu, pid in enumerate(pids)}
        self._mem = mem
        self._role_names = role_names
        self._stopped_since: dict[int, float] = {}
        self._next_look = 0.0
        self._progress: dict[int, tuple[int, int]] = {}  # pid -> (batches, CPU time when they last moved)

    def look(self, *, expect_exit: bool = False) -> Loss | None:
        """Reap workers and return the first loss. Call it every few hundredths of a second.

        Parameters  expect_exit: the workers are stopping, so that status 0 is no loss
        """
        return self._reap(expect_exit) or self._confirm_stops() or self._look_for_stalls()

    def forget_progress(self) -> None:
        """Restart the measurement of stalls: the workers were parked."""
        self._progress.clear()

    # -- deaths and stops

    def _reap(self, expect_exit: bool) -> Loss | None:
        loss: Loss | None = None
        while self.alive:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid not in self.alive:
                continue
            if os.WIFSTOPPED(status):
                self._stopped_since.setdefault(pid, time.monotonic())
                continue
            cpu = self.alive.pop(pid)
            self._stopped_since.pop(pid, None)
            found = self._judge_exit(cpu, pid, status, expect_exit)
            # a worker that broke an invariant explains the workers that died because of it
            if found is not None and (loss is None or (found.verdict == "violated" and loss.verdict != "violated")):
                loss = found
        return loss

    def _judge_exit(self, cpu: int, pid: int, status: int, expect_exit: bool) -> Loss | None:
        code = os.waitstatus_to_exitcode(status)
        if code == 0 and expect_exit:
            return None
        if code in (EXIT_BUG, EXIT_ABANDONED) and self._mem.arrays["halt"][0]:
            return Loss("violated", cpu, pid, "broke an invariant" if code == EXIT_BUG else "exited because the machine was halted")
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with status {code}"
        return Loss("died", cpu, pid, how, self.diagnose(cpu))

    def _confirm_stops(self) -> Loss | None:
        for pid, since in list(self._stopped_since.items()):
            if process_state(pid) != "T":
                del self._stopped_since[pid]
            elif time.monotonic() - since > _STOP_CONFIRM_S:
                cpu = self.alive[pid]
                return Loss("stalled", cpu, pid, "was stopped by a signal (state T)", self.diagnose(cpu))
        return None

    # -- stalls

    def _look_for_stalls(self) -> Loss | None:
        if time.monotonic() < self._next_look:
            return None
        self._next_look = time.monotonic() + _LOOK_INTERVAL_S
        batches = self._mem.arrays["cpu_batches"]
        for pid, cpu in self.alive.items():
            done, now_ns = int(batches[cpu]), cpu_time_ns(pid)
            before = self._progress.get(pid)
            if before is None or before[0] != done:
                self._progress[pid] = (done, now_ns)
            elif now_ns - before[1] > STALL_CPU_NS:
                ran_s = (now_ns - before[1]) / 1e9
                return Loss("stalled", cpu, pid, f"finished no batch in {ran_s:.1f} s of its own CPU time", self.diagnose(cpu))
        return None

    # -- the diagnosis

    def diagnose(self, cpu: int) -> list[str]:
        """One line each: what a worker ran, what it waited for, what it held, which workers waited for it."""
        arrays, params = self._mem.arrays, read_params(self._mem.arrays)
        role = int(arrays["cpu_role"][cpu])
        name = self._role_names[role] if 0 <= role < len(self._role_names) else f"number {role}"
        lines = [f"worker {cpu} ran role {name}, batch {int(arrays['cpu_batches'][cpu])}"]
        waits = int(arrays["cpu_waits"][cpu]) - 1
        if waits >= 0:
            lines.append(f"worker {cpu} waited for the {describe_lock(params, waits)}, {self._owner_text(waits)}")
        owned = [describe_lock(params, int(lock)) for lock in np.flatnonzero(arrays["lock_word"] == cpu + 1)]
        lines.append(f"worker {cpu} held {', '.join(owned) if owned else 'no lock'}")
        waiting = [int(other) for other in np.flatnonzero(arrays["cpu_waits"]) if self._waits_for(int(other), cpu)]
        if waiting:
            lines.append(f"waiting for worker {cpu}: {', '.join(f'worker {other}' for other in waiting)}")
        return lines

    def _owner_text(self, lock: int) -> str:
        words = self._mem.arrays["lock_word"]
        if lock >= len(words):  # a bit in the folio's flags has no room for an owner
            return "owner unknown"
        if words[lock] < 0:  # shared: readers are counted, not named
            return f"shared by {-int(words[lock])} readers"
        return f"owned by worker {int(words[lock]) - 1}" if words[lock] else "free meanwhile"

    def _waits_for(self, waiter: int, owner: int) -> bool:
        arrays = self._mem.arrays
        lock = int(arrays["cpu_waits"][waiter]) - 1
        return 0 <= lock < len(arrays["lock_word"]) and bool(arrays["lock_word"][lock] == owner + 1)
