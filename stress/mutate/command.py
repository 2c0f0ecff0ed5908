"""`pfnstorm mutate`: small mistakes put into every kernel, and which of them no net catches.

All mutants are in one woven copy, so each net compiles once. The nets are asked in this order:
1. Every model that reaches a mutant, the smallest closure of calls first, with a part of its schedules. Most mutants that die at all
   die in the first few schedules; one that survives costs all schedules of every model that reaches it.
2. The same models with all of their schedules.
3. Storms, for mutants that no model reaches or kills.
Explained mutants come last, if time is left: if one is killed, its explanation is wrong. A net that finds something in
the kernels as they are is a false alarm. It is reported, and the net is not asked again.
"""

import select
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from stress.errors import EXIT_CLEAN, EXIT_INTERRUPTED
from stress.explore.models import all_models
from stress.io.json_report import check_json_path, write_report
from stress.mutate.alive import RECORD
from stress.mutate.messages import MutantRequest, NetAnswer
from stress.mutate.operators import Mutant, mutants_of
from stress.mutate.plan import Net, chosen_mutants, model_nets, storm_nets
from stress.mutate.report import MutationReport
from stress.mutate.results import Results, Trial
from stress.mutate.server import Server
from stress.mutate.survivors import explained
from stress.mutate.woven import ROOT, make_woven, source_key
from stress.process.child import hangup_interrupts
from stress.process.scratch import scratch_folder
from stress.run.store import runs_folder

_EXPLORER_SHARE = 0.6  # of the budget, at most, before storms begin
_TICK_S = 1.0
_SAID_S = 5.0


@dataclass(frozen=True)
class MutateOptions:
    """The command line of `pfnstorm mutate`. No models: all that reach a mutant."""

    seconds: float
    jobs: int
    only: tuple[str, ...]
    sample: int | None
    seed: int
    scale: float
    models: tuple[str, ...]
    storms: bool
    json: Path | None


class AskedNet(Server):
    """The server of a net, and the mutant that it was asked about last; None: the kernels as they are."""

    def __init__(self, net: Net, folder: Path) -> None:
        super().__init__(net.words, folder)
        self.net = net
        self.ask_about(None)

    def ask_about(self, mutant: Mutant | None) -> None:
        self.current = mutant
        self.ask(MutantRequest(mutant.number if mutant else RECORD))


@dataclass
class KillCount:
    """Prints a line every few seconds: how many mutants are killed, and which nets are busy."""

    out: TextIO
    total: int
    start: float = field(default_factory=time.monotonic)
    said: float = 0.0

    def say(self, text: str) -> None:
        print(text, file=self.out, flush=True)

    def tick(self, results: Results, mutants: Sequence[Mutant], busy: Sequence[AskedNet]) -> None:
        if time.monotonic() - self.said < _SAID_S:
            return
        self.said = time.monotonic()
        killed = sum(results.killer(each) is not None for each in mutants)
        doing = ", ".join(f"{server.net.name} ({server.current.number if server.current else 'compiling'})" for server in busy)
        self.say(f"{self.said - self.start:6.0f} s: {killed} of {self.total} killed; {doing}")


def run_nets(
    nets: Sequence[Net],
    about: Sequence[Mutant],
    jobs: int,
    deadline: float,
    folder: Path,
    results: Results,
    tick: Callable[[Sequence[AskedNet]], None],
    say: Callable[[str], None],
) -> None:
    """Ask the nets, `jobs` of them at a time, about those of some mutants that are not killed yet, until a moment of time.monotonic()."""
    waiting, busy, asked = list(nets), list[AskedNet](), set(about)

    def open_for(net: Net) -> Iterator[Mutant]:
        return (each for each in net.mutants if each in asked and results.killer(each) is None and not results.tried(each, net.name))

    try:
        while time.monotonic() < deadline:
            while waiting and len(busy) < jobs:
                net = waiting.pop(0)
                if next(open_for(net), None) is not None:
                    busy.append(AskedNet(net, folder))
            if not busy:
                return
            tick(busy)
            for server in select.select(busy, [], [], _TICK_S)[0]:
                _note(server, NetAnswer(**server.read_answer()), results, say)
                following = None if server.net.false_alarm else next(open_for(server.net), None)
                if following is None:
                    server.stop()
                    busy.remove(server)
                else:
                    server.ask_about(following)
    finally:
        for server in busy:
            server.stop()


def _note(server: AskedNet, answer: NetAnswer, results: Results, say: Callable[[str], None]) -> None:
    if server.current is None:
        if answer.found is not None:
            server.net.false_alarm = f"{answer.found} ({answer.by})"
            say(f"FALSE ALARM of {server.net.name}: {server.net.false_alarm}: this net is not asked again")
        reached = set(answer.reached)
        server.net.mutants = [each for each in server.net.mutants if each.number in reached]
        return
    said = (answer.found, answer.by, answer.number, round(answer.seconds, 3))
    results.add(Trial(server.current.name, server.net.name, *said, server.net.sources))


def execute(options: MutateOptions, out: TextIO = sys.stderr) -> int:
    """Mutate, print the table, write the JSON; returns the exit code.

    Raises      UserError, HostError
    """
    if options.json is not None:
        check_json_path(options.json)
    table = explained()
    status, start = EXIT_CLEAN, time.monotonic()
    mutants = chosen_mutants(mutants_of(ROOT)[0], options.only, options.sample, options.seed)
    names = options.models or tuple(all_models())
    briefly, models = (model_nets(mutants, options.scale, names, brief=brief) for brief in (True, False))
    storms = storm_nets(mutants, models) if options.storms else []
    nets = [*briefly, *models, *storms]
    results = Results(runs_folder().parent / "mutants" / f"{source_key()}.jsonl", {net.name: net.sources for net in nets})
    try:
        with hangup_interrupts(), scratch_folder("pfnstorm-mutate-") as scratch:
            folder = scratch / "woven"
            make_woven(folder)
            progress = KillCount(out, len(mutants))
            progress.say(f"{len(mutants)} mutants, {len(models)} models, {len(storms)} storms; results in {results.path}")

            def tick(busy: Sequence[AskedNet]) -> None:
                progress.tick(results, mutants, busy)

            end = start + options.seconds
            storms_begin = start + options.seconds * _EXPLORER_SHARE if storms else end
            unexplained = [each for each in mutants if each.name not in table]
            for about, explorers_end in ((unexplained, storms_begin), (mutants, end)):
                for explorers in (briefly, models):
                    run_nets(explorers, about, options.jobs, explorers_end, folder, results, tick, progress.say)
                run_nets(storms, about, max(1, options.jobs // 2), end, folder, results, tick, progress.say)
    except KeyboardInterrupt:
        status = EXIT_INTERRUPTED
    finally:
        results.close()
    report = MutationReport(mutants, results, nets, table, narrowed=bool(options.models))
    print("\n".join(report.lines()), flush=True)
    unwritten = write_report(options.json, {**report.to_json(), "seconds": time.monotonic() - start})
    return status or report.exit_code() or unwritten


def listing(only: Sequence[str], sample: int | None, seed: int) -> list[str]:
    """One line for each mutant: the number of models that reach it, its name, and whether it is explained."""
    mutants = chosen_mutants(mutants_of(ROOT)[0], only, sample, seed)
    table = explained()
    nets = model_nets(mutants, 1, tuple(all_models()))
    lines = []
    for each in mutants:
        reaching = sum(each in net.mutants for net in nets)
        lines.append(f"{reaching:2} models  {each.name}{'  (explained)' if each.name in table else ''}")
    return lines
