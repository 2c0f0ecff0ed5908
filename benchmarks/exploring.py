"""Schedules per second of one model on one core, per memory model and strategy, without and with happens-before clocks:

    python -m benchmarks.exploring [--model refcount-cas] [--json]

Steps are all accesses of a schedule, points those at which the strategy chose; bug(), the model's check and the search for new final
states are in the time, the checkers at rest are not. The best of some runs counts, in own CPU time. An exhaustive strategy starts
again when it is complete.
"""

import argparse
import json
import os
import sys
import time

os.environ["PFNSTORM_FLAVOUR"] = "explored"

from stress.errors import UserError
from stress.explore import state
from stress.explore.engine import Engine
from stress.explore.models import known_models

STRATEGIES = ("random", "pct-3", "pos", "surw", "dpor")
RUNS, RUN_SCHEDULES = 12, 8192


def measure(engine, strategy):
    """Schedules per second, steps and points per schedule."""
    best, done, steps, points = 0.0, 0, 0, 0
    words = engine.words
    for run in range(RUNS):
        seconds, here = 0.0, 0
        while here < RUN_SCHEDULES:
            engine.begin(strategy, run + 1)
            start = time.thread_time()
            engine.explore(0, RUN_SCHEDULES - here)
            seconds += time.thread_time() - start
            if engine.found() is not None:
                raise UserError(f"{engine.model.name} fails under {strategy}: {engine.found().verdict}; take a model that holds")
            here += engine.nr_run
            steps, points = steps + int(words[state.TOTAL_STEPS]), points + int(words[state.TOTAL_POINTS])
        best, done = max(best, here / seconds), done + here
    return {"schedules_per_s": best, "steps": steps / done, "points": points / done}


def measure_all(model):
    """One row for each memory model, with and without clocks, and strategy."""
    for memory in ("sc", "tso"):
        for clocks in (False, True):
            engine = Engine(model, memory, races=clocks)
            for strategy in STRATEGIES:
                yield {"memory": memory, "clocks": clocks, "strategy": strategy} | measure(engine, strategy)
            engine.close()


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exploring", description="schedules per second on one core")
    parser.add_argument("--model", default="refcount-cas")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    models, rows = known_models(), []
    if options.model not in models:
        parser.error(f"there is no model {options.model!r}: take one of {', '.join(sorted(models))}")
    if not options.json:
        print(f"{'memory':8}{'clocks':8}{'strategy':10}{'schedules/s':>12}{'steps':>8}{'points':>8}")
    for row in measure_all(models[options.model]):
        rows.append(row)
        if not options.json:
            clocks = "on" if row["clocks"] else "off"
            figures = f"{row['schedules_per_s']:>12,.0f}{row['steps']:>8.1f}{row['points']:>8.1f}"
            print(f"{row['memory']:8}{clocks:8}{row['strategy']:10}{figures}", flush=True)
    if options.json:
        print(json.dumps({"model": options.model, "rows": rows}))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"exploring: {error}")
