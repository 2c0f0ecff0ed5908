"""A model as a detector of seeded bugs: trials with a seed each, until one fails. The flavour was chosen before this is imported."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from stress.explore import state
from stress.explore.engine import Engine
from stress.explore.judge import begin_judging, judge_schedule, note_every
from stress.explore.model import Model
from stress.explore.session import SLICE_SCHEDULES
from stress.mutate.attempt import in_child
from stress.mutate.explore_net import LIMIT_S, built_model, shown
from stress.mutate.messages import DetectAnswer, DetectRequest


@dataclass(frozen=True)
class Detection:
    """What the trials of a cell showed: `found` and `numbers` as in DetectAnswer."""

    found: str
    numbers: Sequence[int | None]


class DetectNet:
    """The trials of one model."""

    def __init__(self, name: str) -> None:
        self._model = built_model(name)

    def answer(self, request: dict[str, Any]) -> DetectAnswer:
        """Make the trials of a DetectRequest."""
        given = DetectRequest(**request)
        attempt = in_child(given.mutant, lambda: asdict(detect(self._model, given)), LIMIT_S + 2 * given.seconds)
        if attempt.failure:
            return DetectAnswer(attempt.failure, (), attempt.seconds)
        detection = Detection(**attempt.value)
        return DetectAnswer(detection.found, detection.numbers, attempt.seconds)


def detect(model: Model, request: DetectRequest) -> Detection:
    """Make the trials, one seed each, until all are made or the time is over."""
    deadline = time.monotonic() + request.seconds
    try:
        engine = Engine(model, request.memory)
    except AssertionError as error:
        return Detection(str(error), [1] * request.trials)
    code, numbers, good = "", list[int | None](), set[int]()
    for seed in range(1, request.trials + 1):
        found = first_detection(engine, request.strategy, seed, request.cap, deadline, good)
        numbers.append(found[1] if found else None)
        code = code or (found[0] if found else "")
        if time.monotonic() >= deadline:
            break
    return Detection(code, numbers)


def first_detection(engine: Engine, strategy: str, seed: int, cap: int, deadline: float, good: set[int]) -> tuple[str, int] | None:
    """What the first failing schedule shows, and its number from 1; None if none failed before the cap or the deadline."""
    engine.begin(strategy, seed)
    begin_judging(engine, 0)
    at = 0
    while at < cap:
        at = engine.explore(at, min(SLICE_SCHEDULES, cap - at), note_every=note_every(engine.model, at))
        if (found := judge_schedule(engine, good)) is not None:
            return shown(found), at
        if engine.stop == state.STOP_COMPLETE or time.monotonic() >= deadline:
            return None
    return None
