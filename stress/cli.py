"""The command line. A mistake of the user or a limit of the host is one line on stderr and an exit code (see errors.py).

Commands import kernels late: the flavour is chosen before, by PFNSTORM_FLAVOUR, which kernels read once.
"""

import os
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from stress.choices import Check, ExploredMemoryModel, Listing, MemoryModel
from stress.errors import EXIT_CLEAN, EXIT_HOST, EXIT_INTERNAL, EXIT_INTERRUPTED, EXIT_USAGE, PfnstormError, UserError
from stress.io.output import toughen
from stress.io.text import message_line
from stress.process.interrupts import resend_lost_interrupts

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
#: the base of typer's own usage errors, which it does not export
_USAGE_ERROR = typer.BadParameter.__mro__[2]

MAX_SECONDS = 366 * 24 * 3600.0
DEFAULT_SECONDS = 15.0
EXPLORE_SECONDS = 120.0
MUTATE_SECONDS = 3600.0
BUG_SECONDS, DETECT_SECONDS = 30.0, 10.0
DEFAULT_SCENARIO, TRACE_SCENARIO = "storm", "kmem"  # the machine of kmem suits any trace
CHECKED_FLAVOURS = ("checked", "bounds")


@app.callback()
def _pfnstorm() -> None:
    """Stress and benchmarks for the memory-management protocols of Linux, on modelled memory."""


@app.command()
def run(
    scenario: Annotated[str | None, typer.Argument(help=f"a scenario's name, or a .toml file [{DEFAULT_SCENARIO}]")] = None,
    seconds: Annotated[float | None, typer.Option(help=f"how long to storm [{DEFAULT_SECONDS:g}]")] = None,
    hours: Annotated[float | None, typer.Option(help="the same in hours")] = None,
    workers: Annotated[int | None, typer.Option(help="modelled CPUs, a process each [2 per core, at least 4]")] = None,
    nodes: Annotated[int | None, typer.Option(help="NUMA nodes [the scenario's]")] = None,
    memory: Annotated[str | None, typer.Option(help="modelled memory, such as 512M [256M, or a quarter of what is free]")] = None,
    frame_bytes: Annotated[int | None, typer.Option(help="bytes of contents per frame, 64 to 4096 [the scenario's]")] = None,
    seed: Annotated[int | None, typer.Option(help="for all random choices [drawn, and reported]")] = None,
    check: Annotated[Check, typer.Option(help="none; rest: checkers on the parked machine; full: shadow words as well")] = Check.rest,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="POLICY=VALUE", help="choose a policy; repeatable")] = None,
    chaos: Annotated[float, typer.Option(help="probability of a pause at each risky point, 0 to 1")] = 0.0,
    trace: Annotated[Path | None, typer.Option(help="replay a recorded kmem trace (.npz)")] = None,
    snapshot: Annotated[Path | None, typer.Option(help="start from a recording of /proc/kpageflags (.npz)")] = None,
    json: Annotated[Path | None, typer.Option(help="write the result as one JSON object")] = None,
    save: Annotated[bool, typer.Option(help="keep samples and result under results/runs/")] = True,
) -> int:
    """Storm a modelled machine and report whether every invariant held."""
    duration_s = _duration(seconds, hours)
    _check_ranges(nodes=nodes, frame_bytes=frame_bytes, seed=seed, chaos=chaos)
    from stress.machine.sizes import check_workers

    if workers is not None:
        check_workers(workers)
    _choose_flavour(checked=check is Check.full or chaos > 0)
    from stress.run.command import RunOptions, execute

    for option, given in (("the scenario", scenario), ("--memory", memory)):
        if given is not None and not given.strip():
            raise UserError(f"{option} is empty")
    chosen = scenario if scenario is not None else TRACE_SCENARIO if trace is not None else DEFAULT_SCENARIO
    options = RunOptions(
        scenario=chosen,
        seconds=duration_s,
        workers=workers,
        nodes=nodes,
        memory=memory,
        frame_bytes=frame_bytes,
        seed=seed,
        check=check.value,
        settings=tuple(settings or ()),
        chaos=chaos,
        trace=trace,
        snapshot=snapshot,
        json=json,
        save=save,
    )
    return execute(options)


