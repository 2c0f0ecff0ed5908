"""Nets as servers, each in a process that runs in a woven copy: mutants in, what was found out. `python -m stress.mutate.nets ...`

    explore MODEL SCALE                     one model under strategies and memory models, SCALE times the schedules below
    storm SCENARIO SECONDS [POLICY=VALUE]   a small storm with full checks and chaos
    detect MODEL                            trials with a seed each, until one finds something

A line of JSON on standard input is answered by one: {"mutant"} by an Answer, for `detect` a Request by {"numbers", "found", "seconds"}.
Mutant 0 is the kernels as they are: what is found then is a false alarm. So is -1, which also records which mutants could have made a
difference: no others need be tried. Each is tried in a forked child, since a mutant may crash or never come to an end; the compiled
code is loaded once.

The explorer makes the same schedules whatever the machine, so that what was killed is killed again.
"""

import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from stress.process.child import die_with, fork_child

NUMBER = "PFNSTORM_MUTANT"  # which mutant is alive, for stress/machine/segment.py of a woven copy
SCHEDULES = {"random": 6000, "pos": 6000, "pct-3": 6000, "pct-10": 3000}
MEMORIES = ("sc", "rmo")  # what x86-TSO and PSO allow, RMO allows
AT_REST_MAX, AT_REST_EVERY = 20, 1  # final states that the checkers look at, for each model and memory model
LIMIT_S = 90.0  # for a child, beside the seconds of a storm
LIMIT_CPU_S = 20  # of processor time, for a child that explores: a loop that passes no point has no end
WORKERS, MEMORY, FRAME_BYTES, CHAOS = 4, "32M", 4096, 0.01
FOUND_NOTHING = (None, "", 0)
RECORD, REACHED = -1, "mutant_reached"  # as woven.py, which is not imported here: kernels come after the flavour
_reached: set[int] = set()  # of the machines of this process
MET_MIN = 20  # what happens as often as that in the kernels as they are does not fail to happen by chance
#: how often each meeting of the model happened under each memory model: of this process, and of the kernels as they are
_met: dict[str, dict[str, int]] = {}
_expected: dict[str, dict[str, int]] = {}

#: what was found (a code or a net; None: nothing), under what, and after how many schedules
Finding = tuple[str | None, str, int]


@dataclass(frozen=True)
class Answer:
    """What one net said of one mutant. `reached`: the numbers that were asked for, if that was recorded."""

    mutant: int
    found: str | None
    by: str
    number: int
    seconds: float
    reached: tuple[int, ...] = ()
    met: dict[str, dict[str, int]] = field(default_factory=dict)


def explore_model(model: Any, scale: float) -> Finding:
    """Explore one model on the machine that NUMBER makes, memory model by memory model, until something is found.

    To be vacuous is to be found, as `pfnstorm explore` has it: if a meeting of the model does not happen any more.
    """
    from stress.explore.engine import Engine

    for memory in MEMORIES:
        try:
            engine = Engine(model, memory)
        except AssertionError as error:
            return str(error), "its preparation", 0
        found = _explore_memory(engine, model, scale)
        _note_reached(engine.mem)
        if found is not FOUND_NOTHING:
            return found
        counters = engine.counters()
        _met[memory] = {name: counters[name] for name in model.meetings}
        if missing := never_met(_expected.get(memory, {}), _met[memory]):
            return f"vacuous: no schedule had {', '.join(missing)}", memory, 0
        engine.close()
    return FOUND_NOTHING


def never_met(expected: dict[str, int], met: dict[str, int]) -> list[str]:
    """Meetings that the kernels as they are had often, and that did not happen."""
    return [name for name, times in expected.items() if times >= MET_MIN and met[name] == 0]


def _shown(found: Any) -> str:
    """What a failure is, in a word or two: the code of an assertion, the name of a checker, or a verdict and what it is about."""
    return str(found.code) if found.verdict in ("bug", "at-rest") else f"{found.verdict} {found.code}".strip()


