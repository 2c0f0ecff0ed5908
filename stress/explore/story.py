"""A failure told to a person: the interpreted engine replays it, and each step stands in its CPU's column with source line and words.

Accesses to words that nobody else touched in this schedule are counted, not shown: what is left is what the CPUs did to each other.
"""

import subprocess
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from kernels.base import flavour, points
from kernels.base.layout import (
    DESC_SHIFT,
    M_OFFLINE,
    NONE_WORD,
    STATE_MASK,
    STATE_SHIFT,
    SUBTYPE_MASK,
    SUBTYPE_SHIFT,
    TYPE_MASK,
    Misc,
    Offline,
    Type,
)
from stress.errors import EXIT_VIOLATED, UserError
from stress.explore.engine import AT_REST, Engine, Found, Step, Where
from stress.explore.failure import Failure, load_failure
from stress.explore.models import known_models
from stress.explore.operations import signature, word_name
from stress.explore.scheduler import FLUSH_OP
from stress.explore.state import FLUSH
from stress.process import itself

INTERPRETED = {"NUMBA_DISABLE_JIT": "1", "PFNSTORM_FLAVOUR": "explored"}
_WITH_DESC = (Type.FILE, Type.ANON, Type.KSM, Type.COUNTED)


#: what the turns of a loop may be, in lines, and how many of them a story shows as they are
LONGEST_TURN, TURNS_SHOWN = 64, 3


class DivergedError(UserError):
    """A schedule does something else than what was written down: the file was edited, or the engines disagree, a bug of the explorer."""


@dataclass(frozen=True)
class Line:
    """One step, or a number of steps that concern nobody else."""

    number: int
    cpu: int
    text: str
    where: str = ""


def tell(path: Path, *, everything: bool = False) -> int:
    """Replay a failure in the interpreted engine, in a process of its own; prints the story, returns the exit code."""
    if flavour.INTERPRETED and flavour.EXPLORED:
        try:
            lines = story(load_failure(path), everything=everything)
        except DivergedError as error:
            raise UserError(f"{path}: {error}: explore again, or if nobody has edited the file, report it") from error
        print("\n".join(lines), flush=True)
        return EXIT_VIOLATED
    words = itself.command("replay", *(["--all"] if everything else []), "--", str(path))
    return subprocess.run(words, env=itself.environment(**INTERPRETED), check=False).returncode


def story(failure: Failure, *, everything: bool = False) -> list[str]:
    """The lines of a story.

    Raises      DivergedError if the interpreted engine passes other points than the failure says
    """
    model = known_models()[failure.model]
    engine = Engine(model, failure.memory)
    try:
        engine.tasks.watching = True
        found = engine.replay(failure.choices, logging=True, judge=failure.found.verdict == AT_REST)
        steps, switches = engine.steps(), engine.nr_preemptions()
        passed = {cpu: list(places) for cpu, places in engine.tasks.passed.items()}
        refused = place_text(engine.tasks.refused)
    finally:
        engine.close()
    _compare(failure, found, steps)
    lines = _lines(steps, passed, everything=everything)
    if not everything:
        lines = folded(lines)
    head = [
        f"{failure.model} under {failure.memory}: {describe(failure.found)}",
        f"{model.summary}",
        (
            f"found by {failure.strategy}, seed {failure.seed}, schedule {failure.number:,}; "
            f"{len(steps)} steps, {switches} preemption{'' if switches == 1 else 's'}"
        ),
        "",
    ]
    ending = f"then: {describe(failure.found)}{f', at {refused}' if refused else ''}"
    return [*head, *_columns(lines, model.nr_cpus), "", ending]


def describe(found: Found) -> str:
    """How a schedule failed, in one line."""
    if found.verdict == AT_REST:
        frame = f", frame {found.pfn}" if found.pfn >= 0 else ""
        return f"at rest, {found.code} ({found.invariant}){frame}: {found.message}"
    if found.verdict != "bug":
        return f"{found.verdict}: {found.message}" if found.message else found.verdict
    frame = f", frame {found.pfn}" if found.pfn >= 0 else ""
    return f"{found.code} ({found.invariant}) on cpu {found.cpu}{frame}: saw {value(found.seen)}, wanted {value(found.wanted)}"


def _compare(failure: Failure, found: Found | None, steps: list[Step]) -> None:
    for at, (step, (chosen, text)) in enumerate(zip(steps, failure.schedule, strict=False)):
        now = signature(step.op, step.offset)
        if (step.choice, now) != (chosen, text):
            raise DivergedError(f"step {at + 1} of the schedule is {now!r} of task {step.choice}, the file says {text!r} of {chosen}")
    if len(steps) != len(failure.schedule):
        raise DivergedError(f"the schedule ends after {len(steps)} steps, the file has {len(failure.schedule)}")
    if found != failure.found:
        ending = describe(found) if found else "without a failure"
        raise DivergedError(f"the schedule ends {ending}, the file says {describe(failure.found)}")


def _shared_words(steps: list[Step]) -> set[int]:
    """The words that one CPU wrote and another one touched."""
    touched: dict[int, set[int]] = defaultdict(set)
    written = set()
    for step in steps:
        touched[step.offset].add(step.cpu)
        if step.op & points.KIND_MASK != points.LOAD:
            written.add(step.offset)
    return {offset for offset, cpus in touched.items() if offset in written and len(cpus) > 1}


