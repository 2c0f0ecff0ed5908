"""One run from options to result: scenario, machine, build, storm, report. The kernels' flavour was chosen before this is imported."""

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from kernels.base import flavour
from kernels.base.cache import source_hash
from kernels.base.layout import Geometry
from kernels.policy import boot
from stress import checkers, roles
from stress.errors import EXIT_OF_VERDICT, UserError
from stress.io.json_report import check_json_path, write_report
from stress.machine.host import MIB, describe_host, require_memory, require_processes, usable_cpus
from stress.machine.segment import calibrate_cycles, create_machine, save_machine, segment_bytes, set_param
from stress.machine.sizes import (
    Request,
    check_contig_blocks,
    check_movable_nodes,
    check_workers,
    default_memory,
    default_workers,
    derived_params,
    geometry_of,
    memory_for,
    parse_size,
)
from stress.process import build
from stress.run.live import LiveView
from stress.run.report import render
from stress.run.store import RunStore
from stress.snapshot.load import Start, load, start_from
from stress.storm.fragmentation import Series, check_fragmentation, prepare_machine, read_buddyinfo
from stress.storm.outcome import collect, read_totals
from stress.storm.scenario import Scenario, chosen_values, find_scenario, parse_policies, policy_params, read_scenario
from stress.storm.supervisor import Ending, Interrupts, Supervisor
from stress.storm.trace import Trace, read_trace
from stress.storm.workers import Plan

REPLAY_ROLE = "replay"
WORKER_BYTES = 8 * MIB  # what a worker may need beyond the segment


@dataclass(frozen=True)
class Options:
    """The command line of `pfnstorm run`; None: the scenario's value, or one that fits the host."""

    scenario: str
    seconds: float
    workers: int | None
    nodes: int | None
    memory: str | None
    frame_bytes: int | None
    seed: int | None
    check: str
    settings: tuple[str, ...]
    chaos: float
    trace: Path | None
    snapshot: Path | None
    json: Path | None
    save: bool


@dataclass(frozen=True)
class Setup:
    """Everything that is decided before memory is taken."""

    scenario: Scenario
    geometry: Geometry
    params: dict[str, int]
    plans: list[Plan]
    trace: Trace | None
    snapshot: Start | None
    config: dict[str, Any]


def role_names() -> list[str]:
    return [role.name for role in roles.ROLES]


def execute(options: Options) -> tuple[dict[str, Any], int]:
    """Run, print, save; returns the result and the exit code.

    Raises      PfnstormError for what the user or the host got wrong, KeyboardInterrupt before the storm began
    """
    setup = prepare(options)
    modules: tuple[str, ...] = build.RUN_MODULES
    if setup.scenario.fragmentation is not None:
        from stress.roles import _prepare  # only here: its entry is built for those who need it

        modules = (*modules, _prepare.__name__)
    build.build_entries(build.entries_of(modules))
    mem = create_machine(setup.geometry, setup.params)
    set_param(mem, "cycles_per_us", calibrate_cycles(mem, boot.read_cycles))
    boot.boot(mem, 0)
    if setup.scenario.fragmentation is not None:
        prepare_machine(mem, setup.scenario.fragmentation, _prepare.prepare)
    if setup.trace is not None:
        setup.trace.write_to(mem)
    if setup.snapshot is not None:
        load(mem, setup.snapshot)
    host = describe_host()
    store = RunStore(setup.scenario.name, setup.config, host) if options.save else None
    try:
        result = _storm(mem, setup, options, host, store)
    finally:
        if store is not None:
            store.close()
    unwritten = _publish(result, options, store, mem)
    return result, EXIT_OF_VERDICT[result["verdict"]] or unwritten