@app.command(name="list")
def list_command(what: Annotated[Listing | None, typer.Argument(help="what to list [everything]")] = None) -> None:
    """List what names mean: roles, scenarios and every key of a scenario file, checkers, memdesc types, policies, counters and meetings,
    the codes of bug() that assertions report, invariants."""
    from stress.run.listing import listing

    for each in [what] if what else list(Listing):
        lines = _invariants() if each is Listing.invariants else listing(each.value)
        if what is None:
            print(f"{each.value}:")
        for line in lines:
            print(line if what else f"  {line}")


def _invariants() -> list[str]:
    from stress.catalogue import listing

    return listing()


@app.command()
def build(every: Annotated[bool, typer.Option("--all", help="every flavour, not only the current one")] = False) -> int:
    """Compile the kernels now instead of at the first run."""
    from stress.process.build import build_entries, build_flavours, import_all_entries

    if every:
        from kernels.base.flavour import FLAVOURS

        return EXIT_CLEAN if build_flavours(FLAVOURS) == 0 else EXIT_HOST
    from kernels.base import flavour

    if flavour.EXPLORED:  # only models run in it
        from stress.explore.compiling import build_models
        from stress.explore.models import all_models

        build_models(tuple(all_models().values()), sys.stderr)
        return EXIT_CLEAN
    from stress.storm.entries import ENTRY_PACKAGES

    import_all_entries(ENTRY_PACKAGES)
    seconds = build_entries()
    print(f"kernels are built ({os.environ.get('PFNSTORM_FLAVOUR', 'fast')}, {seconds:.1f} s)", flush=True)
    return EXIT_CLEAN


@app.command()
def report(run: Annotated[str, typer.Argument(help='a run id, its folder, a JSON file, or "last"')]) -> None:
    """Print the report of a run again."""
    from stress.run.report import render
    from stress.run.store import read_run

    print(render(read_run(run)))


@app.command()
def bugs(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", help="seeded bugs, by name [all]")] = None,
    tries: Annotated[int | None, typer.Option(min=1, max=1000, help="storms for each [1]")] = None,
    seconds: Annotated[
        float | None,
        typer.Option(min=1, max=3600, help="limit of each storm [30]; with --explore, of all trials of a strategy and memory model [10]"),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="write the table as one JSON object")] = None,
    control: Annotated[
        bool | None,
        typer.Option(help="storm the unchanged kernels too; no net may report them [unless they were clean within the last hour]"),
    ] = None,
    save: Annotated[bool | None, typer.Option(help="keep machine and report of what a net catches under results/bugs/ [--save]")] = None,
    exploring: Annotated[
        bool, typer.Option("--explore", help="explore instead of storming: how soon each strategy finds each bug")
    ] = False,
    trials: Annotated[int | None, typer.Option(min=1, max=10_000, help="--explore: seeds for each strategy [20]")] = None,
    cap: Annotated[int | None, typer.Option(min=1, max=1 << 40, help="--explore: most schedules of a trial [1000000]")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, max=1024, help="--explore: processes [one per core]")] = None,
    listing: Annotated[bool, typer.Option("--list", help="only list them")] = False,
) -> int:
    """Prove the nets: storm or explore copies of the kernels with one known bug each, and print which nets catch it."""
    of_storms, of_exploring = {"--tries": tries, "--save": save}, {"--trials": trials, "--cap": cap, "--jobs": jobs}
    for option, given in (of_storms if exploring else of_exploring).items():
        if given is not None:
            raise UserError(f"{option} is not for exploring: leave it out" if exploring else f"{option} is for --explore")
    if exploring:
        os.environ["PFNSTORM_FLAVOUR"] = "explored"  # before the kernels are imported
    from stress.bugs import command

    chosen = tuple(names or ())
    if listing:
        print("\n".join(command.listing(chosen)))
        return EXIT_CLEAN
    if exploring:
        from stress.bugs import detect

        return detect.execute(detect.DetectOptions(chosen, trials or 20, cap or 1_000_000, seconds or DETECT_SECONDS, jobs, json))
    return command.execute(command.BugsOptions(chosen, tries or 1, seconds or BUG_SECONDS, control, json, save is not False))


