"""`pfnstorm history`: read, measure if asked to, judge, print."""

import importlib
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stress.errors import EXIT_CLEAN, EXIT_HOST, EXIT_VACUOUS, EXIT_VIOLATED, HostError, UserError
from stress.history.asv_files import MachineResults, machines, read_results
from stress.history.commits import ancestors, commit_of, in_order, known_commits, subjects
from stress.io.drawing import check_plot
from stress.io.json_report import check_json_path, write_report
from stress.io.reading import is_folder
from stress.io.text import shortened

if TYPE_CHECKING:
    from stress.history.judge import Comparison
    from stress.history.measuring import AsvBench
    from stress.history.overview import LastingChange
    from stress.history.series import MeasuredHistory

SCHEMA = "pfnstorm-history/1"
FEWEST_COMMITS = 4  # for lasting changes: two runs at each side


@dataclass(frozen=True)
class HistoryOptions:
    """The command line of `pfnstorm history`.

    Fields      commits: none, or two to compare; since: the older one; machine None: the only one, or this host
                measure: new commits first, at most `most`; confirm: repeat what is suspected; repeat: A/A runs of the newest commit
    """

    commits: tuple[str, ...]
    since: str | None
    machine: str | None
    results: Path
    measure: bool
    most: int | None
    confirm: bool
    repeat: int
    json: Path | None
    plot: Path | None


def execute(options: HistoryOptions) -> int:
    """Read, judge and print.

    Returns     the exit code: EXIT_VIOLATED for a confirmed and relevant loss, EXIT_VACUOUS if nothing can be judged
    Raises      UserError, HostError
    """
    _check(options)
    bench = _bench(options)
    if options.measure and bench is not None:
        before = _measure_new(bench, options)
        if before is not None and options.since is None and not options.commits:
            options = replace(options, since=before)
    history = _read(options, bench)
    pair = _pair(options, history)
    if pair is None:
        print(f"history of {history.machine}: {len(history.order)} commits of this repository are measured, and a comparison needs two")
        return EXIT_CLEAN if options.measure else EXIT_VACUOUS
    if options.repeat and bench is not None:
        for _ in range(options.repeat):
            bench.measure([pair[1]], again=True)
        history = _read(options, bench)
    from stress.history.judge import compare

    comparison = compare(history, pair)
    if options.confirm and bench is not None:
        history, comparison = _confirmed(options, bench, history, comparison)
    return _report(options, history, comparison)


def _check(options: HistoryOptions) -> None:
    """Refuse now what would fail after minutes."""
    if options.json is not None:
        check_json_path(options.json)
    if options.plot is not None:
        check_plot(options.plot)
    if len(options.commits) not in (0, 2):
        raise UserError("give two commits to compare, or --since REV")
    if options.commits and options.since is not None:
        raise UserError("give either two commits or --since REV")
    for revision in (*options.commits, *([] if options.since is None else [options.since])):
        commit_of(revision)
    try:
        importlib.import_module("asv")
    except ImportError as error:
        raise HostError("history needs asv: pip install 'pfnstorm[history]'") from error


def _bench(options: HistoryOptions) -> "AsvBench | None":
    """asv, if something is to be measured."""
    if not (options.measure or options.confirm or options.repeat):
        return None
    from stress.history.measuring import AsvBench

    bench = AsvBench(_machine(options, measuring=True), options.results)
    bench.prepare()
    return bench


def _machine(options: HistoryOptions, *, measuring: bool) -> str:
    """The machine whose results are meant."""
    from stress.history.measuring import machine_of_host

    if options.machine is not None:
        if not options.machine.strip() or options.machine != Path(options.machine).name:
            raise UserError(f"--machine {shortened(options.machine)!r}: a name is needed")
        return options.machine
    host = machine_of_host()
    if measuring:
        return host
    found = machines(options.results)
    if host in found or len(found) == 1:
        return host if host in found else found[0]
    if not found:
        raise UserError(f"{options.results}: no results; `make bench` measures the newest commit")
    raise UserError(f"--machine is needed: {options.results} has results of {', '.join(found)}")


def _read(options: HistoryOptions, bench: "AsvBench | None") -> "MeasuredHistory":
    from stress.history.series import MeasuredHistory

    machine = bench.machine if bench is not None else _machine(options, measuring=False)
    results = read_results(options.results, machine)
    if not results.runs:
        known = ", ".join(machines(options.results)) or "no machine"
        raise UserError(f"{options.results}: no results of machine {shortened(machine)!r}; there are those of {known}")
    return MeasuredHistory(results, _order(results))


def _order(results: MachineResults) -> list[str]:
    """The measured commits that this repository has, in its order."""
    measured = {run.commit for run in results.runs}
    known = known_commits(measured)
    if len(known) < len(measured):
        print(f"{len(measured) - len(known)} measured commits are not in this repository: left out")
    return in_order(known)


def _measure_new(bench: "AsvBench", options: HistoryOptions) -> str | None:
    """Measure the new commits.

    Returns     the newest commit that was measured before them, if they are to be compared with it
    """
    from stress.history.measuring import new_commits

    runs = read_results(options.results, bench.machine).runs if is_folder(options.results) else ()
    measured = {run.commit for run in runs if not run.repetition}
    commits = new_commits(sorted(measured), options.most)
    if not measured:
        older = f"`asv run --machine {bench.machine} HEAD~5..HEAD` measures older ones"
        print(f"no results of {bench.machine} yet: the newest commit only; {older}")
    print(f"new commits to measure: {len(commits)}", flush=True)
    if not commits:
        return None
    before = _nearest(measured, ancestors(commits[-1]))
    bench.measure(commits)
    return before


