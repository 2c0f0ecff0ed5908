"""`pfnstorm bugs`: each seeded bug in a copy of the project, stormed until a net catches it; and the unchanged kernels, which none may.

One process, no threads: the next copy is compiled while this one storms. Whatever ends this process, its children are stopped and the
folder with all copies is removed; children of a supervisor that was killed are killed with it. The evidence of a bug that a net caught
stays in results/bugs/. The unchanged kernels are not stormed again within an hour of a clean storm.
"""

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, TextIO

from stress.bugs.copies import START_LIMIT_S, Copy
from stress.bugs.kept import control_key, keep_evidence, recall_control, remember_control
from stress.bugs.patches import PatchError
from stress.bugs.story import ENDINGS, SeededBug, seeded_bugs
from stress.errors import EXIT_CLEAN, EXIT_INTERRUPTED, EXIT_VIOLATED
from stress.io.json_report import check_json_path, write_report
from stress.process.child import hangup_interrupts
from stress.process.scratch import scratch_folder

SCHEMA = "pfnstorm-bugs/1"
CONTROL = "unchanged"
_BUILDS_AHEAD = 1  # beside the storm: with it, two processes that want a core


@dataclass(frozen=True)
class BugsOptions:
    """The command line of `pfnstorm bugs`. No names: all bugs.

    control     storm the unchanged kernels, too
    save        keep evidence, and remember clean unchanged kernels, in results/bugs/
    """

    names: tuple[str, ...]
    tries: int
    seconds: float
    control: bool | None  # None: unless they were clean within the last hour
    json: Path | None
    save: bool


@dataclass(frozen=True)
class Try:
    """One storm: the nets that reported something, and after how many seconds of storming it ended."""

    verdict: str
    nets: tuple[str, ...]
    invariants: tuple[str, ...]
    seconds: float
    as_expected: bool
    reason: str

    @classmethod
    def of(cls, row: dict[str, Any]) -> "Try":
        """A storm from its JSON."""
        return cls(**{**row, "nets": tuple(row["nets"]), "invariants": tuple(row["invariants"])})


