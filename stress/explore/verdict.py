"""The verdict on a model: the tallies of its strategies, as a line, as rows of a table, as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from stress.explore.model import Model
from stress.explore.session import StrategyTally


@dataclass
class ModelVerdict:
    """What the strategies found in one model. `broken_off`: they were interrupted."""

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

    def text(self) -> str:
        """The verdict in one line."""
        if self.failed is not None and self.failed.failure is not None:
            return f"violated: {self.failed.failure.found.describe()}"
        if self.broken_off:
            return f"interrupted after {self.nr_run:,} schedules, clean until then"
        if self.never_met:
            return f"vacuous: no schedule had {', '.join(self.never_met)}"
        return "clean, complete" if self.complete else "clean"

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
    """One line for each model and strategy."""
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
