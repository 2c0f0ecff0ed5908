"""From a RunRequest to a Setup: geometry, parameters and plans, with every check that needs neither a machine nor compiled kernels."""

import shlex
from dataclasses import asdict, dataclass
from typing import Any

from kernels.base import flavour
from kernels.base.cache import source_hash
from kernels.base.layout import Geometry
from stress import roles
from stress.errors import UserError
from stress.io.text import MIB
from stress.machine.host import require_memory, require_processes, usable_cpus
from stress.machine.segment import segment_bytes
from stress.machine.sizes import MachineRequest, check_contig_blocks, check_movable_nodes, derived_params, geometry_of
from stress.snapshot.load import Start
from stress.storm.fragmentation import check_fragmentation
from stress.storm.scenario import Scenario, chosen_values, policy_params
from stress.storm.trace import Trace
from stress.storm.workers import UNCROWDED_WORKERS, Plan

REPLAY_ROLE = "replay"
CROWDED_NICENESS = 10  # of workers, where more than UNCROWDED_WORKERS share a processor
WORKER_BYTES = 8 * MIB  # what a worker may need beyond the segment


@dataclass(frozen=True)
class RunRequest:
    """A run with every value decided: nothing in it depends on an option that was left out.

    At most one of `trace` and `snapshot` is there. Without either, the scenario alone decides what the machine holds.
    """

    scenario: Scenario
    policies: dict[str, str]
    sizes: MachineRequest
    trace: Trace | None
    trace_name: str | None
    snapshot: Start | None
    seconds: float
    seed: int
    check: str
    chaos: float
    given: str  # the scenario as the user named it: a name, or a file


@dataclass(frozen=True)
class Setup:
    """Everything about a run that is decided before memory is taken."""

    request: RunRequest
    geometry: Geometry
    params: dict[str, int]
    plans: list[Plan]
    config: dict[str, Any]


def role_names() -> list[str]:
    """The names of all roles, by role index."""
    return [role.name for role in roles.ROLES]


def setup_of(request: RunRequest) -> Setup:
    """Derive the machine and the workers' plans, and check that the host can hold them.

    Raises      UserError, HostError
    """
    # the number of workers of a replay is that of the trace, whatever --workers says
    remedy = "use fewer --workers" if request.trace is None else "each CPU of the trace is a worker: record fewer CPUs"
    require_processes(request.sizes.nr_workers, remedy)
    geometry, params = sized_machine(request)
    require_memory(segment_bytes(geometry) + request.sizes.nr_workers * WORKER_BYTES)
    return Setup(request, geometry, params, plans_of(request), _config(request, geometry))


def sized_machine(request: RunRequest) -> tuple[Geometry, dict[str, int]]:
    """The geometry and the header parameters of a run's machine.

    Raises      UserError if the scenario does not fit a machine of these sizes
    """
    scenario, snapshot = request.scenario, request.snapshot
    if snapshot is not None:
        geometry, params = snapshot.geometry, dict(snapshot.params)
    else:
        geometry = geometry_of(request.sizes)
        params = derived_params(geometry) | {
            "reserved_frames": int(geometry.frames_per_node * request.sizes.reserved),
            "movable_nodes": check_movable_nodes(scenario.machine.movable_nodes, geometry),
        }
    if scenario.fragmentation is not None:
        check_fragmentation(scenario.fragmentation, geometry)
    if scenario.machine.contig_blocks is not None:
        params["contig_blocks"] = check_contig_blocks(scenario.machine.contig_blocks, geometry)
    params |= policy_params(request.policies) | {
        "pin_target": scenario.machine.pins,
        "seed": request.seed,
        "shadow_on": int(request.check == "full"),
        "chaos_ppm": round(request.chaos * 1_000_000),
    }
    return geometry, params


def plans_of(request: RunRequest) -> list[Plan]:
    """What each worker does and where it runs: the scenario's weights, or the replay of a trace.

    Raises      UserError if the scenario wants a replay without a trace
    """
    names, cpus = role_names(), usable_cpus()
    if request.trace is not None and REPLAY_ROLE not in names:
        raise UserError(f"a trace needs the role {REPLAY_ROLE!r}; known: {', '.join(names)}")
    niceness = CROWDED_NICENESS if request.sizes.nr_workers > UNCROWDED_WORKERS * len(cpus) else 0
    plans = []
    for cpu in range(request.sizes.nr_workers):
        weights = {REPLAY_ROLE: 1.0} if request.trace is not None else request.scenario.weights_of(cpu)
        if request.trace is None and weights.get(REPLAY_ROLE, 0) > 0:
            name = request.scenario.name
            raise UserError(f'scenario {name!r}: role {REPLAY_ROLE!r} needs a trace: write trace = "file.npz" instead of roles')
        plans.append(Plan(cpu, tuple(weights.get(name, 0.0) for name in names), cpus[cpu % len(cpus)], request.seed, niceness))
    return plans


def _config(request: RunRequest, geometry: Geometry) -> dict[str, Any]:
    """What the result says about how the run was configured."""
    sizes = request.sizes
    return {
        "scenario": request.scenario.name,
        "seconds": request.seconds,
        "workers": sizes.nr_workers,
        "nodes": sizes.nr_nodes,
        "memory_bytes": geometry.nr_frames * sizes.frame_bytes,
        "frame_bytes": sizes.frame_bytes,
        "seed": request.seed,
        "check": request.check,
        "chaos": request.chaos,
        "trace": request.trace_name,
        "snapshot": None if request.snapshot is None else str(request.snapshot.recording.path),
        "policies": chosen_values(request.policies),
        "flavour": flavour.FLAVOUR + (" interpreted" if flavour.INTERPRETED else ""),
        "source_hash": source_hash(),
        "geometry": asdict(geometry),
        "command": command_of(request),
    }


def command_of(request: RunRequest) -> str:
    """The command that makes the same machine and the same choices of each worker; the interleaving is another one."""
    sizes, scenario = request.sizes, request.scenario
    words = ["pfnstorm", "run", request.given, "--seconds", f"{request.seconds:g}", "--workers", str(sizes.nr_workers)]
    if request.snapshot is not None:
        words += ["--snapshot", str(request.snapshot.recording.path)]
    else:
        words += ["--nodes", str(sizes.nr_nodes), "--memory", str(sizes.memory_bytes)]
    if request.trace_name is not None and request.trace_name != scenario.trace:
        words += ["--trace", request.trace_name]
    words += ["--frame-bytes", str(sizes.frame_bytes), "--seed", str(request.seed), "--check", request.check]
    words += ["--chaos", f"{request.chaos:g}"] if request.chaos else []
    changed = {name: value for name, value in request.policies.items() if scenario.policy.get(name) != value}
    words += [word for name, value in changed.items() for word in ("--set", f"{name}={value}")]
    flavour_word = f"PFNSTORM_FLAVOUR={flavour.FLAVOUR} " if flavour.FLAVOUR == "bounds" else ""
    return flavour_word + shlex.join(words)