@app.command()
def compact(
    snapshot: Annotated[Path, typer.Option(help="a recording of /proc/kpageflags (.npz)")],
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="POLICY=VALUE", help="choose a policy; repeatable")] = None,
    check: Annotated[Check, typer.Option(help="none; rest: checkers before and after; full: shadow words as well")] = Check.rest,
    frame_bytes: Annotated[int | None, typer.Option(help="bytes of contents per frame, 64 to 4096 [what fits into 1 GiB]")] = None,
    move_page_tables: Annotated[bool, typer.Option(help="move page tables, which Linux does not")] = False,
    json: Annotated[Path | None, typer.Option(help="write the result as one JSON object")] = None,
) -> int:
    """Compact a whole recorded zone and compare with the recorded kernel: frames, free blocks, where frames went. Times do not compare."""
    _check_ranges(nodes=None, frame_bytes=frame_bytes, seed=None, chaos=0)
    _choose_flavour(checked=check is Check.full)
    from stress.snapshot.command import CompactOptions, execute

    return execute(CompactOptions(snapshot, tuple(settings or ()), check.value, frame_bytes, move_page_tables, json))


@app.command()
def compare(
    axis: Annotated[
        list[str] | None,
        typer.Option(help="POLICY: compare its values; POLICY=VALUE: one value with itself, for this host's noise; repeatable [all]"),
    ] = None,
    scenario: Annotated[str, typer.Option(help="the scenario that is stormed under each value")] = "storm",
    rounds: Annotated[
        int, typer.Option(min=3, max=10_000, help="interleaved rounds; storms run a third; each table states how many a conclusion needs")
    ] = 15,
    seconds: Annotated[float, typer.Option(min=0.5, max=3600, help="of each storm; below 2 there is no conclusion")] = 3.0,
    workers: Annotated[int | None, typer.Option(min=1, help="of each storm, at most one a core [all cores]")] = None,
    memory: Annotated[str | None, typer.Option(help="of each storm, such as 64M [the scenario's]")] = None,
    json: Annotated[Path | None, typer.Option(help="write all rounds as one JSON object")] = None,
    plot: Annotated[Path | None, typer.Option(help="a picture a question (.svg, .png, .pdf); needs: pip install 'pfnstorm[plot]'")] = None,
    saved: Annotated[Path | None, typer.Option("--from", help="draw what --json saved, and measure nothing")] = None,
) -> int:
    """Compare the values of policies on this host: medians, ratios with intervals, exact counts, and what they show."""
    _choose_flavour(checked=False)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # processes are forked
    from stress.compare.command import CompareOptions, execute

    return execute(CompareOptions(tuple(axis or ()), scenario, rounds, seconds, workers, memory, json, plot, saved))


@app.command()
def predict(
    cpus: Annotated[str, typer.Option(help="numbers of CPUs, such as 64,256")] = "64,256",
    sockets: Annotated[int, typer.Option(min=1, max=16, help="sockets, each a node; CPUs are dealt to them in turn")] = 2,
    socket_ns: Annotated[
        float | None, typer.Option(min=1, max=1_000_000, help="ns of a line between two sockets [4 times that between two cores]")
    ] = None,
    cache: Annotated[str | None, typer.Option(help="of each private cache, such as 1M [without a limit]")] = None,
    workload: Annotated[list[str] | None, typer.Option(help="repeatable [all]")] = None,
    seconds: Annotated[
        float, typer.Option(min=1, max=MAX_SECONDS, help="for interpreting machines; measuring this host takes some 20 more")
    ] = 40.0,
    seed: Annotated[int, typer.Option(min=0, max=(1 << 31) - 1, help="of all schedules")] = 1,
    json: Annotated[Path | None, typer.Option(help="write the result as one JSON object")] = None,
    plot: Annotated[Path | None, typer.Option(help="draw it (.svg, .png, .pdf); needs: pip install 'pfnstorm[plot]'")] = None,
) -> int:
    """Predict coherence traffic and throughput of hot paths on machines that one does not have."""
    _choose_flavour(checked=False)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # processes are forked
    from stress.predict.command import PredictOptions, execute

    return execute(PredictOptions(cpus, sockets, socket_ns, cache, tuple(workload or ()), seconds, seed, json, plot))


