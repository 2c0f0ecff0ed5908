"""What the command and a net say to each other: one line of JSON is one of these."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class MutantRequest:
    """Try one mutant, or the kernels as they are (alive.UNCHANGED, alive.RECORD)."""

    mutant: int


@dataclass(frozen=True)
class NetAnswer:
    """What a net says of one mutant.

    found       the code of an assertion, the names of checkers, or how the run ended; None: nothing
    by          under what it was found: memory model and strategy, or scenario and policies
    number      after how many schedules; 0 for a storm
    reached     the mutants that the kernels asked for, if that was recorded
    """

    found: str | None
    by: str
    number: int
    seconds: float
    reached: Sequence[int] = ()


@dataclass(frozen=True)
class DetectRequest:
    """A cell of `pfnstorm bugs --explore`: so many trials, each of at most `cap` schedules, `seconds` for all of them together."""

    mutant: int
    memory: str
    strategy: str
    trials: int
    cap: int
    seconds: float


@dataclass(frozen=True)
class DetectAnswer:
    """What became of the trials of a cell.

    found       how the first failing trial failed; "": none did
    numbers     the first failing schedule of each trial, from 1; None: the trial did not fail. Trials that were not begun in time are
                left out; so are all of them if the process died or was stopped, since then the schedule is unknown
    """

    found: str
    numbers: Sequence[int | None]
    seconds: float