def _note_reached(mem: Any) -> None:
    _reached.update(int(number) for number in mem.arrays[REACHED].nonzero()[0])


def _explore_memory(engine: Any, model: Any, scale: float) -> Finding:
    from stress.explore.strategies import CHOOSABLE

    good: set[int] = set()
    for strategy in (name for name in SCHEDULES if name in CHOOSABLE):
        engine.begin(strategy, 1)
        at, end = 0, max(1, int(SCHEDULES[strategy] * scale))
        while at < end:
            at = engine.explore(at, end - at, note_every=AT_REST_EVERY if model.is_judged and len(good) < AT_REST_MAX else 0)
            found = judge(engine, good)
            if found is not None:
                return _shown(found), f"{engine.memory} {strategy}", at
    return FOUND_NOTHING


def judge(engine: Any, good: set[int]) -> Any:
    """How the last schedule failed, by itself or in the eyes of the checkers at rest; `good` are final states that they have seen."""
    from stress.explore import state

    found = engine.found()
    if found is None and engine.model.is_judged and engine.verdict == "clean" and engine.stop != state.STOP_BUDGET:
        reached = engine.final_state()
        if reached not in good:
            found = engine.at_rest()
            if found is None:
                good.add(reached)
    return found


def storm_once(scenario: str, seconds: float, settings: Sequence[str]) -> Finding:
    """Storm the machine that NUMBER makes; every ending but a clean one is a finding."""
    from stress.run.command import RunOptions, perform

    words = (scenario, seconds, WORKERS, None, MEMORY, FRAME_BYTES, 1, "full", tuple(settings), CHAOS)
    options = RunOptions(*words, trace=None, snapshot=None, json=None, save=False)
    machines: list[Any] = []
    result = perform(options, machines.append)
    _note_reached(machines[0])
    if result["verdict"] in ("clean", "vacuous"):
        return FOUND_NOTHING
    nets = sorted({str(violation["checker"]) for violation in result["violations"]})
    return ", ".join(nets) or str(result["verdict"]), " ".join((scenario, *settings)), 0


def in_child(mutant: int, work: Callable[[], Finding], limit_s: float, limit_cpu_s: int = resource.RLIM_INFINITY) -> Answer:
    """Let a forked process do the work as a mutant; it is stopped when it takes too long, by the clock or of processor time."""
    start = time.monotonic()
    reading, writing = os.pipe()

    def answer() -> None:
        os.close(reading)
        resource.setrlimit(resource.RLIMIT_CPU, (limit_cpu_s, resource.RLIM_INFINITY))
        os.environ[NUMBER] = str(mutant)
        with os.fdopen(writing, "w") as pipe:
            json.dump((*work(), sorted(_reached), _met), pipe)

    child = fork_child(answer, f"mutant {mutant}")
    os.close(writing)
    ready, _, _ = select.select([reading], [], [], limit_s)
    if not ready:
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    seconds = time.monotonic() - start
    if said:
        found, by, number, reached, met = json.loads(said)
        return Answer(mutant, found, by, number, seconds, tuple(reached), met)
    if not ready:
        return Answer(mutant, "overdue", f"no end in {limit_s:g} s", 0, seconds)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
        return Answer(mutant, "overdue", f"no end in {limit_cpu_s} s of processor time", 0, seconds)
    return Answer(mutant, "died", f"wait status {status}", 0, seconds)


def serve(answer: Callable[[dict[str, Any]], object], answers: Any) -> None:
    """Answer the requests on standard input until it ends."""
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), file=answers, flush=True)


def explore_server(name: str, scale: float, answers: Any) -> None:
    """Be the net of one model."""
    model = _built(name)
    limit_cpu_s = max(LIMIT_CPU_S, int(LIMIT_CPU_S * scale))
    limit_s = max(LIMIT_S, LIMIT_S * scale)

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        said = in_child(request["mutant"], lambda: explore_model(model, scale), limit_s, limit_cpu_s)
        if said.mutant == RECORD:
            _expected.update(said.met)
        return asdict(said)

    serve(answer, answers)