@app.command()
def explore(
    models: Annotated[list[str] | None, typer.Argument(metavar="MODEL", help="models, by name [all]")] = None,
    strategy: Annotated[list[str] | None, typer.Option(help="repeatable [a portfolio]")] = None,
    memory: Annotated[
        ExploredMemoryModel,
        typer.Option(help="sequential consistency, store buffers (x86-TSO, the weaker PSO), or those and early loads (RMO)"),
    ] = ExploredMemoryModel.sc,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            max=MAX_SECONDS,
            help=f"for all models together [{EXPLORE_SECONDS:g}]. Compiling, once, comes on top: its time is announced. "
            "All models need about 20 s on two cores; those for which no time is left are named at the end",
        ),
    ] = None,
    schedules: Annotated[
        int | None, typer.Option(min=1, max=1 << 40, help="of each model and strategy, in place of --seconds: the same every time")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=(1 << 31) - 1, help="for all random choices")] = 1,
    jobs: Annotated[int | None, typer.Option(min=1, max=1024, help="processes [one per core]")] = None,
    json: Annotated[Path | None, typer.Option(help="write the result as one JSON object")] = None,
    failures: Annotated[Path, typer.Option(help="folder of failing schedules")] = Path("failures"),
    full: Annotated[bool, typer.Option("--full", help="print a row for each strategy of each model, too")] = False,
    listing: Annotated[bool, typer.Option("--list", help="only list models and strategies")] = False,
) -> int:
    """Find interleavings that break an invariant: small models of real kernels under a deterministic scheduler."""
    os.environ["PFNSTORM_FLAVOUR"] = "explored"
    from stress.explore.arguments import chosen_models, chosen_strategies
    from stress.explore.arguments import listing as models_and_strategies

    chosen = chosen_models(models), chosen_strategies(strategy, memory.value)
    if listing:
        print("\n".join(models_and_strategies()))
        return EXIT_CLEAN
    from stress.explore.command import ExploreOptions, execute
    from stress.explore.failure import check_failures_folder
    from stress.io.json_report import check_json_path
    from stress.machine.host import usable_cores

    if seconds is not None and schedules is not None:
        raise UserError("give either --seconds or --schedules")
    if json is not None:
        check_json_path(json)
    check_failures_folder(failures)
    seconds = EXPLORE_SECONDS if seconds is None else seconds
    return execute(ExploreOptions(*chosen, memory.value, seconds, schedules, seed, jobs or usable_cores(), json, failures, full))


@app.command()
def mutate(
    seconds: Annotated[float, typer.Option(min=1, max=MAX_SECONDS, help="limit for all nets together")] = MUTATE_SECONDS,
    jobs: Annotated[int, typer.Option(min=1, max=1024, help="processes that explore; half as many storm, each with four workers")] = 2,
    only: Annotated[list[str] | None, typer.Option(metavar="GLOB", help="mutants with a matching name; repeatable [all]")] = None,
    sample: Annotated[int | None, typer.Option(min=1, help="only so many of them, drawn by --seed")] = None,
    seed: Annotated[int, typer.Option(min=0, max=(1 << 31) - 1, help="for the sample")] = 1,
    scale: Annotated[float, typer.Option(min=0.001, max=10_000, help="multiplies the schedules of every model")] = 1.0,
    model: Annotated[list[str] | None, typer.Option(help="a model to try them in; repeatable [all that reach one]")] = None,
    storms: Annotated[bool, typer.Option(help="storm the mutants that no model kills")] = True,
    json: Annotated[Path | None, typer.Option(help="write the table as one JSON object")] = None,
    listing: Annotated[bool, typer.Option("--list", help="only list them")] = False,
) -> int:
    """Measure the nets: put small mistakes into every kernel, and print which of them no net catches."""
    os.environ["PFNSTORM_FLAVOUR"] = "explored"  # models are listed by it; each net chooses its own
    from stress.explore.arguments import chosen_models
    from stress.mutate import command

    models = tuple(each.name for each in chosen_models(model)) if model else ()
    if listing:
        print("\n".join(command.listing(only or (), sample, seed)))
        return EXIT_CLEAN
    return command.execute(command.MutateOptions(seconds, jobs, tuple(only or ()), sample, seed, scale, models, storms, json))


