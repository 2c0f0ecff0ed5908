"""The group `overhead`: what the harness costs a storm of one role at --check none, over the bare loop that calls the same batches.

Both run one worker on a machine of the same sizes, from the same seed, for the same CPU time, in alternation; the figure is CPU time per
operation of the storm over that of the loop. The storm's is of its worker alone, as the supervisor sees it after its end.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from stress.measure.bare import run_module
from stress.measure.effort import Effort

ROLE, SECONDS = "kernel", 3.0  # long beside the start of a worker, which is in its CPU time
MEMORY_BYTES = 64 << 20
SCENARIO = """name = "one-role"
summary = "the harness over the bare loop"

[machine]
nodes = 1

[roles]
kernel = 1
"""


def figures(effort: Effort) -> dict[str, float]:
    """The median of the ratios of neighbouring runs, storm over loop, and its distance from 1."""
    ratios = []
    for number in range(effort.repeats):
        pair = [_storm_ns(number), _loop_ns(number)] if number % 2 else [_loop_ns(number), _storm_ns(number)][::-1]
        ratios.append(pair[0] / pair[1])
    return {"storm over bare loop": float(np.median(ratios))}


def _storm_ns(seed: int) -> float:
    with tempfile.TemporaryDirectory(prefix="pfnstorm-") as folder:
        scenario, file = Path(folder) / "one.toml", Path(folder) / "run.json"
        scenario.write_text(SCENARIO, encoding="utf-8")
        words = ["run", str(scenario), "--seconds", f"{SECONDS:g}", "--workers", "1", "--memory", str(MEMORY_BYTES), "--frame-bytes", "512"]
        words += ["--check", "none", "--seed", str(seed), "--json", str(file)]
        run_module("stress", *words, PFNSTORM_FLAVOUR="fast", PFNSTORM_RESULTS_DIR=folder)
        result: dict[str, Any] = json.loads(file.read_text())
    return 1e9 * float(result["cpu_seconds"]) / float(result["roles"][ROLE]["operations"])


def _loop_ns(seed: int) -> float:
    return float(json.loads(run_module("stress.measure.overhead", str(seed), PFNSTORM_FLAVOUR="fast").printed))


def main() -> None:
    """The bare loop: ns per operation."""
    from kernels.policy import boot
    from stress import roles
    from stress.machine.host import usable_cpus
    from stress.machine.segment import calibrate_cycles, create_machine, set_param
    from stress.machine.sizes import MachineRequest, derived_params, geometry_of
    from stress.storm.entries import build_storm_entries
    from stress.storm.scenario import policy_params
    from stress.storm.workers import BATCH_TARGET_NS, NR_OPS_MAX

    os.sched_setaffinity(0, usable_cpus()[:1])  # where the storm's worker runs
    build_storm_entries()
    geometry = geometry_of(MachineRequest(1, 1, MEMORY_BYTES, 512, 9))
    mem = create_machine(geometry, derived_params(geometry) | policy_params({}) | {"seed": int(sys.argv[1]), "pin_target": 16})
    set_param(mem, "cycles_per_us", calibrate_cycles(mem, boot.read_cycles))
    boot.boot(mem, 0)
    role, nr_ops, done = roles.ROLE_INDEX[ROLE], 1, 0
    start_ns = time.thread_time_ns()
    while (spent_ns := time.thread_time_ns() - start_ns) < SECONDS * 1e9:
        roles.run_batch(mem, 0, role, nr_ops)
        done += nr_ops
        if nr_ops * spent_ns < done * BATCH_TARGET_NS:
            nr_ops = min(2 * nr_ops, NR_OPS_MAX)
    print(json.dumps((time.thread_time_ns() - start_ns) / done))


if __name__ == "__main__":
    main()
