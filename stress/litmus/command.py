"""`pfnstorm litmus`: litmus tests (litmus_file.py) explored, exhaustively or by a sampler, and whether what was seen agrees with the file.

An exhaustive strategy decides: allowed, or forbidden. A sampler sees an outcome or does not: that an allowed one was not seen is a
disagreement, too, since whoever samples wants to know what his sampler misses.
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
MAX_EXECUTIONS = 50_000_000  # of one test by an exhaustive strategy: it is told when this was not enough
SAMPLED = 100_000  # schedules of one test by a sampler
_SLICE = 20_000  # between two looks at the clock
_MAX_STATES = state.STATES_CAPACITY // 2  # that is_new_state() remembers


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

    def agrees(self, said: str | None, *, exhaustive: bool) -> bool | None:
        """Whether this is what the file says; None if that cannot be said: it says nothing, or too few schedules were run."""
        if said is None:
            return None
        if self.allowed or said == "allowed":
            return self.allowed and said == "allowed"
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
        if nr_states >= _MAX_STATES:  # what ends otherwise is not looked at any more
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
            raise UserError(f"--test {name}: no such test; there are {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(names or known)]


def run_litmus(
    tests: Sequence[Litmus],
    memory: str,
    strategy: str = "dpor",
    nr_schedules: int | None = None,
    seed: int = 1,
    json: Path | None = None,
    out: TextIO = sys.stderr,
) -> int:
    """Explore tests; a line each; returns the exit code.

    Raises      UserError
    """
    from stress.explore.compiling import build_models

    if strategy not in CHOOSABLE:
        raise unknown("strategy", strategy, CHOOSABLE)
    exhaustive = STRATEGIES[NAMED[strategy][0]].exhaustive
    budget = nr_schedules or (MAX_EXECUTIONS if exhaustive else SAMPLED)
    build_models((), out)
    machine, live = Programs(memory), LiveLine(out)
    width, disagreeing, undecided, without = max(len(test.name) for test in tests), 0, 0, 0
    rows: list[dict[str, Any]] = []
    interrupted = False
    try:
        for test in tests:
            explored = explore_test(machine, test, strategy, budget, seed, live)
            live.clear()
            said = test.verdicts.get(memory)
            agrees = explored.agrees(said, exhaustive=exhaustive)
            disagreeing += agrees is False
            undecided += agrees is None and said is not None
            without += said is None
            remark = "" if agrees or said is None else f"  <- the file says {said}"
            counts = f"{explored.nr_run:,} executions, {explored.nr_states:,} final states"
            incomplete = ", INCOMPLETE" if exhaustive and not explored.complete else ""
            print(f"{test.name.ljust(width)}  {explored.verdict:9}  {counts}{incomplete}{remark}", flush=True)
            rows.append(
                {
                    "name": test.name,
                    "verdict": explored.verdict,
                    "expected": said,
                    "agrees": agrees,
                    "complete": explored.complete,
                    "executions": explored.nr_run,
                    "final_states": explored.nr_states,
                }
            )
    except KeyboardInterrupt:
        interrupted = True
    finally:
        live.clear()
        machine.engine.close()
    judged = len(rows) - without
    left = f", {undecided} not decided within {budget:,} executions" if undecided else ""
    left += f"; the file has none for {without} tests" if without else ""
    print(f"{judged - disagreeing - undecided} of {judged} verdicts agree under {memory}{left}", flush=True)
    written = {"schema": SCHEMA, "memory": memory, "strategy": strategy, "seed": seed, "interrupted": interrupted, "tests": rows}
    unwritten = write_report(json, written)
    if interrupted:
        return EXIT_INTERRUPTED
    return EXIT_VIOLATED if disagreeing else EXIT_VACUOUS if undecided else unwritten