@app.command()
def history(
    commits: Annotated[list[str] | None, typer.Argument(metavar="[OLD NEW]", help="two commits to compare [the newest two]")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="REV", help="compare the newest commit with this one, or its nearest ancestor")
    ] = None,
    machine: Annotated[str | None, typer.Option(help="whose results [this host's, or the only ones]")] = None,
    results: Annotated[Path, typer.Option(help="the folder of asv")] = Path("results/asv"),
    measure: Annotated[
        bool, typer.Option("--measure", help="measure new commits first, and repeat what is suspected (`make bench`)")
    ] = False,
    most: Annotated[int | None, typer.Option(min=1, max=10_000, help="--measure: only so many of the newest [all]")] = None,
    confirm: Annotated[bool, typer.Option("--confirm", help="repeat suspected cells of both commits in alternation")] = False,
    repeat: Annotated[int, typer.Option(min=0, max=1000, help="A/A runs of the newer commit: they make its noise known")] = 0,
    json: Annotated[Path | None, typer.Option(help="write every cell as one JSON object")] = None,
    plot: Annotated[Path | None, typer.Option(help="draw the main curves (.svg, .png, .pdf); needs: pip install 'pfnstorm[plot]'")] = None,
) -> int:
    """Say what became slower or faster in asv's results, how sure that is, and what noise hides; exit code 1 on a confirmed loss."""
    from stress.history.command import HistoryOptions, execute

    if most is not None and not measure:
        raise UserError("--most is for --measure")
    chosen = tuple(commits or ())
    return execute(HistoryOptions(chosen, since, machine, results, measure, most, confirm or measure, repeat, json, plot))


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="a failure that `explore` wrote")],
    everything: Annotated[bool, typer.Option("--all", help="also show accesses to words that no other CPU touches")] = False,
) -> int:
    """Show a failure step by step: a column for each CPU, source lines, words before and after."""
    os.environ["PFNSTORM_FLAVOUR"] = "explored"
    from stress.explore.replay import ReplayOptions, execute

    return execute(ReplayOptions(file, everything))


@app.command()
def litmus(
    file: Annotated[Path | None, typer.Argument(help="a JSON file of litmus tests [the classics]")] = None,
    test: Annotated[list[str] | None, typer.Option(help="only this test of the file; repeatable")] = None,
    memory: Annotated[
        MemoryModel | None, typer.Option(help="sequential consistency, or store buffers: x86-TSO, and the weaker PSO [sc]")
    ] = None,
    strategy: Annotated[str | None, typer.Option(help="exhaustive, or a sampler [dpor]")] = None,
    schedules: Annotated[int | None, typer.Option(min=1, max=1 << 40, help="of each test, at most")] = None,
    real: Annotated[bool, typer.Option("--real", "--host", help="on this host's processors instead")] = False,
    runs: Annotated[int | None, typer.Option(min=1, max=1 << 40, help="of each test, with --real [1000000]")] = None,
    seed: Annotated[int, typer.Option(min=0, max=(1 << 31) - 1, help="for all random choices")] = 1,
    json: Annotated[Path | None, typer.Option(help="write the result as one JSON object")] = None,
) -> int:
    """Explore litmus tests, and say whether what is allowed and forbidden agrees with the file; or run them on real processors."""
    for option, given in (("--memory", memory), ("--strategy", strategy), ("--schedules", schedules)):
        if real and given is not None:
            raise UserError(f"{option} has no meaning with --real")
    if runs is not None and not real:
        raise UserError("--runs is for --real; exploring takes --schedules")
    os.environ["PFNSTORM_FLAVOUR"] = "fast" if real else "explored"
    from stress.io.json_report import check_json_path
    from stress.litmus.command import CLASSICS, LitmusOptions, chosen_tests, execute
    from stress.litmus.file import read_tests

    if json is not None:
        check_json_path(json)
    tests = chosen_tests(read_tests(file or CLASSICS, lambda text: print(text, file=sys.stderr)), test)
    if not real:
        return execute(LitmusOptions(tuple(tests), (memory or MemoryModel.sc).value, strategy or "dpor", schedules, seed, json))
    from stress.litmus import real as on_processors

    fitting = tests if file or test else on_processors.fitting_tests(tests)
    if len(fitting) < len(tests):
        print(f"{len(tests) - len(fitting)} of the classics have more threads than this host has cores: left out", flush=True)
    return on_processors.execute(on_processors.LitmusRealOptions(tuple(fitting), runs or 1_000_000, seed, json))