def prepare(options: Options) -> Setup:
    """Check everything that can be checked before memory is taken or kernels are built.

    Raises      UserError, HostError
    """
    path = find_scenario(options.scenario)
    scenario = read_scenario(path, role_names())
    policies = {**scenario.policy, **parse_policies(options.settings)}
    if options.json is not None:
        check_json_path(options.json)
    trace = _trace_of(options, scenario, path)
    if options.trace is not None or options.snapshot is not None:
        # they belong to the roles that the trace replaces, or to another machine than the recorded one
        scenario = scenario.model_copy(update={"meetings": ()})
    request = replace(_request(options, scenario, trace), window_blocks=policy_params(policies)["window_blocks"])
    require_processes(request.nr_workers)
    snapshot = _snapshot_of(options, scenario, request)
    if snapshot is not None:
        geometry, params = snapshot.geometry, snapshot.params | policy_params(policies)
        request = replace(request, nr_nodes=1, frame_bytes=snapshot.frame_bytes)
    else:
        geometry = geometry_of(request)
        params = derived_params(geometry) | policy_params(policies)
        params["reserved_frames"] = int(geometry.frames_per_node * request.reserved)
        params["movable_nodes"] = check_movable_nodes(scenario.machine.movable_nodes, geometry)
    if scenario.fragmentation is not None:
        check_fragmentation(scenario.fragmentation, geometry)
    require_memory(segment_bytes(geometry) + request.nr_workers * WORKER_BYTES)
    seed = options.seed if options.seed is not None else int.from_bytes(os.urandom(4), "little") >> 1
    params["pin_target"] = scenario.machine.pins
    if scenario.machine.contig_blocks is not None:
        params["contig_blocks"] = check_contig_blocks(scenario.machine.contig_blocks, geometry)
    params |= {"seed": seed, "shadow_on": int(options.check == "full"), "chaos_ppm": round(options.chaos * 1_000_000)}
    plans = _plans(scenario, trace, request.nr_workers, seed)
    return Setup(scenario, geometry, params, plans, trace, snapshot, _config(options, scenario, request, geometry, seed, policies))


def _snapshot_of(options: Options, scenario: Scenario, request: Request) -> Start | None:
    if options.snapshot is None:
        return None
    given_too = (
        ("--trace", options.trace or scenario.trace),
        ("--memory", options.memory),
        ("--nodes", (options.nodes or 1) > 1),
        ("a scenario with [fragmentation]", scenario.fragmentation),
    )
    for name, given in given_too:
        if given:
            raise UserError(f"{name}: not with --snapshot, whose recording is one node with the frames that it has")
    return start_from(options.snapshot, request.nr_workers, options.frame_bytes, request.window_blocks)


def _trace_of(options: Options, scenario: Scenario, path: Path) -> Trace | None:
    if options.trace is not None:
        return read_trace(options.trace)
    return read_trace(path.parent / scenario.trace) if scenario.trace else None


def _request(options: Options, scenario: Scenario, trace: Trace | None) -> Request:
    machine = scenario.machine
    frame_bytes = options.frame_bytes or machine.frame_bytes
    if trace is not None and options.workers not in (None, trace.nr_cpus):
        raise UserError(f"--workers {options.workers}: the trace has {trace.nr_cpus} CPUs, and each is a worker")
    wanted = options.memory or machine.memory
    request = Request(
        nr_workers=trace.nr_cpus
        if trace
        else check_workers(options.workers if options.workers is not None else machine.workers or default_workers()),
        nr_nodes=options.nodes or machine.nodes,
        memory_bytes=parse_size(wanted) if wanted else default_memory(),
        frame_bytes=frame_bytes,
        pageblock_order=machine.pageblock_order,
        fill=machine.fill,
        reserved=machine.reserved,
        nr_trace_events=trace.nr_events if trace else 0,
        max_trace_pfn=trace.nr_slots if trace else 0,
    )
    if trace is not None and not wanted:
        request = replace(request, memory_bytes=memory_for(trace.machine_frames, request))
    return request


