"""A model as a net: a mutant is explored under strategies and memory models until something is found.

The schedules are the same on every machine, so a mutant that is killed is killed again. The flavour was chosen before this is imported.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from stress.explore.compiling import build_models
from stress.explore.diagnosis import Found
from stress.explore.engine import Engine
from stress.explore.judge import judge_schedule
from stress.explore.model import Model
from stress.explore.models import all_models
from stress.explore.strategies import CHOOSABLE
from stress.mutate.alive import REACHED, RECORD
from stress.mutate.attempt import in_child
from stress.mutate.messages import NetAnswer

SCHEDULES = {"random": 6000, "pos": 6000, "pct-3": 6000, "pct-10": 3000}
MEMORIES = ("sc", "rmo")  # what x86-TSO and PSO allow, RMO allows
AT_REST_MAX = 20  # final states that the checkers at rest look at, for each model and memory model
LIMIT_S = 90.0  # of a child
LIMIT_CPU_S = 20  # of a child, of processor time: a loop that passes no point never ends
MET_MIN = 20  # a meeting that happens as often as that in the kernels as they are does not stay away by chance

#: for each memory model, how often each meeting of the model happened
Meetings = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Exploration:
    """What exploring one mutant showed: `found`, `by`, `number` and `reached` as in NetAnswer.

    met         of the memory models under which nothing was found
    """

    found: str | None
    by: str
    number: int
    reached: Sequence[int]
    met: Meetings


class ExploreNet:
    """The net of one model. It must be asked about RECORD first: that is how it learns which meetings the kernels as they are have.

    Parameters  scale: times SCHEDULES
    """

    def __init__(self, name: str, scale: float) -> None:
        self._model, self._scale = built_model(name), scale
        self._limit_s, self._limit_cpu_s = max(LIMIT_S, LIMIT_S * scale), max(LIMIT_CPU_S, int(LIMIT_CPU_S * scale))
        self._expected: Meetings = {}

    def answer(self, request: dict[str, Any]) -> NetAnswer:
        """Try the mutant of a MutantRequest."""
        mutant = request["mutant"]

        def work() -> dict[str, Any]:
            return asdict(explore_model(self._model, self._scale, self._expected))

        attempt = in_child(mutant, work, self._limit_s, self._limit_cpu_s)
        if attempt.failure:
            return NetAnswer(attempt.failure, attempt.detail, 0, attempt.seconds)
        explored = Exploration(**attempt.value)
        if mutant == RECORD:
            self._expected = explored.met
        return NetAnswer(explored.found, explored.by, explored.number, attempt.seconds, explored.reached)


def built_model(name: str) -> Model:
    """A model, after its kernels are compiled."""
    model = all_models()[name]
    build_models([model], sys.stderr)
    return model


def explore_model(model: Model, scale: float, expected: Meetings) -> Exploration:
    """Explore one model on the machine that alive.NUMBER selects, memory model by memory model, until something is found.

    As for `pfnstorm explore`, a vacuous result is a finding: a meeting that the kernels as they are have does not happen.
    """
    reached: set[int] = set()
    met: dict[str, dict[str, int]] = {}
    for memory in MEMORIES:
        try:
            engine = Engine(model, memory)
        except AssertionError as error:
            return Exploration(str(error), "its preparation", 0, sorted(reached), met)
        found = _explore_memory(engine, scale)
        reached.update(int(number) for number in engine.mem.arrays[REACHED].nonzero()[0])
        if found is not None:
            return Exploration(*found, sorted(reached), met)
        counters = engine.counters()
        met[memory] = {name: counters[name] for name in model.meetings}
        if missing := never_met(expected.get(memory, {}), met[memory]):
            return Exploration(f"vacuous: no schedule had {', '.join(missing)}", memory, 0, sorted(reached), met)
        engine.close()
    return Exploration(None, "", 0, sorted(reached), met)


def _explore_memory(engine: Engine, scale: float) -> tuple[str, str, int] | None:
    """What was found, by which strategy, after how many schedules."""
    good: set[int] = set()
    for strategy in (name for name in SCHEDULES if name in CHOOSABLE):
        engine.begin(strategy, 1)
        at, end = 0, max(1, int(SCHEDULES[strategy] * scale))
        while at < end:
            at = engine.explore(at, end - at, note_every=int(engine.model.is_judged and len(good) < AT_REST_MAX))
            if (found := judge_schedule(engine, good)) is not None:
                return shown(found), f"{engine.memory} {strategy}", at
    return None


def never_met(expected: Mapping[str, int], met: Mapping[str, int]) -> list[str]:
    """Meetings that the kernels as they are had often, and that did not happen."""
    return [name for name, times in expected.items() if times >= MET_MIN and met[name] == 0]


def shown(found: Found) -> str:
    """A failure in a word or two: the code of an assertion, the name of a checker, or a verdict and what it is about."""
    return str(found.code) if found.verdict in ("bug", "at-rest") else f"{found.verdict} {found.code}".strip()