def _built(name: str) -> Any:
    from stress.explore.compiling import build_models
    from stress.explore.models import all_models

    model = all_models()[name]
    build_models([model], sys.stderr)
    return model


def detect_server(name: str, answers: Any) -> None:
    """Be the trials of one model."""
    model = _built(name)

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        given = Request(**request)
        said = in_child(given.mutant, lambda: detect(model, given), LIMIT_S + 2 * given.seconds)
        numbers = json.loads(said.by) if said.number else []  # it crashed, or never came back, at a schedule that nobody knows
        return {"numbers": numbers, "found": said.found or "", "seconds": said.seconds, "reached": said.reached}

    serve(answer, answers)


@dataclass(frozen=True)
class Request:
    """A cell of `pfnstorm bugs --explore`."""

    mutant: int
    memory: str
    strategy: str
    trials: int
    cap: int
    seconds: float


def detect(model: Any, request: Request) -> Finding:
    """How the first failing trial failed, and in `by` the first failing schedule of each trial; none that was not begun in time."""
    from stress.explore.engine import Engine

    deadline = time.monotonic() + request.seconds
    try:
        engine = Engine(model, request.memory)
    except AssertionError as error:
        return str(error), json.dumps([1] * request.trials), 1
    numbers: list[int | None] = []
    code, good = None, set[int]()
    for seed in range(1, request.trials + 1):
        found = first_detection(engine, request.strategy, seed, request.cap, deadline, good)
        numbers.append(found[1] if found else None)
        code = code or (found[0] if found else None)
        if time.monotonic() >= deadline:
            break
    _note_reached(engine.mem)
    return code, json.dumps(numbers), len(numbers)


def first_detection(engine: Any, strategy: str, seed: int, cap: int, deadline: float, good: set[int]) -> tuple[str, int] | None:
    """What the first failing schedule shows, and its number from 1; None if none failed before the cap or the deadline."""
    from stress.explore import state
    from stress.explore.session import AT_REST_EVERY, AT_REST_FIRST, SLICE_SCHEDULES

    engine.begin(strategy, seed)
    engine.forget_states()
    engine.words[state.NOTE_FIRST] = AT_REST_FIRST
    at = 0
    while at < cap:
        every = next(each for below, each in AT_REST_EVERY if at < below) if engine.model.is_judged else 0
        at = engine.explore(at, min(SLICE_SCHEDULES, cap - at), note_every=every)
        found = judge(engine, good)
        if found is not None:
            return _shown(found), at
        if engine.stop == state.STOP_COMPLETE or time.monotonic() >= deadline:
            return None
    return None


def storm_server(scenario: str, seconds: float, settings: Sequence[str], answers: Any) -> None:
    """Be the net of one scenario; what storms print goes nowhere."""
    from stress.process.build import import_all_entries
    from stress.storm.entries import ENTRY_PACKAGES, build_storm_entries

    import_all_entries(ENTRY_PACKAGES)
    build_storm_entries()
    serve(lambda request: asdict(in_child(request["mutant"], lambda: storm_once(scenario, seconds, settings), LIMIT_S + seconds)), answers)


def main(words: Sequence[str]) -> None:
    """Serve with the answers on what was standard output, and standard output where it disturbs nobody."""
    die_with(os.getppid())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal signals the whole group; the command stops us
    answers = os.fdopen(os.dup(1), "w")
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    kind, name, *more = words
    os.environ["PFNSTORM_FLAVOUR"] = "checked" if kind == "storm" else "explored"
    if kind == "explore":
        explore_server(name, float(more[0]), answers)
    elif kind == "detect":
        detect_server(name, answers)
    else:
        storm_server(name, float(more[0]), more[1:], answers)


if __name__ == "__main__":
    main(sys.argv[1:])
