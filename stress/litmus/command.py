"""`pfnstorm litmus`: litmus tests (file.py) explored, exhaustively or by a sampler, and whether the outcomes agree with the file.

An exhaustive strategy decides whether the outcome that a test asks about is allowed or forbidden. A sampler sees it or does not. An allowed
outcome that a sampler does not see is a disagreement, too: it shows what the sampler misses.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from stress.errors import EXIT_INTERRUPTED, EXIT_VACUOUS, EXIT_VIOLATED, UserError, unknown
from stress.explore import state
from stress.explore.strategies import CHOOSABLE, NAMED, STRATEGIES
from stress.io.json_report import write_report
from stress.io.output import LiveLine
from stress.litmus.file import Litmus
from stress.litmus.programs import Programs

SCHEMA = "pfnstorm-litmus/1"
CLASSICS = Path(__file__).with_name("classics.json")
MAX_EXECUTIONS = 50_000_000  # of one test by an exhaustive strategy; more than that is reported as INCOMPLETE
SAMPLED = 100_000  # schedules of one test by a sampler
_SLICE = 20_000  # between two looks at the clock
_MAX_STATES = state.STATES_CAPACITY // 2  # more than these is_new_state() does not remember


@dataclass(frozen=True)
class LitmusOptions:
    """What a user asked for. `schedules`: of each test, at most; None: MAX_EXECUTIONS, or SAMPLED by a sampler."""

    tests: tuple[Litmus, ...]
    memory: str
    strategy: str
    schedules: int | None
    seed: int
    json: Path | None


@dataclass(frozen=True)
class Explored:
    """What an exploration of one test found."""

    allowed: bool
    complete: bool
    nr_run: int
    nr_states: int

    @property
    def verdict(self) -> str:
        return "allowed" if self.allowed else "forbidden" if self.complete else "not seen"

    def agrees(self, expected: str | None, *, exhaustive: bool) -> bool | None:
        """Whether this is what the file expects; None if it expects nothing, or if too few schedules were run to decide."""
        if expected is None:
            return None
        if self.allowed or expected == "allowed":
            return self.allowed and expected == "allowed"
        return True if self.complete or not exhaustive else None


def explore_test(
    machine: Programs, test: Litmus, strategy: str = "dpor", nr_schedules: int = MAX_EXECUTIONS, seed: int = 1, live: LiveLine | None = None
) -> Explored:
    """Explore a test and look at each of its final states."""
    engine = machine.engine
    machine.load(test.threads, test.initial)
    engine.begin(strategy, seed)
    engine.forget_states()
    allowed, number = False, 0
    while number < nr_schedules:
        number = engine.explore(number, min(_SLICE, nr_schedules - number), note_every=1)
        if engine.found() is not None:
            raise AssertionError(f"{test.name}: {engine.found()}")
        nr_states = int(engine.words[state.NR_STATES])
        if engine.stop in (state.STOP_STATE, state.STOP_COMPLETE) and engine.verdict == "clean":
            memory = [machine.variable(k) for k in range(len(test.variables))]
            loaded = [[machine.seen(cpu, k) for k, _ in loads] for cpu, loads in enumerate(test.registers)]
            allowed |= test.exists(*test.named(memory, loaded))
        if engine.stop == state.STOP_COMPLETE:
            complete = nr_states < _MAX_STATES and bool(engine.words[state.COMPLETE])
            return Explored(allowed, complete, number, nr_states)
        if nr_states >= _MAX_STATES:  # no further state would be new
            break
        if live is not None and live.is_due:
            live.say(f"{test.name}: {number:,} executions, {nr_states:,} final states")
    return Explored(allowed, False, number, int(engine.words[state.NR_STATES]))


def chosen_tests(tests: Sequence[Litmus], names: Sequence[str] | None) -> list[Litmus]:
    """Tests by name, or all.

    Raises      UserError
    """
    known = {test.name: test for test in tests}
    for name in names or ():
        if name not in known:
            raise UserError(f"--test {name}: no such test; known: {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(names or known)]


@dataclass(frozen=True)
class LitmusRow:
    """What was found in one test, beside what the file expects under the memory model."""

    test: Litmus
    explored: Explored
    expected: str | None
    agrees: bool | None

    def line(self, width: int, *, exhaustive: bool) -> str:
        explored = self.explored
        counts = f"{explored.nr_run:,} executions, {explored.nr_states:,} final states"
        incomplete = ", INCOMPLETE" if exhaustive and not explored.complete else ""
        remark = "" if self.agrees or self.expected is None else f"  <- the file says {self.expected}"
        return f"{self.test.name.ljust(width)}  {explored.verdict:9}  {counts}{incomplete}{remark}"

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.test.name,
            "verdict": self.explored.verdict,
            "expected": self.expected,
            "agrees": self.agrees,
            "complete": self.explored.complete,
            "executions": self.explored.nr_run,
            "final_states": self.explored.nr_states,
        }


def execute(options: LitmusOptions, out: TextIO = sys.stderr) -> int:
    """Explore tests, print a line for each, write the JSON; returns the exit code.

    Raises      UserError
    """
    from stress.explore.compiling import build_models

    if options.strategy not in CHOOSABLE:
        raise unknown("strategy", options.strategy, CHOOSABLE)
    exhaustive = STRATEGIES[NAMED[options.strategy][0]].exhaustive
    budget = options.schedules or (MAX_EXECUTIONS if exhaustive else SAMPLED)
    build_models((), out)
    machine, live = Programs(options.memory), LiveLine(out)
    width = max(len(test.name) for test in options.tests)
    rows: list[LitmusRow] = []
    interrupted = False
    try:
        for test in options.tests:
            explored = explore_test(machine, test, options.strategy, budget, options.seed, live)
            live.clear()
            expected = test.verdicts.get(options.memory)
            rows.append(LitmusRow(test, explored, expected, explored.agrees(expected, exhaustive=exhaustive)))
            print(rows[-1].line(width, exhaustive=exhaustive), flush=True)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        live.clear()
        machine.engine.close()
    return _report(rows, options, budget, interrupted=interrupted)


def _report(rows: Sequence[LitmusRow], options: LitmusOptions, budget: int, *, interrupted: bool) -> int:
    """Print how many verdicts agree, write the JSON; returns the exit code."""
    expecting = [row for row in rows if row.expected is not None]
    agreeing = sum(row.agrees is True for row in expecting)
    undecided = sum(row.agrees is None for row in expecting)
    without = len(rows) - len(expecting)
    remark = f", {undecided} not decided within {budget:,} executions" if undecided else ""
    remark += f"; the file has none for {without} tests" if without else ""
    print(f"{agreeing} of {len(expecting)} verdicts agree under {options.memory}{remark}", flush=True)
    written = {
        "schema": SCHEMA,
        "memory": options.memory,
        "strategy": options.strategy,
        "seed": options.seed,
        "interrupted": interrupted,
        "tests": [row.to_json() for row in rows],
    }
    unwritten = write_report(options.json, written)
    if interrupted:
        return EXIT_INTERRUPTED
    disagreeing = agreeing + undecided < len(expecting)
    return EXIT_VIOLATED if disagreeing else EXIT_VACUOUS if undecided else unwritten
