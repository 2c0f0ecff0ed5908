"""`pfnstorm mutate`: mutants of the kernels, the cheap nets first, and who survives.

All mutants stand in one woven copy, so every net compiles once. Models come first, the smallest closure first, each with the mutants
of kernels that it reaches: at first briefly, since what dies mostly dies in the first few schedules and what does not costs all of them in
every model that reaches it. What no model reaches or kills goes to storms. Mutants whose survival is explained come last, if time
is left: one that is killed has a wrong reason. A net that finds something in the kernels as they are is a false alarm: it is
said and not asked further.
"""

import hashlib
import platform
import select
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TextIO

from stress.errors import EXIT_CLEAN, EXIT_INTERRUPTED, EXIT_VACUOUS, EXIT_VIOLATED, UserError
from stress.explore.models import all_models
from stress.explore.reach import reached_by
from stress.io.json_report import write_report
from stress.mutate.operators import KINDS, Mutant, mutants_of
from stress.mutate.results import KILLED, SURVIVED, UNREACHED, UNTRIED, Results, Trial
from stress.mutate.server import Server
from stress.mutate.survivors import Survivor, explained
from stress.mutate.woven import RECORD, ROOT, make_woven, model_key, source_key
from stress.process.child import hangup_interrupts
from stress.process.scratch import scratch_folder

SCHEMA = "pfnstorm-mutate/1"
STORM_SECONDS = 6.0
#: what is stormed for whoever is left, in this order
STORMS = (("zoo",), ("storm", "migration=list", "offline=zero", "refcount=frozen-bit"))
#: and beside them for those only to whom no model leads
FAR_STORMS = (("hotplug",),)
_EXPLORER_SHARE = 0.6  # of the budget, at most, before storms begin
_BRIEFLY = 0.1  # of a model's schedules, before any model makes all of them
_TICK_S = 1.0
_SAID_S = 5.0


@dataclass(frozen=True)
class Options:
    """What a user asked for."""

    seconds: float
    jobs: int
    only: tuple[str, ...]
    sample: int | None
    seed: int
    scale: float
    models: tuple[str, ...]  # none: all that reach a mutant
    storms: bool
    json: Path | None


def chosen_mutants(mutants: Sequence[Mutant], only: Sequence[str], sample: int | None, seed: int) -> list[Mutant]:
    """Those whose names match, and of them a sample that follows from the seed and the names alone.

    Raises      UserError if nothing matches
    """
    found = [each for each in mutants if not only or any(pattern == each.name or fnmatchcase(each.name, pattern) for pattern in only)]
    if not found:
        raise UserError(f"no mutant matches {' or '.join(map(repr, only))}; see pfnstorm mutate --list")
    if sample is not None and sample < len(found):
        drawn = sorted(found, key=lambda each: hashlib.sha256(f"{seed}:{each.name}".encode()).digest())[:sample]
        found = sorted(drawn, key=lambda each: each.number)
    return found


@dataclass
class Net:
    """One net: how its server is started, and whom it may be asked about. Who passes a brief one is not judged yet."""

    name: str
    words: tuple[str, ...]
    mutants: list[Mutant]
    brief: bool = False
    false_alarm: str = ""
    sources: str = ""


def model_nets(mutants: Sequence[Mutant], scale: float, names: Sequence[str], *, brief: bool = False) -> list[Net]:
    """Every model of these whose calls lead to some of the mutants, the smallest closure first."""
    nets = []
    for name in sorted(names, key=lambda each: len(reached_by(each))):
        reached = [each for each in mutants if (each.file, each.function) in reached_by(name)]
        if reached:
            words = ("explore", name, f"{scale * _BRIEFLY if brief else scale:g}")
            nets.append(Net(f"explore {name}{' briefly' if brief else ''}", words, reached, brief, sources=model_key(name)))
    return nets


def storm_nets(mutants: Sequence[Mutant], models: Sequence[Net]) -> list[Net]:
    """The storms, for everybody whom this processor lets differ: on x86-64 only a fence and the compiler do anything for an ordering."""
    seen = [each for each in mutants if each.kind != "order" or "fence" in each.text or platform.machine() != "x86_64"]
    led_to = {each for net in models for each in net.mutants}
    far = [each for each in seen if each not in led_to]
    about = [*((words, seen) for words in STORMS), *((words, far) for words in FAR_STORMS)]
    return [Net(f"storm {' '.join(words)}", ("storm", words[0], f"{STORM_SECONDS:g}", *words[1:]), whom) for words, whom in about]


