"""Nets as servers, each in a process that runs in a woven copy: mutants in, what was found out. `python -m stress.mutate.nets ...`

    explore MODEL SCALE                     one model under strategies and memory models, SCALE times the schedules below
    storm SCENARIO SECONDS [POLICY=VALUE]   a small storm with full checks and chaos

A number a line on standard input is answered by a line of JSON (Answer). Mutant 0 is the kernels as they are: what is found then is a
false alarm. Each is tried in a forked child, since a mutant may crash or never come to an end; the compiled code is loaded once.

The explorer makes the same schedules whatever the machine, so that what was killed is killed again.
"""

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stress.workers import die_with

NUMBER = "PFNSTORM_MUTANT"  # which mutant is alive, for stress/machine.py of a woven copy
SCHEDULES = {"random": 6000, "pos": 6000, "pct-3": 6000, "pct-10": 3000}
AT_REST_MAX = 40  # final states that the checkers look at, for each model and memory model
LIMIT_S = 90.0  # for a child, beside the seconds of a storm
WORKERS, MEMORY, FRAME_BYTES, CHAOS = 4, "32M", 4096, 0.01
FOUND_NOTHING = (None, "", 0)

#: what was found (a code or a net; None: nothing), under what, and after how many schedules
Finding = tuple[str | None, str, int]


@dataclass(frozen=True)
class Answer:
    """What one net said of one mutant."""

    mutant: int
    found: str | None
    by: str
    number: int
    seconds: float


def explore_model(model: Any, scale: float) -> Finding:
    """Explore one model on the machine that NUMBER makes, memory model by memory model, until something is found."""
    from stress.explore.engine import MEMORY_MODELS, Engine

    for memory in MEMORY_MODELS:
        try:
            engine = Engine(model, memory)
        except AssertionError as error:
            return str(error), "its preparation", 0
        found = _explore_memory(engine, model, scale)
        if found is not FOUND_NOTHING:
            return found
        engine.close()
    return FOUND_NOTHING


def _explore_memory(engine: Any, model: Any, scale: float) -> Finding:
    from stress.explore import state
    from stress.explore.strategies import CHOOSABLE

    looks = 0
    for strategy in (name for name in SCHEDULES if name in CHOOSABLE):
        engine.begin(strategy, 1)
        at, end = 0, max(1, int(SCHEDULES[strategy] * scale))
        while at < end:
            at = engine.explore(at, end - at, stop_at_new_states=model.at_rest and looks < AT_REST_MAX)
            found = engine.found()
            if found is None and engine.stop == state.STOP_STATE:
                looks += 1
                found = engine.at_rest()
            if found is not None:
                return found.code or found.verdict, f"{engine.memory} {strategy}", at
    return FOUND_NOTHING


def storm_once(scenario: str, seconds: float, settings: Sequence[str]) -> Finding:
    """Storm the machine that NUMBER makes; every ending but a clean one is a finding."""
    from stress.run import Options, execute

    options = Options(
        scenario, seconds, WORKERS, None, MEMORY, FRAME_BYTES, 1, "full", tuple(settings), CHAOS, trace=None, json=None, save=False
    )
    result = execute(options)
    if result["verdict"] in ("clean", "vacuous"):
        return FOUND_NOTHING
    nets = sorted({str(violation["checker"]) for violation in result["violations"]})
    return ", ".join(nets) or str(result["verdict"]), " ".join((scenario, *settings)), 0


def in_child(mutant: int, work: Callable[[], Finding], limit_s: float) -> Answer:
    """Let a forked process do the work as a mutant; it is stopped when it takes too long."""
    start = time.monotonic()
    reading, writing = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            die_with(parent)
            os.environ[NUMBER] = str(mutant)
            os.write(writing, json.dumps(work()).encode())
        except BaseException as error:  # noqa: BLE001  # nothing of the parent may run here; what happened is said
            print(f"mutant {mutant}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        finally:
            os._exit(0)
    os.close(writing)
    ready, _, _ = select.select([reading], [], [], limit_s)
    if not ready:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    said = os.read(reading, 1 << 16) if ready else b""
    os.close(reading)
    seconds = time.monotonic() - start
    if said:
        found, by, number = json.loads(said)
        return Answer(mutant, found, by, number, seconds)
    if not ready:
        return Answer(mutant, "overdue", f"no end in {limit_s:g} s", 0, seconds)
    return Answer(mutant, "died", f"wait status {status}", 0, seconds)


def serve(try_mutant: Callable[[int], Answer], answers: Any) -> None:
    """Answer the numbers on standard input until it ends."""
    for line in sys.stdin:
        print(json.dumps(asdict(try_mutant(int(line)))), file=answers, flush=True)


def explore_server(name: str, scale: float, answers: Any) -> None:
    """Be the net of one model."""
    from stress.explore.explore import build_models
    from stress.explore.models import all_models

    model = all_models()[name]
    build_models([model], sys.stderr)
    serve(lambda mutant: in_child(mutant, lambda: explore_model(model, scale), LIMIT_S), answers)


def storm_server(scenario: str, seconds: float, settings: Sequence[str], answers: Any) -> None:
    """Be the net of one scenario; what storms print goes nowhere."""
    from stress.build import RUN_MODULES, build_entries, entries_of, import_all_entries

    import_all_entries()
    build_entries(entries_of(RUN_MODULES))
    serve(lambda mutant: in_child(mutant, lambda: storm_once(scenario, seconds, settings), LIMIT_S + seconds), answers)


def main(words: Sequence[str]) -> None:
    """Serve with the answers on what was standard output, and standard output where it disturbs nobody."""
    die_with(os.getppid())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal signals the whole group; the command stops us
    answers = os.fdopen(os.dup(1), "w")
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    kind, name, amount, *settings = words
    os.environ["PFNSTORM_FLAVOUR"] = "explored" if kind == "explore" else "checked"
    if kind == "explore":
        explore_server(name, float(amount), answers)
    else:
        storm_server(name, float(amount), settings, answers)


if __name__ == "__main__":
    main(sys.argv[1:])