def _pair(options: HistoryOptions, history: "MeasuredHistory") -> tuple[str, str] | None:
    """The older and the newer commit of the comparison; None if fewer than two are measured."""
    if options.commits:
        older, newer = (_measured(history, revision, exactly=True) for revision in options.commits)
        if older == newer:
            raise UserError(f"{older[:8]} is both commits")
        return older, newer
    if len(history.order) < 2:
        return None
    newest = _nearest(history.order, ancestors("HEAD")) or history.order[-1]
    if options.since is not None:
        older = _measured(history, options.since, exactly=False)
        if older == newest:
            raise UserError(f"--since {shortened(options.since)}: {newest[:8]} is the newest commit that is measured")
        return older, newest
    before = _nearest([each for each in history.order if each != newest], ancestors(newest))
    return before or next(each for each in reversed(history.order) if each != newest), newest


def _measured(history: "MeasuredHistory", revision: str, *, exactly: bool) -> str:
    """The measured commit that a revision means; if need be its nearest measured ancestor."""
    found = _nearest(history.order, ancestors(revision)[: 1 if exactly else None])
    if found is None:
        raise UserError(f"{shortened(revision)} is not measured on {history.machine}{'' if exactly else ', nor is any of its ancestors'}")
    return found


def _nearest(measured: Iterable[str], commits: Iterable[str]) -> str | None:
    """The first of some commits that is measured."""
    known = set(measured)
    return next((each for each in commits if each in known), None)


def _confirmed(
    options: HistoryOptions, bench: "AsvBench", history: "MeasuredHistory", comparison: "Comparison"
) -> tuple["MeasuredHistory", "Comparison"]:
    """Repeat suspected cells of both commits until the runs show what they are."""
    from stress.history.judge import MOST_PAIRS, PAIRS, Shown, compare

    cells = [each.cell for each in comparison.shown(Shown.SUSPECTED)]
    for number in range(MOST_PAIRS):
        if number >= PAIRS:  # before that the ones that seem to be decided go on: two pairs may be luck
            cells = [each.cell for each in comparison.shown(Shown.SUSPECTED)]
        if not cells:
            break
        print(f"repeating {len(cells)} suspected cells, round {number + 1}", flush=True)
        bench.measure(comparison.pair[:: 1 if number % 2 == 0 else -1], cells, again=True)
        history = _read(options, bench)
        comparison = compare(history, comparison.pair)
    return history, comparison


def _report(options: HistoryOptions, history: "MeasuredHistory", comparison: "Comparison") -> int:
    """Print, save and draw. Returns the exit code."""
    from stress.history import show
    from stress.history.overview import lasting_changes

    if not comparison.verdicts:
        print("nothing can be judged: the two commits have no cell in common, of the same version and environment")
        return EXIT_VACUOUS
    lasting = lasting_changes(history) if len(history.order) >= FEWEST_COMMITS else []
    named = subjects([*comparison.pair, *(each.commit for each in lasting)])
    lines = show.comparison_lines(history, comparison, named)
    if len(history.order) >= FEWEST_COMMITS and not options.commits:
        lines += show.lasting_lines(lasting, named, len(history.order))
    print("\n".join([*lines, "", show.verdict_text(comparison)]), flush=True)
    unwritten = write_report(options.json, _as_json(history, comparison, lasting))
    if options.plot is not None:
        from stress.history.picture import plot

        plot(history, lasting, options.plot)
    if comparison.is_loss:
        return EXIT_VIOLATED
    return EXIT_HOST if unwritten else EXIT_CLEAN


def _as_json(history: "MeasuredHistory", comparison: "Comparison", lasting: "list[LastingChange]") -> dict[str, Any]:
    from stress.history.show import verdict_text

    rows = []
    for each in comparison.verdicts:
        noise = {"threshold": math.expm1(each.noise.threshold), "nr_differences": each.noise.nr_differences, "pooled": each.noise.pooled}
        row = {
            "cell": asdict(each.cell),
            "unit": history.unit(each.cell),
            "before": each.before,
            "after": each.after,
            "ratio": math.exp(each.change),
            "shown": each.shown.value,
            "size": each.size.text,
            "pairs": [math.exp(pair) for pair in each.pairs],
            "nr_repeated": each.nr_repeated,
            "p": each.p,
            "noise": noise | {"visible": math.expm1(each.visible)},
            "slow_shares": each.slow_shares,
        }
        rows.append(row)
    return {
        "schema": SCHEMA,
        "machine": history.machine,
        "commits": history.order,
        "older": comparison.pair[0],
        "newer": comparison.pair[1],
        "verdict": verdict_text(comparison),
        "is_loss": comparison.is_loss,
        "cells": rows,
        "not_compared": [asdict(cell) for cell in comparison.missing],
        "lasting": [asdict(each) | {"size": each.size.text, "ratio": math.exp(each.change)} for each in lasting],
    }