class Asked(Server):
    """The server of a net, and whom it was asked about last; None: the kernels as they are."""

    def __init__(self, net: Net, folder: Path) -> None:
        super().__init__(net.words, folder)
        self.net = net
        self.ask_about(None)

    def ask_about(self, mutant: Mutant | None) -> None:
        self.current = mutant
        self.ask({"mutant": mutant.number if mutant else RECORD})


@dataclass
class Progress:
    """One line now and then."""

    out: TextIO
    total: int
    start: float = field(default_factory=time.monotonic)
    said: float = 0.0

    def say(self, text: str) -> None:
        print(text, file=self.out, flush=True)

    def tick(self, results: Results, mutants: Sequence[Mutant], busy: Sequence[Asked]) -> None:
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
    after: Callable[[Sequence[Asked]], None],
    say: Callable[[str], None],
) -> None:
    """Ask the nets, `jobs` of them at a time, about those of some mutants who are not killed yet, until a moment of time.monotonic()."""
    waiting, busy, asked = list(nets), list[Asked](), set(about)

    def open_for(net: Net) -> Iterator[Mutant]:
        return (each for each in net.mutants if each in asked and results.killer(each) is None and not results.tried(each, net.name))

    try:
        while time.monotonic() < deadline:
            while waiting and len(busy) < jobs:
                net = waiting.pop(0)
                if next(open_for(net), None) is not None:
                    busy.append(Asked(net, folder))
            if not busy:
                return
            after(busy)
            for server in select.select(busy, [], [], _TICK_S)[0]:
                _note(server, server.read_answer(), results, say)
                following = None if server.net.false_alarm else next(open_for(server.net), None)
                if following is None:
                    server.stop()
                    busy.remove(server)
                else:
                    server.ask_about(following)
    finally:
        for server in busy:
            server.stop()


def _note(server: Asked, answer: dict[str, Any], results: Results, say: Callable[[str], None]) -> None:
    if server.current is None:
        if answer["found"] is not None:
            server.net.false_alarm = f"{answer['found']} ({answer['by']})"
            say(f"FALSE ALARM of {server.net.name}: {server.net.false_alarm}: it is not asked any more")
        reached = set(answer["reached"])
        server.net.mutants = [each for each in server.net.mutants if each.number in reached]
        return
    said = (answer["found"], answer["by"], answer["number"], round(answer["seconds"], 3))
    results.add(Trial(server.current.name, server.net.name, *said, server.net.sources))


