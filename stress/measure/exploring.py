"""Schedules per second of one model on one core, per memory model and strategy, without and with happens-before clocks; and how long a
failing schedule with many preemptions takes to shrink:

    python -m stress.measure.exploring [--model refcount-cas] [--schedules 98304] [--json]

Steps are all accesses of a schedule, points those at which the strategy chose; bug(), the model's check and the search for new final
states are in the time, the checkers at rest are not. The best of some runs counts, in own CPU time. An exhaustive strategy starts
again when it is complete. What is shrunk is the first random walk with so many preemptions that violates a model which is to be violated.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

os.environ["PFNSTORM_FLAVOUR"] = "explored"

from stress.errors import UserError
from stress.explore import state
from stress.explore.diagnosis import Found
from stress.explore.engine import Engine
from stress.explore.model import Model
from stress.explore.models import known_models
from stress.explore.shrink import shrink

STRATEGIES = ("random", "pct-3", "pos", "surw", "dpor")
RUNS, SCHEDULES = 12, 12 * 8192
SHRUNK, PREEMPTIONS_MIN = "zspage-destroy-linux", 20
SHRINK_SCHEDULES = 200_000  # among which there must be such a failure


def measure(engine: Engine, strategy: str, nr_schedules: int) -> dict[str, float]:
    """Schedules per second, steps and points per schedule."""
    best, done, steps, points = 0.0, 0, 0, 0
    words = engine.words
    for run in range(RUNS):
        seconds, here = 0.0, 0
        while here < nr_schedules:
            engine.begin(strategy, run + 1)
            start = time.thread_time()
            engine.explore(0, nr_schedules - here)
            seconds += time.thread_time() - start
            if (found := engine.found()) is not None:
                raise UserError(f"{engine.model.name} fails under {strategy}: {found.verdict}; take a model that holds")
            here += engine.nr_run
            steps, points = steps + int(words[state.TOTAL_STEPS]), points + int(words[state.TOTAL_POINTS])
        best, done = max(best, here / seconds), done + here
    return {"schedules_per_s": best, "steps": steps / done, "points": points / done}


def failing_walk(engine: Engine) -> tuple[int, int, list[int], Found]:
    """Number, preemptions, choices and failure of the first random walk that fails with many preemptions."""
    engine.begin("random", 1)
    number = 0
    while number < SHRINK_SCHEDULES:
        number = engine.explore(number, SHRINK_SCHEDULES - number)
        found = engine.found()
        if found is not None and engine.nr_preemptions() >= PREEMPTIONS_MIN:
            return number - 1, engine.nr_preemptions(), engine.choices(), found
    raise UserError(f"no random walk of {engine.model.name} in {SHRINK_SCHEDULES:,} fails with {PREEMPTIONS_MIN} preemptions")


def measure_shrinking(memory: str) -> dict[str, Any]:
    """Preemptions and steps of a failing schedule before and after it is shrunk, and the seconds and runs that takes."""
    engine = Engine(known_models()[SHRUNK], memory)
    number, before, choices, found = failing_walk(engine)
    runs, start = engine.nr_run, time.thread_time()
    shrunk = shrink(engine, choices, found)
    row = {"model": SHRUNK, "memory": memory, "schedule": number, "seconds": time.thread_time() - start, "runs": engine.nr_run - runs}
    engine.replay(shrunk)
    after = engine.nr_preemptions()
    engine.close()
    return row | {"preemptions": [before, after], "steps": [len(choices), len(shrunk)]}


def measure_all(model: Model, nr_schedules: int) -> Iterator[dict[str, Any]]:
    """One row for each memory model, with and without clocks, and strategy."""
    for memory in ("sc", "tso"):
        for clocks in (False, True):
            engine = Engine(model, memory, races=clocks)
            for strategy in STRATEGIES:
                yield {"memory": memory, "clocks": clocks, "strategy": strategy} | measure(engine, strategy, nr_schedules)
            engine.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stress.measure.exploring", description="schedules per second on one core")
    parser.add_argument("--model", default="refcount-cas")
    parser.add_argument("--schedules", type=int, default=SCHEDULES, help=f"of each strategy, in {RUNS} runs")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    models, rows = known_models(), []
    if options.schedules < RUNS:
        parser.error(f"--schedules {options.schedules}: at least {RUNS}, one for each run")
    if options.model not in models:
        parser.error(f"there is no model {options.model!r}: take one of {', '.join(sorted(models))}")
    if not options.json:
        print(f"{'memory':8}{'clocks':8}{'strategy':10}{'schedules/s':>12}{'steps':>8}{'points':>8}")
    for row in measure_all(models[options.model], options.schedules // RUNS):
        rows.append(row)
        if not options.json:
            clocks = "on" if row["clocks"] else "off"
            figures = f"{row['schedules_per_s']:>12,.0f}{row['steps']:>8.1f}{row['points']:>8.1f}"
            print(f"{row['memory']:8}{clocks:8}{row['strategy']:10}{figures}", flush=True)
    shrunk = [measure_shrinking(memory) for memory in ("sc", "tso")]
    if options.json:
        print(json.dumps({"model": options.model, "rows": rows, "shrunk": shrunk}))
        return
    for row in shrunk:
        preemptions, steps = (" -> ".join(map(str, row[name])) for name in ("preemptions", "steps"))
        took = f"{1000 * row['seconds']:.1f} ms, {row['runs']} runs"
        print(f"{row['memory']:8}{row['model']}, shrunk: preemptions {preemptions}, steps {steps}: {took}")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"exploring: {error}")