def _lines(steps: list[Step], passed: dict[int, list[Where]], *, everything: bool) -> list[Line]:
    shared = _shared_words(steps)
    lines: list[Line] = []
    skipped = 0
    for number, step in enumerate(steps, 1):
        cpu = step.cpu
        place = place_text(passed[cpu].pop(0)) if step.chosen < FLUSH and passed.get(cpu) else "store buffer"
        if everything or step.offset in shared or number == len(steps) or step.op & points.KIND_MASK in (points.WAIT, points.FENCE):
            lines.append(Line(number, cpu, step_text(step), place))
            skipped = 0
            continue
        same = lines and not lines[-1].where and lines[-1].cpu == cpu
        skipped = skipped + 1 if same else 1
        text = f"({skipped} of its own words)"
        if same:
            lines[-1] = Line(number, cpu, text)
        else:
            lines.append(Line(number, cpu, text))
    return lines


def folded(lines: Sequence[Line]) -> list[Line]:
    """The same lines, what comes back right after itself TURNS_SHOWN times and more told once: the turns of a livelock."""
    told: list[Line] = []
    at = 0
    keys = [(line.cpu, line.text, line.where) for line in lines]
    while at < len(lines):
        for period in range(1, LONGEST_TURN + 1):
            turns = 1
            while keys[at : at + period] == keys[at + turns * period : at + (turns + 1) * period]:
                turns += 1
            if turns > TURNS_SHOWN:
                cpus = {line.cpu for line in lines[at : at + period]}
                told += lines[at : at + period]
                about = f"({turns - 1} more turns of the last {period} lines)" if period > 1 else f"({turns - 1} times more)"
                at += turns * period
                told.append(Line(lines[at - 1].number, min(cpus), about))
                break
        else:
            told.append(lines[at])
            at += 1
    return told


def _columns(lines: list[Line], nr_cpus: int) -> list[str]:
    widths = [max((len(line.text) for line in lines if line.cpu == cpu), default=5) for cpu in range(nr_cpus)]
    head = "  ".join(f"cpu {cpu}".ljust(width) for cpu, width in enumerate(widths))
    shown = [f"step  {head}".rstrip()]
    last = -1
    for line in lines:
        cells = [(line.text if cpu == line.cpu else "").ljust(width) for cpu, width in enumerate(widths)]
        mark = "›" if line.cpu != last else " "  # the schedule goes on with another CPU here
        shown.append(f"{line.number:4}{mark} {'  '.join(cells)}  {line.where}".rstrip())
        last = line.cpu
    return shown


def place_text(frames: Where) -> str:
    """The innermost frame, and the first one above kernels/base if that is another."""
    if not frames:
        return ""
    outer = next((frame for frame in frames if not frame[0].startswith("kernels/base/")), frames[0])
    said = [f"{file.removeprefix('kernels/')}:{line} {name}" for file, line, name in dict.fromkeys((frames[0], outer))]
    return " in ".join(said)


def step_text(step: Step) -> str:
    """What a step did, with the words before and after."""
    kind, name = step.op & points.KIND_MASK, word_name(step.op, step.offset)
    text = signature(step.op, step.offset)
    is_word = name.startswith("memdesc")

    def shown(word: int) -> str:
        return memdesc_text(word) if is_word else value(word)

    if kind == points.LOAD:
        return f"{text} = {shown(step.result)}" + (f" (old: memory has {shown(step.before)})" if step.is_early else "")
    if kind in (points.STORE, FLUSH_OP):
        return f"{text}: {shown(step.before)} → {shown(step.first)}"
    if kind == points.CAS:
        if step.result == step.first:
            return f"{text}: {shown(step.result)} → {shown(step.second)}"
        return f"{text}: wanted {shown(step.first)}, saw {shown(step.result)}"
    if kind == points.FETCH_ADD:
        return f"{text}: {value(step.result)} → {value(step.result + step.first)}"
    if kind == points.FETCH_OR:
        return f"{text}: {value(step.result)} → {value(step.result | step.first)}"
    if kind == points.FETCH_AND:
        return f"{text}: {value(step.result)} → {value(step.result & step.first)}"
    if kind == points.EXCHANGE:
        return f"{text}: {value(step.result)} → {value(step.first)}"
    return text


def value(word: int) -> str:
    """A number; large ones in hexadecimal."""
    return str(word) if abs(word) < 1 << 16 else hex(word)


def memdesc_text(word: int) -> str:
    """A memdesc word as its type and what leads further."""
    kind = word & TYPE_MASK
    if word == NONE_WORD:
        return "NONE"
    if kind in _WITH_DESC:
        return f"{Type(kind).name} desc {word >> DESC_SHIFT}"
    if kind == Type.BUDDY:
        return f"BUDDY order {word >> DESC_SHIFT}"
    if kind == Type.MISC and word >> SUBTYPE_SHIFT & SUBTYPE_MASK == M_OFFLINE:
        return f"OFFLINE {_name(Offline, word >> STATE_SHIFT & STATE_MASK)}"
    if kind == Type.MISC:
        return f"MISC {_name(Misc, word >> SUBTYPE_SHIFT & SUBTYPE_MASK)}"
    return value(word)


def _name(names: type[IntEnum], number: int) -> str:
    """The name of a number; itself if it has none, as in a word that a bug has written."""
    try:
        return names(number).name
    except ValueError:
        return str(number)
