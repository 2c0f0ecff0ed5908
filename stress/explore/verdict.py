"""The verdict on a model, and on all of them: as a line, as rows of a table, as JSON."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from stress.explore.model import Model
from stress.explore.session import StrategyTally
from stress.io.text import Cell, table

_WIDTH = 80
#: how a model ends, the worst first
ENDINGS = ("violated", "vacuous", "interrupted", "not reached", "clean")


@dataclass
class ModelVerdict:
    """What the strategies found in one model. `broken_off`: they were interrupted. Without a tally it was not reached."""

    model: Model
    tallies: list[StrategyTally] = field(default_factory=list)
    broken_off: bool = False

    @property
    def failed(self) -> StrategyTally | None:
        return next((tally for tally in self.tallies if tally.failure is not None), None)

    @property
    def nr_run(self) -> int:
        return sum(tally.nr_run for tally in self.tallies)

    @property
    def nr_states(self) -> int:
        return len(set().union(*(tally.states for tally in self.tallies)))

    @property
    def complete(self) -> bool:
        return any(tally.complete for tally in self.tallies)

    @property
    def never_met(self) -> list[str]:
        """Meetings of the model that no schedule had."""
        return [name for name in self.model.meetings if not any(tally.met.get(name) for tally in self.tallies)]

    @property
    def ending(self) -> str:
        """One of ENDINGS, the first that applies."""
        if self.failed is not None:
            return "violated"
        if self.broken_off:
            return "interrupted"
        if not self.tallies:
            return "not reached"
        return "vacuous" if self.never_met else "clean"

    def text(self) -> str:
        """The verdict in one line."""
        ending = self.ending
        if self.failed is not None and self.failed.failure is not None:
            return f"{ending}: {self.failed.failure.found.describe()}"
        if ending == "interrupted":
            return f"{ending} after {self.nr_run:,} schedules, clean until then"
        if ending == "vacuous":
            return f"{ending}: no schedule had {', '.join(self.never_met)}"
        return f"{ending}, complete" if self.complete else ending

    def to_json(self) -> dict[str, Any]:
        tallies = [
            {
                "strategy": tally.strategy,
                "schedules": tally.nr_run,
                "steps": tally.nr_steps,
                "points": tally.nr_points,
                "most_steps": tally.most_steps,
                "seconds": tally.seconds,
                "complete": tally.complete,
                "failed_at": tally.failure.number if tally.failure else None,
                "failure": tally.failure.to_json() if tally.failure else None,
            }
            for tally in self.tallies
        ]
        met = {name: sum(tally.met.get(name, 0) for tally in self.tallies) for name in self.model.meetings}
        return {"model": self.model.name, "verdict": self.text(), "final_states": self.nr_states, "met": met, "strategies": tallies}


def table_of(verdicts: Sequence[ModelVerdict]) -> list[str]:
    """One row for each model in at most 80 columns, the worst verdicts first."""
    ordered = sorted(verdicts, key=lambda verdict: ENDINGS.index(verdict.ending))
    rows: list[list[Cell]] = [[verdict.model.name, verdict.ending, verdict.nr_run, verdict.nr_states] for verdict in ordered]
    lines = table(["model", "verdict", "schedules", "states"], rows)
    room = _WIDTH - len(lines[0]) - 2
    ends = ["complete", *(_shortened([tally.strategy for tally in verdict.tallies if tally.complete], room) for verdict in ordered)]
    return [f"{line}  {end}".rstrip() for line, end in zip(lines, ends, strict=True)]


def _shortened(names: Sequence[str], room: int) -> str:
    """Names, or if there is no room for all the first one and how many more there are."""
    whole = ", ".join(names)
    return whole if len(whole) <= room else f"{names[0]} +{len(names) - 1}"


def full_table_of(verdicts: Sequence[ModelVerdict]) -> list[str]:
    """One row for each strategy of each model."""
    width = max((len(verdict.model.name) for verdict in verdicts), default=5)
    head = f"{'model'.ljust(width)}  strategy      schedules  schedules/s  points  steps (most)  final states  verdict"
    lines = [head]
    for verdict in verdicts:
        for tally in verdict.tallies:
            rate = tally.nr_run / tally.seconds if tally.seconds else 0
            steps = tally.nr_steps / tally.nr_run if tally.nr_run else 0
            points = tally.nr_points / tally.nr_run if tally.nr_run else 0
            ending = "violated" if tally.failure else "complete" if tally.complete else "vacuous" if verdict.never_met else "clean"
            lines.append(
                f"{verdict.model.name.ljust(width)}  {tally.strategy:10}  {tally.nr_run:11,}  {rate:11,.0f}  "
                f"{points:6.0f}  {steps:5.0f} ({tally.most_steps:4})  {len(tally.states):12,}  {ending}"
            )
    return lines


def unreached_lines(verdicts: Sequence[ModelVerdict]) -> list[str]:
    """The models for which no time was left."""
    names = [verdict.model.name for verdict in verdicts if verdict.ending == "not reached"]
    text = f"no time was left for {len(names)} of {len(verdicts)} models; a longer --seconds reaches them: {', '.join(names)}"
    return textwrap.wrap(text, _WIDTH, break_on_hyphens=False) if names else []


def verdict_line(verdicts: Sequence[ModelVerdict], nr_models: int, seconds: float, replays: dict[str, str], ended_by: str = "") -> str:
    """The verdict on all models, the last line of the command.

    Parameters  nr_models: those that were asked for; replays: where failures are, by model; ended_by: what ended it early
    """
    named = {ending: [verdict for verdict in verdicts if verdict.ending == ending] for ending in ENDINGS}
    reached = sum(bool(verdict.tallies) for verdict in verdicts)
    models = f"{nr_models} model{'s'[: nr_models != 1]}"
    models = models if reached == nr_models else f"{reached} of {models}"
    complete = sum(verdict.complete and verdict.failed is None for verdict in verdicts)
    counts = f"{models}, {complete} complete, {sum(verdict.nr_run for verdict in verdicts):,} schedules in {seconds:.0f} s"
    failed, vacuous = named["violated"], named["vacuous"]
    violated = f"violated: {_first_of(failed)}: {replays[failed[0].model.name]}" if failed else ""
    if ended_by:
        return f"verdict: interrupted: {ended_by}{counts}, {violated or 'clean until then'}"
    if failed:
        return f"verdict: {violated}"
    if vacuous:
        return f"verdict: vacuous: {_first_of(vacuous)}: no schedule had {', '.join(vacuous[0].never_met)}"
    return f"verdict: clean: {counts}"


def _first_of(verdicts: Sequence[ModelVerdict]) -> str:
    more = len(verdicts) - 1
    return f"{verdicts[0].model.name} (and {more} more)" if more else verdicts[0].model.name
