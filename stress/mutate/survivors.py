"""The mutants that may survive, and why: tests/mutants/survivors.toml. A mutant is named by what it changes, never by a line number."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from stress.io.reading import read_toml

TABLE = Path(__file__).resolve().parents[2] / "tests" / "mutants" / "survivors.toml"


class Survivor(BaseModel):
    """One reason, and the mutants that it explains.

    why         equivalent: no execution differs in anything that a protocol promises; performance: time or success rates differ,
                correctness does not; hardware: executions differ only on processors that are not modelled; seldom: a net sees it,
                given more time than a run has
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mutants: tuple[str, ...] = Field(min_length=1)
    why: Literal["equivalent", "performance", "hardware", "seldom"]
    reason: str = Field(min_length=20)

    @property
    def no_model_differs(self) -> bool:
        """Whether no execution of a modelled machine differs, so that there is nothing to catch.

        The literature calls this an equivalent mutant and leaves it out of the mutation score (Jia and Harman, An Analysis and Survey of
        the Development of Mutation Testing, 2011).
        """
        return self.why in ("equivalent", "hardware")


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    survivor: tuple[Survivor, ...] = ()

    @model_validator(mode="after")
    def _once_each(self) -> "_Table":
        seen: set[str] = set()
        for survivor in self.survivor:
            for name in survivor.mutants:
                if name in seen:
                    raise ValueError(f"{name!r} is explained twice")
                seen.add(name)
        return self


def explained(path: Path = TABLE) -> dict[str, Survivor]:
    """The explained mutants, by name.

    Raises      UserError, one line
    """
    if not path.is_file():
        return {}
    table = read_toml(path, _Table)
    return {name: survivor for survivor in table.survivor for name in survivor.mutants}
