"""Processes that interpret workloads on virtual CPUs: python -m stress.predict.interpreted answers one JSON line for each that it reads.

Kernels are compiled in the command's own process, so they are interpreted in others.
"""

import json
import math
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from queue import SimpleQueue
from typing import Any

from stress.errors import HostError
from stress.process import itself

ACCESS_S = 15e-6  # of interpreting one access, about


@dataclass(frozen=True)
class VirtualJob:
    """One workload on some virtual CPUs.

    Fields      policies: as HotPath.values() gives them; costs in ns: of AccessCosts and LineCosts; cache_lines: of each private cache,
                None without a limit; warm_calls, calls: of each CPU; max_accesses: of all CPUs, after which the run ends
    """

    workload: str
    nr_cpus: int
    sockets: int = 1
    policies: dict[str, str] = field(default_factory=dict)
    plain_ns: float = 0.5
    atomic_ns: float = 2.5
    pause_ns: float = 20.0
    hold_ns: float = 0.0
    transfer_ns: float = 50.0
    socket_ns: float = 150.0
    cache_lines: int | None = None
    warm_calls: int = 4
    calls: int = 200
    seed: int = 1
    max_accesses: int = 120_000


@dataclass(frozen=True)
class VirtualResult:
    """Per operation: what moved, accesses. Also the operations counted, and the throughput of all CPUs."""

    nr_cpus: int
    ops: int
    ops_per_us: float
    transfers: float
    socket_transfers: float
    upgrades: float
    invalidations: float
    evictions: float
    plain: float
    atomics: float
    pauses: float


def interpret(job: VirtualJob) -> VirtualResult:
    """Run a job in this process, whose kernels are interpreted and explored."""
    from stress.predict.coherence import Coherence, LineCosts
    from stress.predict.virtual import AccessCosts, VirtualCpus
    from stress.predict.workloads import BY_NAME, machine

    workload = BY_NAME[job.workload]
    mem = machine(job.nr_cpus, job.sockets, job.policies)
    for cpu in range(job.nr_cpus):
        if workload.prepare is not None:
            workload.prepare(mem, cpu, 0)
        if not workload.pair_only:
            workload.work(mem, cpu, workload.call_ops)  # so that its lists are filled
    caches = Coherence(
        [int(nid) for nid in mem.arrays["cpu_nid"]], LineCosts(job.hold_ns, job.transfer_ns, job.socket_ns), job.cache_lines, job.seed
    )
    cpus = VirtualCpus(caches, job.nr_cpus, AccessCosts(job.plain_ns, job.atomic_ns, job.pause_ns), job.seed, job.max_accesses)
    progress = partial(_counted, mem, workload.counters) if workload.counters else None
    run = cpus.run(lambda cpu: workload.work(mem, cpu, workload.call_ops), job.warm_calls, job.calls, progress)
    ops = max(run.ops, 1)
    traffic, tally = asdict(run.traffic), asdict(run.tally)
    counted = {name: traffic[name] / ops for name in ("transfers", "socket_transfers", "upgrades", "invalidations", "evictions")}
    return VirtualResult(job.nr_cpus, run.ops, run.ops_per_us, **counted, **{name: each / ops for name, each in tally.items()})


def _counted(mem: Any, counters: tuple[str, ...]) -> int:
    from kernels.base.layout import COUNTER, COUNTER_STRIDE

    return sum(int(mem.arrays["counters"][COUNTER[name] :: COUNTER_STRIDE].sum()) for name in counters) // len(counters)


class Interpreters:
    """Some processes that interpret jobs; a context manager."""

    def __init__(self, nr_processes: int) -> None:
        environment = itself.environment(NUMBA_DISABLE_JIT="1", PFNSTORM_FLAVOUR="explored")
        words = itself.command(module="stress.predict.interpreted")
        self._processes = [
            subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(nr_processes)
        ]
        self._idle: SimpleQueue[subprocess.Popen[str]] = SimpleQueue()
        for process in self._processes:
            self._idle.put(process)

    def __enter__(self) -> "Interpreters":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()

    def _one(self, job: VirtualJob) -> VirtualResult:
        process = self._idle.get()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(asdict(job)) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except OSError:
            answer = ""
        finally:
            self._idle.put(process)
        found = json.loads(answer or "{}")
        if "ops" not in found:
            why = found.get("failed", "the process ended")
            raise HostError(f"interpreting {job.workload} on {job.nr_cpus} CPUs failed: {why}")
        return VirtualResult(**found)

    def results(self, jobs: Iterable[VirtualJob], end_s: float = math.inf) -> Iterator[VirtualResult]:
        """The results of jobs, in their order, as they become known.

        Parameters  end_s: of time.monotonic(): a job that would end later does not begin, nor does one after it
        """

        def begin(job: VirtualJob) -> VirtualResult | None:
            return self._one(job) if time.monotonic() + job.max_accesses * ACCESS_S < end_s else None

        with ThreadPoolExecutor(len(self._processes)) as pool:
            for result in pool.map(begin, jobs):
                if result is None:
                    return
                yield result


def main() -> int:
    for line in sys.stdin:
        job: dict[str, Any] = json.loads(line)
        try:
            answer = asdict(interpret(VirtualJob(**job)))
        except Exception as error:  # noqa: BLE001  # the command reports it, as one line
            answer = {"failed": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
