"""The JSON object that `pfnstorm compare --json` writes, as `--from` reads it."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from stress.io.reading import checked, read_json
from stress.measure.ratio import Interval, interval

SCHEMA = "pfnstorm-compare/1"

Finite = Annotated[float, Field(ge=-1e15, le=1e15, allow_inf_nan=False)]
Name = Annotated[str, Field(max_length=200)]
Counts = dict[Name, dict[Name, dict[Name, dict[Name, Finite]]]]  # load -> value -> stage -> what is counted


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class SavedRatio(_Part):
    """A value over the base, and what the rounds show in words."""

    median: Finite
    low: Finite
    high: Finite
    coverage: Annotated[float, Field(ge=0, le=1)]
    shown: Name

    @property
    def is_shown(self) -> bool:
        """Whether the rounds show which is better."""
        return self.shown.endswith(" better")


class SavedFigure(_Part):
    """One measured quantity: rounds by value, ratios to the base by value."""

    name: Name
    unit: Name
    rounds: dict[Name, Annotated[list[Finite], Field(min_length=1, max_length=10_000)]]
    ratio_to_base: dict[Name, SavedRatio]

    def interval(self, value: str) -> Interval:
        """The median of a value's rounds, with its interval."""
        return interval(self.rounds[value])


class SavedAxis(_Part):
    """What was compared on one axis."""

    base: Name
    counts: Counts
    figures: list[SavedFigure]

    def figure(self, name: str) -> SavedFigure | None:
        return next((each for each in self.figures if each.name == name), None)


class SavedComparison(_Part):
    """A whole comparison."""

    schema_name: Annotated[str, Field(alias="schema", pattern=f"^{SCHEMA}$")]
    host: dict[Name, Any]
    axes: dict[Name, SavedAxis]

    @property
    def where(self) -> str:
        """Where it was measured."""
        words = [str(self.host.get(key, "?"))[:80] for key in ("cpu", "cores", "kernel")]
        return f"{words[0]}, {words[1]} cores, {words[2]}".replace("$", "")


_ADAPTER = TypeAdapter(SavedComparison)


def read_comparison(path: Path) -> SavedComparison:
    """A saved comparison.

    Raises      UserError if it is none
    """
    what = "a comparison that `pfnstorm compare --json` saved"
    return checked(_ADAPTER, read_json(path, what), path, what, "save it again")


def as_saved(result: dict[str, Any]) -> SavedComparison:
    """A result as write_report() gets it."""
    return _ADAPTER.validate_python(result)