def execute(options: Options, results_folder: Path, out: TextIO = sys.stderr) -> int:
    """Mutate, print the table, write the JSON; returns the exit code."""
    table = explained()
    status, start = EXIT_CLEAN, time.monotonic()
    mutants = chosen_mutants(mutants_of(ROOT)[0], options.only, options.sample, options.seed)
    names = options.models or tuple(all_models())
    briefly, models = (model_nets(mutants, options.scale, names, brief=brief) for brief in (True, False))
    storms = storm_nets(mutants, models) if options.storms else []
    nets = [*briefly, *models, *storms]
    results = Results(results_folder / f"{source_key()}.jsonl", {net.name: net.sources for net in nets})
    try:
        with hangup_interrupts(), scratch_folder("pfnstorm-mutate-") as scratch:
            folder = scratch / "woven"
            make_woven(folder)
            progress = Progress(out, len(mutants))
            progress.say(f"{len(mutants)} mutants, {len(models)} models, {len(storms)} storms; results in {results.path}")

            def after(busy: Sequence[Asked]) -> None:
                progress.tick(results, mutants, busy)

            end = start + options.seconds
            storms_begin = start + options.seconds * _EXPLORER_SHARE if storms else end
            unexplained = [each for each in mutants if each.name not in table]
            for about, explorers_end in ((unexplained, storms_begin), (mutants, end)):
                for explorers in (briefly, models):
                    run_nets(explorers, about, options.jobs, explorers_end, folder, results, after, progress.say)
                run_nets(storms, about, max(1, options.jobs // 2), end, folder, results, after, progress.say)
    except KeyboardInterrupt:
        status = EXIT_INTERRUPTED
    finally:
        results.close()
    report = Report(mutants, results, nets, table, narrowed=bool(options.models))
    print("\n".join(report.lines()), flush=True)
    unwritten = write_report(options.json, {**report.to_json(), "seconds": time.monotonic() - start})
    return status or report.exit_code() or unwritten


@dataclass
class Report:
    """What became of the mutants."""

    mutants: Sequence[Mutant]
    results: Results
    nets: Sequence[Net]
    table: dict[str, Survivor]
    narrowed: bool = False  # whether somebody has said which nets: that none of them reaches a mutant says nothing about the project

    def verdict(self, mutant: Mutant) -> str:
        names = [net.name for net in self.nets if not net.brief and not net.false_alarm and mutant in net.mutants]
        return self.results.verdict(mutant, names)

    def exit_code(self) -> int:
        alarm = any(net.false_alarm for net in self.nets)
        unexplained = {self.verdict(each) for each in self.mutants if each.name not in self.table}
        if alarm or unexplained & ({SURVIVED} if self.narrowed else {SURVIVED, UNREACHED}):
            return EXIT_VIOLATED
        return EXIT_VACUOUS if unexplained & {UNTRIED, UNREACHED} else EXIT_CLEAN

    def lines(self) -> list[str]:
        """Survivors and untried ones by name, wrong explanations, false alarms, and a table by kind."""
        lines = [f"FALSE ALARM of {net.name}: {net.false_alarm} in the kernels as they are" for net in self.nets if net.false_alarm]
        for mutant in self.mutants:
            verdict, why = self.verdict(mutant), self.table.get(mutant.name)
            if verdict != KILLED or (why and why.why == "equivalent"):
                lines.append(f"{verdict}{f', explained: {why.why}' if why else ''}: {mutant.name}")
        width = max(map(len, KINDS))
        title = "mutants  killed  survived  not reached  not tried  explained of these  the same here  killed of all  of those that differ"
        lines.append(f"{'kind'.ljust(width)}  {title}")
        of_kinds = {kind: [each for each in self.mutants if kind in (each.kind, "all")] for kind in (*KINDS, "all")}
        return lines + [self._line(kind.ljust(width), mutants) for kind, mutants in of_kinds.items()]

    def _line(self, title: str, mutants: Sequence[Mutant]) -> str:
        count = Counter(map(self.verdict, mutants))
        left_over = [why for each in mutants if self.verdict(each) != KILLED and (why := self.table.get(each.name))]
        same = sum(why.no_model_differs for why in left_over)
        killed = count[KILLED]
        left = f"{count[SURVIVED]:8}  {count[UNREACHED]:11}  {count[UNTRIED]:9}  {len(left_over):18}  {same:13}"
        shares = f"{_share(killed, len(mutants)):>13}  {_share(killed, len(mutants) - same):>20}"
        return f"{title}  {len(mutants):7}  {killed:6}  {left}  {shares}"

    def to_json(self) -> dict[str, Any]:
        entries = []
        for mutant in self.mutants:
            why, killer = self.table.get(mutant.name), self.results.killer(mutant)
            entries.append(
                {
                    "name": mutant.name,
                    **asdict(mutant),
                    "verdict": self.verdict(mutant),
                    "killed_by": asdict(killer) if killer else None,
                    "tried_by": sorted(self.results.trials.get(mutant.name, {})),
                    "explained": why.model_dump(exclude={"mutants"}) if why else None,
                }
            )
        alarms = {net.name: net.false_alarm for net in self.nets if net.false_alarm}
        return {"schema": SCHEMA, "sources": self.results.path.stem, "false_alarms": alarms, "mutants": entries}


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"


def listed(only: Sequence[str], sample: int | None, seed: int) -> list[str]:
    """One line for each mutant: the models that reach it, its name, and whether it is explained."""
    mutants = chosen_mutants(mutants_of(ROOT)[0], only, sample, seed)
    table = explained()
    nets = model_nets(mutants, 1, tuple(all_models()))
    lines = []
    for each in mutants:
        reaching = sum(each in net.mutants for net in nets)
        lines.append(f"{reaching:2} models  {each.name}{'  (explained)' if each.name in table else ''}")
    return lines
