"""From a Setup to a result: the machine built, filled and stormed."""

from typing import Any

from kernels.policy import boot
from stress import checkers, roles
from stress.machine.host import describe_host
from stress.machine.segment import calibrate_cycles, create_machine, set_param
from stress.run.live import LiveView
from stress.run.setup import Setup, role_names
from stress.run.store import RunStore
from stress.snapshot.load import load
from stress.storm.entries import build_storm_entries
from stress.storm.fragmentation import Series, prepare_machine, read_buddyinfo
from stress.storm.outcome import collect, effective_floor, read_totals
from stress.storm.supervisor import Interrupts, Supervisor


def make_machine(setup: Setup) -> Any:
    """Build the kernels, then create, boot and fill the machine.

    Raises      HostError
    """
    fragmentation = setup.request.scenario.fragmentation
    if fragmentation is None:
        build_storm_entries()
    else:
        from stress.roles import _prepare  # only here, so that its entry is built only for scenarios that need it

        build_storm_entries(_prepare.__name__)
    mem = create_machine(setup.geometry, setup.params)
    set_param(mem, "cycles_per_us", calibrate_cycles(mem, boot.read_cycles))
    boot.boot(mem, 0)
    if fragmentation is not None:
        prepare_machine(mem, fragmentation, _prepare.prepare)
    if setup.request.trace is not None:
        setup.request.trace.write_to(mem)
    if setup.request.snapshot is not None:
        load(mem, setup.request.snapshot)
    return mem


def storm(mem: Any, setup: Setup, store: RunStore | None = None) -> dict[str, Any]:
    """Run the workers for the requested time, show totals meanwhile, and collect the result.

    Parameters  store: where each second's sample is kept
    Raises      KeyboardInterrupt before the storm began, or for a second interrupt from an impatient user
    """
    request, names = setup.request, role_names()
    shown = [index for index in range(len(names)) if any(plan.weights[index] > 0 for plan in setup.plans)]
    before: list[list[int]] = []
    series = Series()
    view = LiveView(names, shown, request.seconds, request.sizes.frame_bytes)

    def on_second(elapsed_s: float, parked_s: float) -> None:
        totals = read_totals(mem, len(names))
        view.update(elapsed_s, totals)
        series.sample(elapsed_s, mem)
        if store is not None:
            store.append(elapsed_s, parked_s, names, totals)

    def on_ready() -> None:
        before.extend(read_buddyinfo(mem))
        series.sample(0.0, mem)

    check_all = None if request.check == "none" else checkers.check_all

    def on_start(nr_started: int, nr_parked: int) -> None:
        view.starting(nr_started, nr_parked, len(setup.plans))

    supervisor = Supervisor(mem, setup.plans, roles.run_batch, names, check_all, on_second, on_start)
    with Interrupts().caught() as interrupts, view:
        ending = supervisor.run(request.seconds, interrupts, on_ready)
    return collect(
        mem,
        ending,
        role_names=names,
        required_meetings=request.scenario.meetings,
        floor_per_minute=effective_floor(request.scenario.floor_per_minute, len(setup.plans), len({plan.pin_to for plan in setup.plans})),
        config=setup.config,
        host=describe_host(),
        buddyinfo_before=before,
        fragmentation=series.to_json(),
    )