@dataclass
class SeededOutcome:
    """What became of one bug in its storms.

    error       why it could not be stormed
    ago_s       how many seconds ago these storms were, if they are remembered ones of the unchanged kernels
    """

    name: str
    title: str
    expect: tuple[str, ...]
    proves: tuple[str, ...]
    tries: list[Try] = field(default_factory=list)
    error: str = ""
    ago_s: float | None = None

    @property
    def nr_caught(self) -> int:
        return sum(each.as_expected for each in self.tries)

    @property
    def good(self) -> bool:
        """Whether nine of ten tries were as expected, or all if there are fewer than ten; of the unchanged kernels, all."""
        missed = len(self.tries) - self.nr_caught
        return not self.error and bool(self.tries) and missed <= (0 if self.name.startswith(CONTROL) else len(self.tries) // 10)


def judge(bug: SeededBug, result: dict[str, Any]) -> Try:
    """What caught it, and whether that is as expected: for a bug the nets that its story names, for the unchanged kernels none."""
    verdict = str(result["verdict"])
    nets = {str(violation["checker"]) for violation in result["violations"]}
    if verdict in ENDINGS:
        nets.add(verdict)
    as_expected = bug.story.is_caught_by(nets) if bug.patch is not None else verdict in ("clean", "vacuous")
    invariants = sorted({str(violation["invariant"]) for violation in result["violations"]})
    return Try(verdict, tuple(sorted(nets)), tuple(invariants), float(result["seconds"]), as_expected, str(result["reason"]))


def controls_of(bugs: Sequence[SeededBug]) -> list[SeededBug]:
    """The unchanged kernels, once for each way in which these bugs are stormed."""
    ways = list({json.dumps([bug.story.storm.model_dump(), bug.story.roles, bug.story.policy]): bug.story for bug in bugs}.values())
    changed = {"title": "the kernels as they are", "silence": (), "proves": ()}
    return [SeededBug(f"{CONTROL} {k}", None, story.model_copy(update=changed)) for k, story in enumerate(ways, 1)]


def storm_all(bugs: Sequence[SeededBug], options: BugsOptions, say: Callable[[str], None]) -> Iterator[SeededOutcome]:
    """Storm one bug after the other; each outcome as soon as it is known."""
    with hangup_interrupts(), scratch_folder("pfnstorm-bugs-") as folder:
        waiting = list(bugs)
        ahead: list[tuple[SeededBug, Copy | PatchError]] = []
        try:
            while waiting or ahead:
                while waiting and len(ahead) <= _BUILDS_AHEAD:
                    bug = waiting.pop(0)
                    try:
                        ahead.append((bug, Copy(folder / bug.name.replace(" ", "-"), bug)))
                    except PatchError as error:
                        ahead.append((bug, error))
                bug, copy = ahead[0]
                yield _storm_one(bug, copy, options, say)
                ahead.pop(0)
                if isinstance(copy, Copy):
                    shutil.rmtree(copy.folder)
        finally:
            for _, copy in ahead:
                if isinstance(copy, Copy):
                    copy.build.stop()


def _storm_one(bug: SeededBug, copy: Copy | PatchError, options: BugsOptions, say: Callable[[str], None]) -> SeededOutcome:
    outcome = SeededOutcome(bug.name, bug.story.title, bug.story.expect, bug.story.proves)
    if isinstance(copy, PatchError):
        outcome.error = str(copy)
    else:
        if copy.build.status is None:
            say(f"{bug.name}: compiling")
        while copy.build.wait(START_LIMIT_S) is None:
            say(f"{bug.name}: still compiling")
        if copy.build.status != 0:
            outcome.error = f"it does not compile: {copy.build.last_line()}"
    if outcome.error:
        say(f"{bug.name}: {outcome.error}")
        return outcome
    assert isinstance(copy, Copy)
    save = options.save
    for number in range(1, options.tries + 1):
        result = copy.storm(options.seconds, number, save=save)
        if result is None:
            found = Try("overdue", (), (), options.seconds, False, f"the storm did not end within {options.seconds + START_LIMIT_S:g} s")
        else:
            found = judge(bug, result)
        outcome.tries.append(found)
        remark = "" if found.as_expected else "NOT AS EXPECTED: "
        say(f"{bug.name}: try {number} of {options.tries}: {remark}{found.verdict} after {found.seconds:.1f} s: {found.reason}")
        if save and found.nets:
            _keep(bug, copy, say)
            save = False  # of the first try that a net caught
    return outcome


def _keep(bug: SeededBug, copy: Copy, say: Callable[[str], None]) -> None:
    """Keep the evidence of the last storm; the verdict matters more if that fails."""
    try:
        say(f"{bug.name}: machine and report are in {keep_evidence(bug.name, copy.saved_run())}")
    except OSError as error:
        say(f"{bug.name}: cannot keep machine and report: {error}")


def _recalled(controls: Sequence[SeededBug], options: BugsOptions, say: Callable[[str], None]) -> list[SeededOutcome]:
    """Of the unchanged kernels, the storms that were clean within the last hour."""
    outcomes = []
    for control in controls:
        found = recall_control(control_key(control, options.tries, options.seconds))
        if found is not None:
            ago_s, tries = found
            say(f"{control.name}: {tries[-1]['verdict']} {_ago(ago_s)}, and no source has changed; --control storms it again")
            outcomes.append(SeededOutcome(control.name, control.story.title, (), (), [Try.of(each) for each in tries], ago_s=ago_s))
    return outcomes


def _ago(seconds: float) -> str:
    return f"{seconds // 60:.0f} min ago"


def execute(options: BugsOptions, out: TextIO = sys.stderr) -> int:
    """Storm the bugs and the unchanged kernels, print the table, write the JSON; returns the exit code.

    Raises      UserError, HostError
    """
    bugs = seeded_bugs(options.names)
    if options.json is not None:
        check_json_path(options.json)

    def say(text: str) -> None:
        print(text, file=out, flush=True)

    controls = {} if options.control is False else {control.name: control for control in controls_of(bugs)}
    recalled = [] if options.control else _recalled(list(controls.values()), options, say)
    stormed = [*bugs, *(control for name, control in controls.items() if name not in {each.name for each in recalled})]
    outcomes: list[SeededOutcome] = []
    status = EXIT_CLEAN
    try:
        for outcome in storm_all(stormed, options, say):
            outcomes.append(outcome)  # an interrupt must not lose the outcomes before it
            if options.save and outcome.good and outcome.name in controls:
                _remember(controls[outcome.name], outcome, options, say)
    except KeyboardInterrupt:
        status = EXIT_INTERRUPTED
    outcomes += recalled
    print("\n".join(table_of(outcomes)), flush=True)
    table = [{**asdict(outcome), "caught": outcome.nr_caught, "good": outcome.good} for outcome in outcomes]
    written = {"schema": SCHEMA, "seconds": options.seconds, "tries": options.tries, "bugs": table}
    unwritten = write_report(options.json, written)
    return status or (unwritten if all(outcome.good for outcome in outcomes) else EXIT_VIOLATED)


def _remember(control: SeededBug, outcome: SeededOutcome, options: BugsOptions, say: Callable[[str], None]) -> None:
    try:
        remember_control(control_key(control, options.tries, options.seconds), [asdict(each) for each in outcome.tries])
    except OSError as error:
        say(f"{control.name}: cannot be remembered: {error}")


def table_of(outcomes: Sequence[SeededOutcome]) -> list[str]:
    """One line for each bug: caught how often, after how many seconds (median and most), by which nets."""
    width = max((len(outcome.name) for outcome in outcomes), default=3)
    lines = [f"{'bug'.ljust(width)}  as expected  seconds (most)  nets"]
    for outcome in outcomes:
        caught = f"{outcome.nr_caught}/{len(outcome.tries)}".rjust(11)
        seconds = [each.seconds for each in outcome.tries]
        times = f"{median(seconds):6.1f} ({max(seconds):4.1f})" if seconds else "-"
        nets = sorted({net for each in outcome.tries for net in each.nets})
        said = outcome.error or ", ".join(nets) or "none"
        said += f", {_ago(outcome.ago_s)}" if outcome.ago_s is not None else ""
        lines.append(f"{outcome.name.ljust(width)}  {caught}  {times.rjust(14)}  {said}{'' if outcome.good else '  <- WRONG'}")
    return lines


def listing(names: Sequence[str]) -> list[str]:
    """One line for each bug: its name, its title, and what it recreates."""
    bugs = seeded_bugs(names)
    width = max(len(bug.name) for bug in bugs)
    return [f"{bug.name.ljust(width)}  {bug.story.title} [{bug.story.recreates}]" for bug in bugs]
