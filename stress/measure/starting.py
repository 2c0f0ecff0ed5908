"""The group `starting`: import of the command, a warm start to the first operation, workers ready; and what a worker needs of memory.

python -m stress.measure.starting first         starts, makes the machine of the scenario storm, and runs one operation
python -m stress.measure.starting ready N       starts N workers, and prints the seconds from the supervisor's start until all are
                                                parked for the first time, and the bytes of one worker beyond the segment
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from stress.measure.bare import alternate, run_module
from stress.measure.effort import Effort
from stress.measure.grid import CellSpec

MEMORY_BYTES = 64 << 20
SAMPLED = 3  # workers whose memory is read


def slices_of(specs: list[CellSpec], effort: Effort) -> dict[str, Any]:
    """As stress.measure.alternation.slices_of()."""
    taken = alternate([spec for spec in specs if "ready" not in spec.operation], effort.repeats, _cpu_ns)
    ready = [spec for spec in specs if "ready" in spec.operation]
    return taken | (alternate(ready, effort.repeats, lambda spec: 1e9 * _ready(spec.workers)["seconds"], wall=True) if ready else {})


def figures(_: Effort) -> dict[str, float]:
    """Bytes of one worker beyond the segment."""
    result = _ready(64)
    return {"PSS": result["pss_bytes"], "USS": result["uss_bytes"]}


def _cpu_ns(spec: CellSpec) -> float:
    if spec.operation.startswith("import"):
        return run_module("stress", "--help").cpu_ns
    return run_module("stress.measure.starting", "first", PFNSTORM_FLAVOUR="fast").cpu_ns


def _ready(nr_workers: int) -> dict[str, float]:
    result: dict[str, float] = json.loads(run_module("stress.measure.starting", "ready", str(nr_workers), PFNSTORM_FLAVOUR="fast").printed)
    return result


# ----------------------------------------------------------------------------------------------------- the started programs


def _setup(nr_workers: int) -> Any:
    from stress.machine.sizes import MachineRequest
    from stress.run.setup import RunRequest, setup_of
    from stress.storm.scenario import find_scenario, read_scenario

    scenario = read_scenario(find_scenario("storm"))
    memory_bytes = max(MEMORY_BYTES, nr_workers << 21)
    sizes = MachineRequest(nr_workers, scenario.machine.nodes or 1, memory_bytes, 512, 9)
    return setup_of(RunRequest(scenario, dict(scenario.policy), sizes, None, None, None, 1.0, 1, "none", 0.0, "storm"))


def _first() -> None:
    from stress import roles
    from stress.run.storming import make_machine

    mem = make_machine(_setup(1))
    roles.run_batch(mem, 0, 0, 1)


def _print_ready(nr_workers: int) -> None:
    from stress import roles
    from stress.run.setup import role_names
    from stress.run.storming import make_machine
    from stress.storm.supervisor import Interrupts, Supervisor

    setup = _setup(nr_workers)
    mem = make_machine(setup)
    result: dict[str, float] = {}
    start = time.monotonic()

    def on_ready() -> None:
        result["seconds"] = time.monotonic() - start
        result.update(_memory_of_workers())

    Supervisor(mem, setup.plans, roles.run_batch, role_names(), None, lambda _elapsed, _parked: None).run(0.05, Interrupts(), on_ready)
    print(json.dumps(result))


def _memory_of_workers() -> dict[str, float]:
    pids = Path("/proc/self/task").joinpath(str(_own_pid()), "children").read_text().split()[:SAMPLED]
    kinds = [_beyond_segment(Path("/proc", pid, "smaps").read_text()) for pid in pids]
    return {f"{name}_bytes": sum(each[name] for each in kinds) / len(kinds) for name in ("pss", "uss")}


def _own_pid() -> int:
    return int(Path("/proc/self").resolve().name)


def _beyond_segment(smaps: str) -> dict[str, int]:
    """The proportional and the unique set of a process in bytes, without the mapping of the segment."""
    sums, in_segment = {"pss": 0, "uss": 0}, False
    for line in smaps.splitlines():
        name, _, rest = line.partition(":")
        if "-" in name.split(" ")[0]:  # the head of a mapping
            in_segment = "memfd:pfnstorm" in line
        elif not in_segment and name in ("Pss", "Private_Clean", "Private_Dirty"):
            sums["pss" if name == "Pss" else "uss"] += 1024 * int(rest.split()[0])
    return sums


def main() -> None:
    if sys.argv[1] == "first":
        _first()
    else:
        _print_ready(int(sys.argv[2]))


if __name__ == "__main__":
    main()
