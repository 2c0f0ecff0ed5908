"""Files of litmus tests: their format, checked in full, so that a mistake is reported and never explored.

JSON: {"tests": [test, ...]}. A test is an object with

    name       a text that is not empty
    threads    1 to MAX_THREADS lists of operations: ["W", variable, value], ["R", variable, register], ["F"],
               ["XCHG", variable, value, register] (the old word goes to the register); a last word "release" of a W, or "relaxed"
               of an XCHG, is an ordering, which matters only under PSO
    exists     a condition in herd's words over the final state: 0:eax=1 is a register of thread 0, [x]=1 or x=1 a variable;
               /\\ binds closer than \\/, ~ closest, and there are parentheses
    init       {variable: value}, optional; all other variables begin with 0
    sc, tso, pso    "allowed" or "forbidden", each optional: whether a final state that satisfies the condition can be reached

Variables and registers are words of letters, digits, _ and ., not beginning with a digit; EAX, rax and eax are one register. Values are
64-bit numbers. A condition names variables of the test, and registers that their thread loads. Fields that begin with _ and those
of DESCRIPTION say where a test is from and are ignored; any other field is ignored, too, and reported on stderr.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from stress.errors import UserError
from stress.io.reading import read_json
from stress.io.text import one_line, shortened
from stress.litmus import tape
from stress.litmus.tape import MAX_THREADS, MAX_VARIABLES, Operation

MAX_OPERATIONS = 64  # of a thread
MAX_STORES = 16  # of a thread: the size of a store buffer, since a full one would hide outcomes that a larger one allows
MEMORY_MODELS = ("sc", "tso", "pso")
VERDICTS = ("allowed", "forbidden")
FIELDS = frozenset(("name", "init", "threads", "exists", *MEMORY_MODELS))
DESCRIPTION = frozenset(("file_title", "aliases", "exists_py", "published", "source", "checked", "comment", "description", "note"))
_LONGEST_MESSAGE = 300  # a message quotes the file
_MAX_NESTED = 100  # parentheses and ~ of a condition inside of each other; conditions are read and evaluated recursively
_NAME = re.compile(r"[A-Za-z_][\w.]*")
_TOKEN = re.compile(
    r"\s*(?P<text>/\\|\\/|~|\(|\)"
    r"|(?P<thread>\d+)\s*:\s*(?P<register>\w+)\s*=\s*(?P<seen>-?\d+)"
    r"|(?:\[\s*(?P<inside>[A-Za-z_][\w.]*)\s*\]|(?P<bare>[A-Za-z_][\w.]*))\s*=\s*(?P<value>-?\d+))"
)

Memory = Mapping[str, int]
Registers = Sequence[Mapping[str, int]]
Condition = Callable[[Memory, Registers], bool]


@dataclass(frozen=True)
class Litmus:
    """One test, checked."""

    name: str
    variables: tuple[str, ...]
    initial: tuple[int, ...]
    threads: tuple[tuple[Operation, ...], ...]
    registers: tuple[tuple[tuple[int, str], ...], ...]  # per thread: (operation, register that it loads)
    exists: Condition
    condition: str  # as the file says it
    verdicts: dict[str, str]

    def named(self, memory: Sequence[int], loaded: Sequence[Sequence[int]]) -> tuple[dict[str, int], tuple[dict[str, int], ...]]:
        """A final state by name, of the variables' values and of what each thread's loads saw, in order.

        Returns     variables; per thread registers, each with what was loaded last
        """
        registers = tuple(
            {name: value for (_, name), value in zip(names, seen, strict=True)} for names, seen in zip(self.registers, loaded, strict=True)
        )
        return dict(zip(self.variables, memory, strict=True)), registers


class _MistakeError(ValueError):
    """What is wrong with a test, in one line."""


def _refuse(text: str) -> NoReturn:
    raise _MistakeError(shortened(text, _LONGEST_MESSAGE))


def register_name(name: str) -> str:
    """EAX, rax and eax are one register."""
    name = name.lower()
    return f"e{name[1:]}" if re.fullmatch(r"r([a-d]x|[sd]i|[sb]p)", name) else name


# ------------------------------------------------------------------------------------------------------------- conditions


class _Parser:
    """A condition as a tree of functions; every name in it must be one of the test."""

    def __init__(self, text: str, variables: Sequence[str], registers: Sequence[Sequence[str]]) -> None:
        self._variables, self._registers = variables, registers
        self._tokens: list[re.Match[str]] = []
        self._next, self._nested, at = 0, 0, 0
        text = text.strip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                _refuse(f"exists: cannot read {text[at:].strip()!r}")
            self._tokens.append(match)
            at = match.end()

    def parse(self) -> Condition:
        condition = self._either()
        if self._next != len(self._tokens):
            _refuse(f"exists: {self._peek()!r} is out of place")
        return condition

    def _peek(self) -> str:
        return self._tokens[self._next]["text"] if self._next < len(self._tokens) else ""

    def _either(self) -> Condition:
        parts = [self._both()]
        while self._peek() == "\\/":
            self._next += 1
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else lambda m, r: any(part(m, r) for part in parts)

    def _both(self) -> Condition:
        parts = [self._atom()]
        while self._peek() == "/\\":
            self._next += 1
            parts.append(self._atom())
        return parts[0] if len(parts) == 1 else lambda m, r: all(part(m, r) for part in parts)

    def _atom(self) -> Condition:
        if self._next == len(self._tokens):
            _refuse("exists: the condition ends too early")
        token = self._tokens[self._next]
        self._next += 1
        if token["text"] not in ("~", "("):
            return self._comparison(token)
        self._nested += 1
        if self._nested > _MAX_NESTED:
            _refuse(f"exists: nested too deeply: more than {_MAX_NESTED} levels")
        inner = self._atom() if token["text"] == "~" else self._either()
        self._nested -= 1
        if token["text"] == "~":
            return lambda m, r: not inner(m, r)
        if self._peek() != ")":
            _refuse("exists: a parenthesis is not closed")
        self._next += 1
        return inner

    def _comparison(self, token: re.Match[str]) -> Condition:
        if token["thread"] is not None:
            return self._register(int(token["thread"]), token["register"], _word(int(token["seen"]), "exists"))
        variable = token["inside"] or token["bare"]
        if variable is None:
            _refuse(f"exists: {token['text']!r} is out of place")
        if variable not in self._variables:
            _refuse(f"exists: no variable {variable!r}; known: {', '.join(self._variables)}")
        value = _word(int(token["value"]), "exists")
        return lambda m, _: m[variable] == value

    def _register(self, thread: int, name: str, value: int) -> Condition:
        if thread >= len(self._registers):
            _refuse(f"exists: no thread {thread}; the threads are 0 to {len(self._registers) - 1}")
        register = register_name(name)
        if register not in self._registers[thread]:
            known = ", ".join(dict.fromkeys(self._registers[thread])) or "none"
            _refuse(f"exists: thread {thread} loads no register {name!r}; it loads {known}")
        return lambda _, r: r[thread][register] == value


# -------------------------------------------------------------------------------------------------------------- operations


def _word(value: object, what: str) -> int:
    """A 64-bit number."""
    if isinstance(value, bool) or not isinstance(value, int) or not -(1 << 63) <= value < 1 << 63:
        _refuse(f"{what}: {value!r} is not a 64-bit number")
    return value


def _name(value: object, what: str) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        _refuse(f"{what}: {value!r} is not a name")
    return value


#: operation -> what it is written with, and its kinds by ordering
_FORMS: dict[str, tuple[tuple[str, ...], dict[str, int]]] = {
    "W": (("variable", "value"), {"": tape.STORE, "relaxed": tape.STORE, "release": tape.STORE_RELEASE}),
    "R": (("variable", "register"), {"": tape.LOAD}),
    "F": ((), {"": tape.FENCE}),
    "XCHG": (
        ("variable", "value", "register"),
        {"": tape.EXCHANGE, "seq_cst": tape.EXCHANGE, "relaxed": tape.EXCHANGE_RELAXED},
    ),
}


def _operation(op: object, where: str, variables: dict[str, int]) -> tuple[Operation, str]:
    """One operation, and the register that it loads; "" if it loads none."""
    if not isinstance(op, list) or not op or not isinstance(op[0], str) or op[0] not in _FORMS:
        _refuse(f"{where}: {op!r} is not an operation; known: {', '.join(_FORMS)}")
    parts, kinds = _FORMS[op[0]]
    given, ordering = op[1 : 1 + len(parts)], op[1 + len(parts) :]
    if len(given) < len(parts) or len(ordering) > 1:
        _refuse(f"{where}: {op!r} must be {[op[0], *parts]}")
    if ordering and (not isinstance(ordering[0], str) or ordering[0] not in kinds or not ordering[0]):
        _refuse(f"{where}: {op!r}: no ordering {ordering[0]!r}; known: {', '.join(filter(None, kinds)) or 'none'}")
    said = dict(zip(parts, given, strict=True))
    number, value, register = 0, 0, ""
    if "variable" in said:
        name = _name(said["variable"], where)
        variables.setdefault(name, 0)
        number = list(variables).index(name)
    if "value" in said:
        value = _word(said["value"], where)
    if "register" in said:
        register = register_name(_name(said["register"], where))
    return Operation(kinds[ordering[0] if ordering else ""], number, value), register


def _threads(data: object, variables: dict[str, int]) -> tuple[tuple[tuple[Operation, ...], ...], tuple[tuple[tuple[int, str], ...], ...]]:
    if not isinstance(data, list) or not all(isinstance(thread, list) for thread in data):
        _refuse("threads: not a list of lists of operations")
    if not 1 <= len(data) <= MAX_THREADS:
        _refuse(f"threads: {len(data)}; must be 1 to {MAX_THREADS}")
    threads, registers = [], []
    for t, thread in enumerate(data):
        found = [_operation(op, f"thread {t}, operation {k}", variables) for k, op in enumerate(thread)]
        operations = tuple(operation for operation, _ in found)
        if len(operations) > MAX_OPERATIONS:
            _refuse(f"thread {t}: {len(operations)} operations; at most {MAX_OPERATIONS} are possible")
        nr_stores = sum(operation.kind in (tape.STORE, tape.STORE_RELEASE) for operation in operations)
        if nr_stores > MAX_STORES:
            _refuse(f"thread {t}: {nr_stores} stores; at most {MAX_STORES} are possible")
        threads.append(operations)
        registers.append(tuple((k, register) for k, (_, register) in enumerate(found) if register))
    return tuple(threads), tuple(registers)


# ------------------------------------------------------------------------------------------------------------------- tests


def parse_test(data: object) -> Litmus:
    """Check one test.

    Raises      ValueError, one line
    """
    if not isinstance(data, dict):
        _refuse(f"{data!r} is not an object")
    for field in ("name", "threads", "exists"):
        if field not in data:
            _refuse(f"no field {field!r}")
    if not isinstance(data["name"], str) or not data["name"].strip() or not data["name"].isprintable():
        _refuse(f"name: {data['name']!r} is not a text of one line")
    if not isinstance(data["exists"], str):
        _refuse(f"exists: {data['exists']!r} is not a text")
    init = data.get("init", {})
    if not isinstance(init, dict):
        _refuse(f"init: {init!r} is not an object")
    variables = {_name(name, "init"): _word(value, f"init: {name}") for name, value in init.items()}
    threads, registers = _threads(data["threads"], variables)
    if len(variables) > MAX_VARIABLES:
        _refuse(f"{len(variables)} variables; at most {MAX_VARIABLES} are possible")
    verdicts = {memory: data[memory] for memory in MEMORY_MODELS if data.get(memory) is not None}
    for memory, verdict in verdicts.items():
        if verdict not in VERDICTS:
            _refuse(f"{memory}: {verdict!r} is not a verdict; known: {', '.join(VERDICTS)}")
    names = [[register for _, register in loads] for loads in registers]
    exists = _Parser(data["exists"], tuple(variables), names).parse()
    return Litmus(data["name"], tuple(variables), tuple(variables.values()), threads, registers, exists, data["exists"].strip(), verdicts)


def ignored_fields(data: Mapping[str, Any]) -> list[str]:
    """Fields of a test that are neither of the format nor a description."""
    return sorted(name for name in data if name not in FIELDS | DESCRIPTION and not name.startswith("_"))


def read_tests(path: Path, warn: Callable[[str], object] = lambda _: None) -> list[Litmus]:
    """Every test of a file; fields that are ignored are reported to `warn`.

    Raises      UserError, one line
    """
    stored = read_json(path, "a file of litmus tests")
    tests = stored.get("tests") if isinstance(stored, dict) else None
    if not isinstance(tests, list) or not tests:
        raise UserError(f'{path}: not a file of litmus tests, which is {{"tests": [...]}} with at least one')
    found: list[Litmus] = []
    names: set[str] = set()
    for number, data in enumerate(tests):
        named = isinstance(data, dict) and isinstance(data.get("name"), str) and data["name"].isprintable()
        name = shortened(data["name"]) if named else f"number {number}"
        try:
            test = parse_test(data)
        except ValueError as error:
            raise UserError(f"{path}: test {name}: {error}") from error
        if test.name in names:
            raise UserError(f"{path}: test {name}: there is another test of this name")
        if ignored := ignored_fields(data):
            warn(f"{path}: test {name}: ignored: {shortened(one_line(', '.join(ignored)), _LONGEST_MESSAGE)}")
        names.add(test.name)
        found.append(test)
    return found