def _plans(scenario: Scenario, trace: Trace | None, nr_workers: int, seed: int) -> list[Plan]:
    names, cpus = role_names(), usable_cpus()
    if trace is not None and REPLAY_ROLE not in names:
        raise UserError(f"a trace needs the role {REPLAY_ROLE!r}; known: {', '.join(names)}")
    plans = []
    for cpu in range(nr_workers):
        weights = {REPLAY_ROLE: 1.0} if trace is not None else scenario.weights_of(cpu)
        if trace is None and weights.get(REPLAY_ROLE, 0) > 0:
            raise UserError(f'scenario {scenario.name!r}: role {REPLAY_ROLE!r} needs a trace: write trace = "file.npz" instead of roles')
        plans.append(Plan(cpu, tuple(weights.get(name, 0.0) for name in names), cpus[cpu % len(cpus)], seed))
    return plans


def _config(
    options: Options, scenario: Scenario, request: Request, geometry: Geometry, seed: int, policies: dict[str, str]
) -> dict[str, Any]:
    return {
        "scenario": scenario.name,
        "seconds": options.seconds,
        "workers": request.nr_workers,
        "nodes": request.nr_nodes,
        "memory_bytes": geometry.nr_frames * request.frame_bytes,
        "frame_bytes": request.frame_bytes,
        "seed": seed,
        "check": options.check,
        "chaos": options.chaos,
        "trace": str(options.trace or scenario.trace or "") or None,
        "snapshot": str(options.snapshot or "") or None,
        "policies": chosen_values(policies),
        "flavour": flavour.FLAVOUR + (" interpreted" if flavour.INTERPRETED else ""),
        "source_hash": source_hash(),
        "geometry": asdict(geometry),
    }


def _storm(mem: Any, setup: Setup, options: Options, host: dict[str, Any], store: RunStore | None) -> dict[str, Any]:
    names = role_names()
    shown = [index for index in range(len(names)) if any(plan.weights[index] > 0 for plan in setup.plans)]
    before: list[list[int]] = []
    series = Series()
    view = LiveView(names, shown, options.seconds, setup.config["frame_bytes"])

    def on_second(elapsed_s: float, parked_s: float) -> None:
        totals = read_totals(mem, len(names))
        view.update(elapsed_s, totals)
        series.sample(elapsed_s, mem)
        if store is not None:
            store.append(elapsed_s, parked_s, names, totals)

    def on_ready() -> None:
        before.extend(read_buddyinfo(mem))
        series.sample(0.0, mem)

    check_all = None if options.check == "none" else checkers.check_all
    supervisor = Supervisor(mem, setup.plans, roles.run_batch, names, check_all, on_second)
    with Interrupts().caught() as interrupts, view:
        ending: Ending = supervisor.run(options.seconds, interrupts, on_ready)
    return collect(
        mem,
        ending,
        role_names=names,
        required_meetings=setup.scenario.meetings,
        floor_per_minute=setup.scenario.floor_per_minute,
        config=setup.config,
        host=host,
        buddyinfo_before=before,
        fragmentation=series.to_json(),
    )


def _publish(result: dict[str, Any], options: Options, store: RunStore | None, mem: Any) -> int:
    """Save and print, whichever of the two fails: what cannot be saved is seen, and what cannot be printed is kept.

    Returns     EXIT_HOST if the JSON could not be written
    """
    try:
        unwritten = write_report(options.json, result)
        if store is not None:
            store.finish(result)
            if result["violations"] or result["diagnosis"]:
                _save_broken(mem, store.folder)
    finally:
        print(render(result), flush=True)
    if store is not None:
        print(f"saved in {store.folder}", file=sys.stderr)
    return unwritten


def _save_broken(mem: Any, folder: Path) -> None:
    try:
        save_machine(mem, folder / "machine.npz")
    except OSError as error:  # the verdict matters more than the evidence
        print(f"pfnstorm: cannot save the machine: {error}", file=sys.stderr)


def describe_roles() -> Sequence[tuple[str, str]]:
    return [(role.name, role.summary) for role in roles.ROLES]
