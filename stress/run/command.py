"""`pfnstorm run`: RunOptions -> RunRequest -> Setup -> machine -> result. The kernels' flavour was chosen before this is imported."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernels.base import flavour
from stress.errors import EXIT_OF_VERDICT, UserError
from stress.io.json_report import check_json_path, write_report
from stress.machine.host import describe_host
from stress.machine.segment import save_machine
from stress.machine.sizes import MachineRequest, check_workers, default_memory, default_workers, memory_for, parse_size
from stress.run.report import render
from stress.run.setup import RunRequest, Setup, role_names, setup_of
from stress.run.store import RunStore
from stress.run.storming import make_machine, storm
from stress.snapshot.load import Start, start_from
from stress.storm.scenario import Scenario, find_scenario, parse_policies, policy_params, read_scenario
from stress.storm.trace import Trace, read_trace


@dataclass(frozen=True)
class RunOptions:
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


def execute(options: RunOptions) -> int:
    """Storm, print and save.

    Returns     the exit code
    Raises      PfnstormError for what the user or the host got wrong, KeyboardInterrupt before the storm began
    """
    setup = prepare(options)
    require_atomic(setup)
    mem = make_machine(setup)
    store = RunStore(setup.request.scenario.name, setup.config, describe_host()) if options.save else None
    try:
        result = storm(mem, setup, store)
    finally:
        if store is not None:
            store.close()
    unwritten = _publish(result, options, store, mem)
    return EXIT_OF_VERDICT[result["verdict"]] or unwritten


def perform(options: RunOptions, on_machine: Callable[[Any], object]) -> dict[str, Any]:
    """Storm for another program: the result is returned, neither printed nor saved; `json` and `save` are ignored.

    Parameters  on_machine: called with the machine before the storm
    Raises      as execute()
    """
    setup = prepare(options)
    require_atomic(setup)
    mem = make_machine(setup)
    on_machine(mem)
    return storm(mem, setup)


def prepare(options: RunOptions) -> Setup:
    """Check everything that can be checked before memory is taken or kernels are built.

    Raises      UserError, HostError
    """
    if options.json is not None:
        check_json_path(options.json)
    setup = setup_of(request_of(options))
    scenario = setup.request.scenario
    if options.trace is not None and (scenario.roles or scenario.workers):
        print(f"pfnstorm: --trace: its replay takes the place of the roles of scenario {scenario.name}", file=sys.stderr)
    return setup


def require_atomic(setup: Setup) -> None:
    """Raise UserError if the kernels are interpreted and run in more than one process: a storm would report violations that are none."""
    if flavour.INTERPRETED and setup.request.sizes.nr_workers > 1:
        raise UserError("interpreted kernels are not atomic between processes: use --workers 1, or unset NUMBA_DISABLE_JIT")


# ------------------------------------------------------------------------------------------------- from options to a request


def request_of(options: RunOptions) -> RunRequest:
    """Decide every value: the option's, else that of the recording, else the scenario's, else one that fits the host.

    Raises      UserError, HostError
    """
    path = find_scenario(options.scenario)
    scenario = read_scenario(path, role_names())
    policies = {**scenario.policy, **parse_policies(options.settings)}
    window_blocks = policy_params(policies)["window_blocks"]
    trace: Trace | None = None
    snapshot: Start | None = None
    if options.snapshot is not None:
        _refuse_sizes_beside_snapshot(options, scenario)
        snapshot = start_from(options.snapshot, _nr_workers(options, scenario), options.frame_bytes, window_blocks)
        sizes = snapshot_sizes(snapshot)
    else:
        trace_path = options.trace or (path.parent / scenario.trace if scenario.trace else None)
        trace = read_trace(trace_path) if trace_path is not None else None
        sizes = modelled_sizes(options, scenario, trace, window_blocks)
    if options.trace is not None or options.snapshot is not None:
        # the scenario's meetings belong to the roles that the trace replaces, or to another machine than the recorded one
        scenario = scenario.model_copy(update={"meetings": ()})
    return RunRequest(
        scenario=scenario,
        policies=policies,
        sizes=sizes,
        trace=trace,
        trace_name=str(options.trace or scenario.trace or "") or None,
        snapshot=snapshot,
        seconds=options.seconds,
        seed=options.seed if options.seed is not None else int.from_bytes(os.urandom(4), "little") >> 1,
        check=options.check,
        chaos=options.chaos,
        given=options.scenario,
    )


def modelled_sizes(options: RunOptions, scenario: Scenario, trace: Trace | None, window_blocks: int) -> MachineRequest:
    """The sizes of a machine that begins empty: the options', else the scenario's; a trace fixes the workers and the least memory.

    Raises      UserError
    """
    machine = scenario.machine
    if trace is not None and options.workers not in (None, trace.nr_cpus):
        raise UserError(f"--workers {options.workers}: the trace has {trace.nr_cpus} CPUs, and each is a worker")
    nr_nodes, frame_bytes = options.nodes or machine.nodes, options.frame_bytes or machine.frame_bytes
    wanted = options.memory or machine.memory
    if wanted:
        memory_bytes = parse_size(wanted)
    elif trace is not None:
        memory_bytes = memory_for(trace.machine_frames, nr_nodes, frame_bytes, machine.pageblock_order)
    else:
        memory_bytes = default_memory()
    return MachineRequest(
        nr_workers=_nr_workers(options, scenario) if trace is None else trace.nr_cpus,
        nr_nodes=nr_nodes,
        memory_bytes=memory_bytes,
        frame_bytes=frame_bytes,
        pageblock_order=machine.pageblock_order,
        fill=machine.fill,
        reserved=machine.reserved,
        nr_trace_events=0 if trace is None else trace.nr_events,
        max_trace_pfn=0 if trace is None else trace.nr_slots,
        window_blocks=window_blocks,
    )


def snapshot_sizes(snapshot: Start) -> MachineRequest:
    """The sizes of a recorded machine."""
    geometry = snapshot.geometry
    return MachineRequest(
        nr_workers=geometry.nr_cpus,
        nr_nodes=geometry.nr_nodes,
        memory_bytes=geometry.nr_frames * snapshot.frame_bytes,
        frame_bytes=snapshot.frame_bytes,
        pageblock_order=geometry.pageblock_order,
        window_blocks=geometry.window_blocks,
    )


def _nr_workers(options: RunOptions, scenario: Scenario) -> int:
    return check_workers(options.workers if options.workers is not None else scenario.machine.workers or default_workers())


def _refuse_sizes_beside_snapshot(options: RunOptions, scenario: Scenario) -> None:
    given_too = (
        ("--trace", options.trace or scenario.trace),
        ("--memory", options.memory),
        ("--nodes", (options.nodes or 1) > 1),
        ("a scenario with [fragmentation]", scenario.fragmentation),
    )
    for name, given in given_too:
        if given:
            raise UserError(f"{name}: not with --snapshot, whose recording is one node with the frames that it has")


# ------------------------------------------------------------------------------------------------------------- the result


def _publish(result: dict[str, Any], options: RunOptions, store: RunStore | None, mem: Any) -> int:
    """Save and print. If one of the two fails, the other is still done.

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
