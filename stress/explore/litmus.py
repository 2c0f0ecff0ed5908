"""`pfnstorm litmus`: litmus tests explored exhaustively, and whether their verdicts agree with the file's.

The format is JSON: {"tests": [{"name", "init": {variable: value}, "threads": [[op, ...], ...], "exists": condition,
"sc", "tso", "pso": "allowed" | "forbidden"}, ...]}; an op is ["W", variable, value], ["R", variable, register], ["F"], or
["XCHG", variable, value, register]; a "release" at the end of a W, or a "relaxed" at the end of an XCHG, matters under PSO.
The condition is herd's: `0:eax=1 /\\ ([x]=2 \\/ ~(y=0))`, with EAX, rax and eax one register.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stress.errors import EXIT_CLEAN, EXIT_VIOLATED, UserError
from stress.explore import programs, state
from stress.explore.programs import MAX_THREADS, MAX_VARIABLES, Operation, Programs
from stress.explore.state import LANES

MAX_OPERATIONS = 64
MAX_EXECUTIONS = 50_000_000  # of one test: it is told when this was not enough

Registers = tuple[dict[str, int], ...]
Condition = Callable[[Mapping[str, int], Registers], bool]
_TOKEN = re.compile(r"\s*(/\\|\\/|~|\(|\)|(\d+):(\w+)\s*=\s*(-?\d+)|\[?(\w+)\]?\s*=\s*(-?\d+))")


@dataclass(frozen=True)
class Litmus:
    """One test, checked."""

    name: str
    variables: tuple[str, ...]
    initial: tuple[int, ...]
    threads: tuple[tuple[Operation, ...], ...]
    registers: tuple[tuple[tuple[int, str], ...], ...]  # per thread: (operation, register that it loads)
    exists: Condition
    verdicts: dict[str, str]


def register_name(name: str) -> str:
    """EAX, rax and eax are one register."""
    name = name.lower()
    return f"e{name[1:]}" if re.fullmatch(r"r[a-d]x", name) else name


def parse_condition(text: str) -> Condition:
    """A condition over final memory and registers.

    Raises      ValueError
    """
    tokens, at = [], 0
    text = text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"cannot read the condition at {text[at:]!r}")
        tokens.append(match)
        at = match.end()
    condition, rest = _either(tokens, 0)
    if rest != len(tokens):
        raise ValueError(f"the condition does not end at {tokens[rest].group(1)!r}")
    return condition


def _either(tokens: list[re.Match[str]], at: int) -> tuple[Condition, int]:
    left, at = _both(tokens, at)
    while at < len(tokens) and tokens[at].group(1) == "\\/":
        right, at = _both(tokens, at + 1)
        left = (lambda a, b: lambda m, r: a(m, r) or b(m, r))(left, right)
    return left, at


def _both(tokens: list[re.Match[str]], at: int) -> tuple[Condition, int]:
    left, at = _atom(tokens, at)
    while at < len(tokens) and tokens[at].group(1) == "/\\":
        right, at = _atom(tokens, at + 1)
        left = (lambda a, b: lambda m, r: a(m, r) and b(m, r))(left, right)
    return left, at


def _atom(tokens: list[re.Match[str]], at: int) -> tuple[Condition, int]:
    if at >= len(tokens):
        raise ValueError("the condition ends too early")
    token = tokens[at]
    if token.group(1) == "~":
        inner, at = _atom(tokens, at + 1)
        return (lambda m, r: not inner(m, r)), at
    if token.group(1) == "(":
        inner, at = _either(tokens, at + 1)
        if at >= len(tokens) or tokens[at].group(1) != ")":
            raise ValueError("a parenthesis is not closed")
        return inner, at + 1
    if token.group(2) is not None:
        thread, register, wanted = int(token.group(2)), register_name(token.group(3)), int(token.group(4))
        return (lambda m, r: thread < len(r) and r[thread].get(register, 0) == wanted), at + 1
    if token.group(5) is not None:
        variable, value = token.group(5), int(token.group(6))
        return (lambda m, r: m.get(variable, 0) == value), at + 1
    raise ValueError(f"{token.group(1)!r} is out of place")


def _ordered(rest: Sequence[str], kinds: Mapping[str, int]) -> int:
    """The kind of operation that an ordering, or none, asks for.

    Raises      ValueError
    """
    ordering = rest[0] if rest else ""
    if ordering not in kinds or len(rest) > 1:
        raise ValueError(f"the ordering {' '.join(map(str, rest))!r}; known: {', '.join(filter(None, kinds))}")
    return kinds[ordering]


def parse_test(data: Mapping[str, Any]) -> Litmus:
    """Check one test.

    Raises      ValueError, KeyError, TypeError
    """
    variables = dict(data.get("init", {}))
    threads, registers = [], []
    for thread in data["threads"]:
        operations, loads = [], []
        for k, op in enumerate(thread):
            kind, *rest = op
            if kind == "F":
                operations.append(Operation(programs.FENCE))
                continue
            variables.setdefault(rest[0], 0)
            number = list(variables).index(rest[0])
            if kind == "W":
                store = _ordered(rest[2:], {"": programs.STORE, "relaxed": programs.STORE, "release": programs.STORE_RELEASE})
                operations.append(Operation(store, number, int(rest[1])))
            elif kind == "R":
                operations.append(Operation(programs.LOAD, number))
                loads.append((k, register_name(rest[1])))
            elif kind == "XCHG":
                exchange = _ordered(rest[3:], {"": programs.EXCHANGE, "seq_cst": programs.EXCHANGE, "relaxed": programs.EXCHANGE_RELAXED})
                operations.append(Operation(exchange, number, int(rest[1])))
                loads.append((k, register_name(rest[2])))
            else:
                raise ValueError(f"unknown operation {kind!r}")
        if len(operations) > MAX_OPERATIONS:
            raise ValueError(f"a thread has {len(operations)} operations, {MAX_OPERATIONS} is the most")
        threads.append(tuple(operations))
        registers.append(tuple(loads))
    if not 1 <= len(threads) <= MAX_THREADS or len(variables) > MAX_VARIABLES:
        raise ValueError(f"{len(threads)} threads and {len(variables)} variables; {MAX_THREADS} and {MAX_VARIABLES} are the most")
    verdicts = {memory: data[memory] for memory in LANES if memory in data}
    initial = tuple(int(value) for value in variables.values())
    return Litmus(str(data["name"]), tuple(variables), initial, tuple(threads), tuple(registers), parse_condition(data["exists"]), verdicts)


def read_tests(path: Path) -> list[Litmus]:
    """Every test of a file.

    Raises      UserError, one line
    """
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        tests = stored["tests"]
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not a file of litmus tests: {error}") from error
    found = []
    for number, data in enumerate(tests):
        try:
            found.append(parse_test(data))
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            name = data.get("name", number) if isinstance(data, dict) else number
            raise UserError(f"{path}: test {name}: {error}") from error
    return found


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


def explore_test(machine: Programs, test: Litmus, strategy: str = "dpor", nr_schedules: int = MAX_EXECUTIONS, seed: int = 1) -> Explored:
    """Explore a test and look at each of its final states."""
    engine = machine.engine
    machine.load(test.threads, test.initial)
    engine.begin(strategy, seed)
    engine.forget_states()
    allowed, number = False, 0
    while number < nr_schedules:
        number = engine.explore(number, nr_schedules - number, note_every=1)
        if engine.found() is not None:
            raise AssertionError(f"{test.name}: {engine.found()}")
        if engine.stop in (state.STOP_STATE, state.STOP_COMPLETE):
            memory = {name: machine.variable(k) for k, name in enumerate(test.variables)}
            registers = tuple({name: machine.seen(cpu, k) for k, name in loads} for cpu, loads in enumerate(test.registers))
            allowed |= engine.verdict == "clean" and test.exists(memory, registers)
        if engine.stop == state.STOP_COMPLETE:
            return Explored(allowed, True, number, int(engine.words[state.NR_STATES]))
    return Explored(allowed, False, number, int(engine.words[state.NR_STATES]))


def run_litmus(path: Path, memory: str) -> int:
    """Explore every test of a file; a line each; returns the exit code."""
    tests, disagreeing = read_tests(path), 0
    machine = Programs(memory)
    width = max((len(test.name) for test in tests), default=4)
    try:
        for test in tests:
            explored = explore_test(machine, test)
            said = test.verdicts.get(memory)
            agrees = said is None or said == explored.verdict
            disagreeing += not agrees
            remark = "" if agrees else f"  <- the file says {said}"
            counts = f"{explored.nr_run:,} executions, {explored.nr_states} final states{'' if explored.complete else ', INCOMPLETE'}"
            print(f"{test.name.ljust(width)}  {explored.verdict:9}  {counts}{remark}", flush=True)
    finally:
        machine.engine.close()
    print(f"{len(tests) - disagreeing} of {len(tests)} verdicts agree under {memory}", flush=True)
    return EXIT_VIOLATED if disagreeing else EXIT_CLEAN
