"""A failure as a story: the interpreted engine replays it, and each step is shown in its CPU's column with its words and source line.

Accesses to words that no other CPU touched in this schedule are counted, not shown.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from kernels.base import points
from stress.errors import UserError
from stress.explore.diagnosis import Found
from stress.explore.engine import Engine
from stress.explore.failure import Failure
from stress.explore.greenlets import Where
from stress.explore.models import known_models
from stress.explore.operations import signature, word_name
from stress.explore.state import FLUSH, FLUSH_OP
from stress.explore.steps import Step
from stress.machine.words import memdesc_text, value_text

#: the most lines of one turn of a loop, and how many turns are shown before the rest are counted
LONGEST_TURN, TURNS_SHOWN = 64, 3


class DivergedError(UserError):
    """A schedule does something else than the file says: the file was edited, or the engines disagree, which is a bug of the explorer."""


@dataclass(frozen=True)
class StoryLine:
    """One step, or a number of steps on words that no other CPU touches."""

    number: int
    cpu: int
    text: str
    where: str = ""


def story(failure: Failure, *, everything: bool = False) -> list[str]:
    """The lines of a story.

    Raises      DivergedError if the interpreted engine makes other steps than the failure says
    """
    model = known_models()[failure.model]
    engine = Engine(model, failure.memory)
    try:
        engine.tasks.watching = True
        found = engine.replay(failure.choices, logging=True, judge=failure.found.is_at_rest)
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
        f"{failure.model} under {failure.memory}: {failure.found.describe()}",
        f"{model.summary}",
        (
            f"found by {failure.strategy}, seed {failure.seed}, schedule {failure.number:,}; "
            f"{len(steps)} steps, {switches} preemption{'' if switches == 1 else 's'}"
        ),
        "",
    ]
    ending = f"then: {failure.found.describe()}{f', at {refused}' if refused else ''}"
    return [*head, *_columns(lines, model.nr_cpus), "", ending]


def _compare(failure: Failure, found: Found | None, steps: list[Step]) -> None:
    for at, (step, (chosen, text)) in enumerate(zip(steps, failure.schedule, strict=False)):
        now = signature(step.op, step.offset)
        if (step.choice, now) != (chosen, text):
            raise DivergedError(f"step {at + 1} of the schedule is {now!r}, choice {step.choice}; the file says {text!r}, choice {chosen}")
    if len(steps) != len(failure.schedule):
        raise DivergedError(f"the schedule ends after {len(steps)} steps; the file has {len(failure.schedule)}")
    if found != failure.found:
        ending = f"with {found.describe()}" if found else "without a failure"
        raise DivergedError(f"the schedule ends {ending}; the file says {failure.found.describe()}")


def _shared_words(steps: list[Step]) -> set[int]:
    """The words that one CPU wrote and another one touched."""
    touched: dict[int, set[int]] = defaultdict(set)
    written = set()
    for step in steps:
        touched[step.offset].add(step.cpu)
        if step.op & points.KIND_MASK != points.LOAD:
            written.add(step.offset)
    return {offset for offset, cpus in touched.items() if offset in written and len(cpus) > 1}


def _lines(steps: list[Step], passed: dict[int, list[Where]], *, everything: bool) -> list[StoryLine]:
    shared = _shared_words(steps)
    lines: list[StoryLine] = []
    skipped = 0
    for number, step in enumerate(steps, 1):
        cpu = step.cpu
        place = place_text(passed[cpu].pop(0)) if step.chosen < FLUSH and passed.get(cpu) else "store buffer"
        if everything or step.offset in shared or number == len(steps) or step.op & points.KIND_MASK in (points.WAIT, points.FENCE):
            lines.append(StoryLine(number, cpu, step_text(step), place))
            skipped = 0
            continue
        same = lines and not lines[-1].where and lines[-1].cpu == cpu
        skipped = skipped + 1 if same else 1
        text = f"({skipped} on private words)"
        if same:
            lines[-1] = StoryLine(number, cpu, text)
        else:
            lines.append(StoryLine(number, cpu, text))
    return lines


def folded(lines: Sequence[StoryLine]) -> list[StoryLine]:
    """The same lines, with the turns of a livelock shown once: lines that repeat more than TURNS_SHOWN times in a row."""
    shown: list[StoryLine] = []
    at = 0
    keys = [(line.cpu, line.text, line.where) for line in lines]
    while at < len(lines):
        for period in range(1, LONGEST_TURN + 1):
            turns = 1
            while keys[at : at + period] == keys[at + turns * period : at + (turns + 1) * period]:
                turns += 1
            if turns > TURNS_SHOWN:
                cpus = {line.cpu for line in lines[at : at + period]}
                shown += lines[at : at + period]
                about = f"(the last {period} lines {turns - 1} more times)" if period > 1 else f"({turns - 1} more times)"
                at += turns * period
                shown.append(StoryLine(lines[at - 1].number, min(cpus), about))
                break
        else:
            shown.append(lines[at])
            at += 1
    return shown


def _columns(lines: list[StoryLine], nr_cpus: int) -> list[str]:
    widths = [max((len(line.text) for line in lines if line.cpu == cpu), default=5) for cpu in range(nr_cpus)]
    head = "  ".join(f"cpu {cpu}".ljust(width) for cpu, width in enumerate(widths))
    shown = [f"step  {head}".rstrip()]
    last = -1
    for line in lines:
        cells = [(line.text if cpu == line.cpu else "").ljust(width) for cpu, width in enumerate(widths)]
        mark = "›" if line.cpu != last else " "  # the schedule switches to another CPU here
        shown.append(f"{line.number:4}{mark} {'  '.join(cells)}  {line.where}".rstrip())
        last = line.cpu
    return shown


def place_text(frames: Where) -> str:
    """The innermost frame, and the first one outside kernels/base if that is another one."""
    if not frames:
        return ""
    outer = next((frame for frame in frames if not frame[0].startswith("kernels/base/")), frames[0])
    places = [f"{file.removeprefix('kernels/')}:{line} {name}" for file, line, name in dict.fromkeys((frames[0], outer))]
    return " in ".join(places)


def step_text(step: Step) -> str:
    """What a step did, with the words before and after."""
    kind, name = step.op & points.KIND_MASK, word_name(step.op, step.offset)
    text = signature(step.op, step.offset)
    is_word = name.startswith("memdesc")

    def shown(word: int) -> str:
        return memdesc_text(word) if is_word else value_text(word)

    if kind == points.LOAD:
        return f"{text} = {shown(step.result)}" + (f" (old: memory has {shown(step.before)})" if step.is_early else "")
    if kind in (points.STORE, FLUSH_OP):
        return f"{text}: {shown(step.before)} → {shown(step.first)}"
    if kind == points.CAS:
        if step.result == step.first:
            return f"{text}: {shown(step.result)} → {shown(step.second)}"
        return f"{text}: wanted {shown(step.first)}, saw {shown(step.result)}"
    if kind == points.FETCH_ADD:
        return f"{text}: {value_text(step.result)} → {value_text(step.result + step.first)}"
    if kind == points.FETCH_OR:
        return f"{text}: {value_text(step.result)} → {value_text(step.result | step.first)}"
    if kind == points.FETCH_AND:
        return f"{text}: {value_text(step.result)} → {value_text(step.result & step.first)}"
    if kind == points.EXCHANGE:
        return f"{text}: {value_text(step.result)} → {value_text(step.first)}"
    return text