# ------------------------------------------------------------------------------------------------------------- arguments


def _duration(seconds: float | None, hours: float | None) -> float:
    if seconds is not None and hours is not None:
        raise UserError("give either --seconds or --hours")
    duration_s = hours * 3600 if hours is not None else DEFAULT_SECONDS if seconds is None else seconds
    if not 0 < duration_s <= MAX_SECONDS:
        raise UserError(f"{'--hours' if hours is not None else '--seconds'}: must be above 0 and at most a year")
    return duration_s


def _check_ranges(nodes: int | None, frame_bytes: int | None, seed: int | None, chaos: float) -> None:
    from stress.storm.scenario import FRAME_BYTES_MAX, FRAME_BYTES_MIN

    if nodes is not None and not 1 <= nodes <= 64:
        raise UserError(f"--nodes {nodes}: must be between 1 and 64")
    if frame_bytes is not None and (not FRAME_BYTES_MIN <= frame_bytes <= FRAME_BYTES_MAX or frame_bytes & (frame_bytes - 1)):
        raise UserError(f"--frame-bytes {frame_bytes}: must be a power of two from {FRAME_BYTES_MIN} to {FRAME_BYTES_MAX}")
    if seed is not None and not 0 <= seed < 1 << 31:
        raise UserError(f"--seed {seed}: must be between 0 and {(1 << 31) - 1}")
    if not 0 <= chaos <= 1:
        raise UserError(f"--chaos {chaos:g}: must be between 0 and 1")


def _choose_flavour(*, checked: bool) -> None:
    """Set the flavour before kernels are imported, unless the user chose a stronger one."""
    if checked and os.environ.get("PFNSTORM_FLAVOUR") not in CHECKED_FLAVOURS:
        os.environ["PFNSTORM_FLAVOUR"] = "checked"


# ------------------------------------------------------------------------------------------------------------------- main


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Run the command and exit with its code. A mistake of the user or a limit of the host prints no traceback."""
    # without this numpy's BLAS starts threads, and workers are forked from this process
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    resend_lost_interrupts()
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup ignores it
        signal.signal(signal.SIGHUP, _terminate)
    output = toughen()
    status = _run_app()
    output.flush()
    if output.error is not None and not isinstance(output.error, BrokenPipeError):  # a reader that closes the pipe wants no more
        status = _complain(f"cannot write to standard output: {output.error.strerror}", status or EXIT_HOST)
    sys.exit(status)


def _run_app() -> int:
    try:
        status = app(standalone_mode=False)
    except PfnstormError as error:
        return _complain(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):  # the version of typer decides which of the two
        return _complain("interrupted", EXIT_INTERRUPTED)
    except ModuleNotFoundError as error:
        return _complain(f"{error}: the installation is incomplete; run `make install`", EXIT_HOST)
    except Exception as error:  # noqa: BLE001  # Python would exit with 1, which is a verdict here
        if isinstance(error, _USAGE_ERROR):
            return _complain(_message_of(error), EXIT_USAGE)
        kernels_error = {"UnsupportedHost": EXIT_HOST, "UnknownFlavour": EXIT_USAGE}.get(type(error).__name__)
        if kernels_error is not None:  # by name: importing kernels fixes their flavour
            return _complain(str(error), kernels_error)
        traceback.print_exc()
        return _complain("this is a bug in pfnstorm: please report it with the lines above", EXIT_INTERNAL)
    if status == EXIT_INTERRUPTED:  # the command has printed its report
        return _complain("interrupted", EXIT_INTERRUPTED)
    return status if isinstance(status, int) else EXIT_CLEAN


def _message_of(usage_error: Exception) -> str:
    if type(usage_error).__name__ == "NoArgsIsHelpError":  # its message is the whole help
        return "missing command; see pfnstorm --help"
    message: str = usage_error.format_message()  # type: ignore[attr-defined]
    return message.replace("Value error, ", "")


def _complain(message: str, exit_code: int) -> int:
    print(f"pfnstorm: {message_line(message)}", file=sys.stderr)
    return exit_code
