"""A scenario as a net: a mutant is stormed with full checks and chaos. The flavour was chosen before this is imported."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from stress.mutate.alive import REACHED
from stress.mutate.attempt import in_child
from stress.mutate.messages import NetAnswer
from stress.process.build import import_all_entries
from stress.run.command import RunOptions, perform
from stress.storm.entries import ENTRY_PACKAGES, build_storm_entries

WORKERS, MEMORY, FRAME_BYTES, CHAOS = 4, "32M", 4096, 0.01
LIMIT_S = 90.0  # of a child, beside the seconds of its storm


@dataclass(frozen=True)
class Storming:
    """What storming one mutant showed: `found`, `by` and `reached` as in NetAnswer."""

    found: str | None
    by: str
    reached: Sequence[int]


class StormNet:
    """The net of one scenario under some policies."""

    def __init__(self, scenario: str, seconds: float, settings: Sequence[str]) -> None:
        self._scenario, self._seconds, self._settings = scenario, seconds, tuple(settings)
        import_all_entries(ENTRY_PACKAGES)
        build_storm_entries()

    def answer(self, request: dict[str, Any]) -> NetAnswer:
        """Try the mutant of a MutantRequest."""

        def work() -> dict[str, Any]:
            return asdict(storm_once(self._scenario, self._seconds, self._settings))

        attempt = in_child(request["mutant"], work, LIMIT_S + self._seconds)
        if attempt.failure:
            return NetAnswer(attempt.failure, attempt.detail, 0, attempt.seconds)
        stormed = Storming(**attempt.value)
        return NetAnswer(stormed.found, stormed.by, 0, attempt.seconds, stormed.reached)


def storm_once(scenario: str, seconds: float, settings: tuple[str, ...]) -> Storming:
    """Storm the machine that alive.NUMBER selects; every verdict but clean and vacuous is a finding."""
    words = (scenario, seconds, WORKERS, None, MEMORY, FRAME_BYTES, 1, "full", settings, CHAOS)
    options = RunOptions(*words, trace=None, snapshot=None, json=None, save=False)
    machines: list[Any] = []
    result = perform(options, machines.append)
    reached = [int(number) for number in machines[0].arrays[REACHED].nonzero()[0]]
    if result["verdict"] in ("clean", "vacuous"):
        return Storming(None, "", reached)
    nets = sorted({str(violation["checker"]) for violation in result["violations"]})
    return Storming(", ".join(nets) or str(result["verdict"]), " ".join((scenario, *settings)), reached)
