"""`pfnstorm bugs`: each seeded bug in a copy of the project, stormed until a net catches it; and the unchanged kernels, which none may.

One process, no threads: the next copy is compiled while this one storms. Whatever ends this, by an exception or a signal, the
children are stopped and the folder with all copies is gone; children of a supervisor that was killed go with it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, TextIO

from stress.bugs.patches import PatchError, apply_patch
from stress.bugs.story import ENDINGS, SeededBug, Story, scenario_text
from stress.errors import EXIT_CLEAN, EXIT_INTERRUPTED, EXIT_VIOLATED, HostError
from stress.io.json_report import write_report
from stress.process.child import die_with, hangup_interrupts
from stress.process.scratch import scratch_folder

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = "pfnstorm-bugs/1"
CONTROL = "unchanged"
_COPIED = ("kernels", "stress", "pfnstorm.py")
_BUILDS_AHEAD = 1  # beside the storm: with it, two processes that want a core
_TICK_S = 0.05
_START_LIMIT_S = 60.0  # what a storm may take beyond its seconds: to start, to load its kernels, to end
_STOP_LIMIT_S = 5.0
#: where the copy's bug() is made deaf to the codes that a story silences
_BUG_FILE, _BUG_FIRST_LINE = "kernels/base/bug.py", "    slot = fetch_add_seq_cst(mem.bug_count, 0, 1)\n"


@dataclass(frozen=True)
class Try:
    """One storm: the nets that reported something, and after how many seconds of storming it ended."""

    verdict: str
    nets: tuple[str, ...]
    invariants: tuple[str, ...]
    seconds: float
    as_expected: bool
    reason: str


@dataclass
class Outcome:
    """What became of one bug."""

    name: str
    title: str
    expect: tuple[str, ...]
    proves: tuple[str, ...]
    tries: list[Try] = field(default_factory=list)
    error: str = ""  # why it could not be stormed

    @property
    def nr_caught(self) -> int:
        return sum(each.as_expected for each in self.tries)

    @property
    def good(self) -> bool:
        """Nine of ten tries, and none missed when there are fewer; of the unchanged kernels, every one."""
        missed = len(self.tries) - self.nr_caught
        return not self.error and bool(self.tries) and missed <= (0 if self.name.startswith(CONTROL) else len(self.tries) // 10)


class Child:
    """A subprocess in a session of its own, with its messages in a file; it goes when this process does."""

    def __init__(self, copy: "Copy", words: Sequence[str], log: str) -> None:
        self.log = copy.folder / log
        supervisor_pid = os.getpid()
        with self.log.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "stress", *words],
                cwd=copy.folder,
                env=copy.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=lambda: die_with(supervisor_pid),  # noqa: PLW1509  # there are no threads here
            )

    @property
    def status(self) -> int | None:
        return self._process.poll()

    def last_line(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def wait(self, limit_s: float) -> int | None:
        """The exit status, or None after so many seconds."""
        deadline = time.monotonic() + limit_s
        while self.status is None and time.monotonic() < deadline:
            time.sleep(_TICK_S)
        return self.status

    def stop(self) -> None:
        if self.status is None:
            self._process.terminate()
            if self.wait(_STOP_LIMIT_S) is None:
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


class Copy:
    """The project in a folder of its own, perhaps with a bug in it; has its own compiled kernels and results.

    Raises      PatchError
    """

    def __init__(self, folder: Path, bug: SeededBug) -> None:
        self.folder, self.bug = folder, bug
        folder.mkdir()
        for name in _COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, folder / name)
        if bug.patch is not None:
            apply_patch(bug.patch, folder)
        if bug.story.silence:
            silence(folder / _BUG_FILE, bug.story)
        if bug.story.roles:
            (folder / "seeded.toml").write_text(scenario_text(bug.story))
        self.build = Child(self, ["build"], "build.log")

    @property
    def environment(self) -> dict[str, str]:
        own = {
            "PYTHONPATH": str(self.folder),
            "PFNSTORM_CACHE_DIR": str(self.folder / "cache"),
            "PFNSTORM_RESULTS_DIR": str(self.folder / "results"),
            "PFNSTORM_FLAVOUR": self.bug.story.storm.flavour,
        }
        return {**os.environ, **own}

    def storm(self, seconds: float, number: int) -> Try:
        """One storm; its verdict comes from the JSON that every ending writes.

        Raises      HostError
        """
        story, result = self.bug.story, self.folder / f"try-{number}.json"
        storm = story.storm
        words = ["run", str(self.folder / "seeded.toml") if story.roles else storm.scenario, "--no-save"]
        words += ["--seconds", f"{seconds:g}", "--workers", str(storm.workers), "--memory", storm.memory]
        words += ["--frame-bytes", str(storm.frame_bytes)]
        words += [word for name, value in story.policy.items() for word in ("--set", f"{name}={value}")]
        words += ["--check", storm.check, "--chaos", f"{storm.chaos:g}", "--json", str(result)]
        child = Child(self, words, f"try-{number}.log")
        try:
            ended = child.wait(seconds + _START_LIMIT_S) is not None
        finally:
            child.stop()
        if not ended:
            return Try("overdue", (), (), seconds, False, f"the storm did not end within {seconds + _START_LIMIT_S:g} s")
        if not result.is_file():
            raise HostError(f"{self.bug.name}: the storm could not run: {child.last_line()}")
        return judge(self.bug, json.loads(result.read_text()))


def silence(path: Path, story: Story) -> None:
    """Take assertions in the act out of a copy."""
    from kernels.base.layout import Bug

    text = path.read_text()
    if text.count(_BUG_FIRST_LINE) != 1:
        raise PatchError(f"{path.name}: bug() no longer begins with {_BUG_FIRST_LINE.strip()!r}: bring stress/bugs/command.py up to date")
    codes = " or ".join(f"code == {int(Bug[code])}" for code in story.silence)
    path.write_text(text.replace(_BUG_FIRST_LINE, f"    if {codes}:\n        return\n{_BUG_FIRST_LINE}"))


def judge(bug: SeededBug, result: dict[str, Any]) -> Try:
    """What caught it, and whether that is right: for a bug the nets that its story names, for the unchanged kernels none."""
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


def storm_all(bugs: Sequence[SeededBug], tries: int, seconds: float, say: Callable[[str], None]) -> Iterator[Outcome]:
    """Storm one bug after the other, each outcome as soon as it is known."""
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
                yield _storm_one(bug, copy, tries, seconds, say)
                ahead.pop(0)
                if isinstance(copy, Copy):
                    shutil.rmtree(copy.folder)
        finally:
            for _, copy in ahead:
                if isinstance(copy, Copy):
                    copy.build.stop()


def _storm_one(bug: SeededBug, copy: Copy | PatchError, tries: int, seconds: float, say: Callable[[str], None]) -> Outcome:
    outcome = Outcome(bug.name, bug.story.title, bug.story.expect, bug.story.proves)
    if isinstance(copy, PatchError):
        outcome.error = str(copy)
    else:
        if copy.build.status is None:
            say(f"{bug.name}: compiling")
        while copy.build.wait(_START_LIMIT_S) is None:
            say(f"{bug.name}: still compiling")
        if copy.build.status != 0:
            outcome.error = f"it does not compile: {copy.build.last_line()}"
    if outcome.error:
        say(f"{bug.name}: {outcome.error}")
        return outcome
    assert isinstance(copy, Copy)
    for number in range(1, tries + 1):
        found = copy.storm(seconds, number)
        outcome.tries.append(found)
        remark = "" if found.as_expected else "NOT AS EXPECTED: "
        say(f"{bug.name}: try {number} of {tries}: {remark}{found.verdict} after {found.seconds:.1f} s: {found.reason}")
    return outcome


def run_bugs(
    bugs: Sequence[SeededBug], tries: int, seconds: float, json_path: Path | None, *, control: bool = True, out: TextIO = sys.stderr
) -> int:
    """Storm these bugs and the unchanged kernels, print the table, write the JSON; returns the exit code."""

    def say(text: str) -> None:
        print(text, file=out, flush=True)

    outcomes: list[Outcome] = []
    status = EXIT_CLEAN
    try:
        for outcome in storm_all([*bugs, *(controls_of(bugs) if control else [])], tries, seconds, say):
            outcomes.append(outcome)  # noqa: PERF402  # what is known when it is interrupted is printed all the same
    except KeyboardInterrupt:
        status = EXIT_INTERRUPTED
    print("\n".join(table_of(outcomes)), flush=True)
    table = [{**asdict(outcome), "caught": outcome.nr_caught, "good": outcome.good} for outcome in outcomes]
    unwritten = write_report(json_path, {"schema": SCHEMA, "seconds": seconds, "tries": tries, "bugs": table})
    return status or (unwritten if all(outcome.good for outcome in outcomes) else EXIT_VIOLATED)


def table_of(outcomes: Sequence[Outcome]) -> list[str]:
    """One line for each bug: caught how often, after how many seconds (median and most), by which nets."""
    width = max((len(outcome.name) for outcome in outcomes), default=3)
    lines = [f"{'bug'.ljust(width)}  as expected  seconds (most)  nets"]
    for outcome in outcomes:
        caught = f"{outcome.nr_caught}/{len(outcome.tries)}".rjust(11)
        seconds = [each.seconds for each in outcome.tries]
        times = f"{median(seconds):6.1f} ({max(seconds):4.1f})" if seconds else "-"
        nets = sorted({net for each in outcome.tries for net in each.nets})
        said = outcome.error or ", ".join(nets) or "none"
        lines.append(f"{outcome.name.ljust(width)}  {caught}  {times.rjust(14)}  {said}{'' if outcome.good else '  <- WRONG'}")
    return lines
