"""Mutation operators: small mistakes found in a kernel's syntax tree, and woven into it behind a test of their number.

    recheck   a condition on a value that was read again, or on an attempt, is taken to hold
    order     an access has one half less than the ordering that its `# ORDER:` comment argues for; a fence is removed
    swap      a store that publishes comes before the store that it publishes
    lock      a lock is released before the last access under it, or taken after the first
    retry     a loop that tries a constant number of times tries once less

Three things are not mutants. Two stores of which the second is not a release: the memory model may swap them, and exploration under PSO
does. Conditions that only guard bug(): they belong to the nets, not to a protocol. Limits (a comparison with a parameter or a constant):
how much is policy.

A mutant is named by file, function, kind and source text, never by a line number. In the woven source `is_alive(mem, number)` selects a
mutant, and the condition, access or statement is there twice: as it is, and mutated.
"""

import ast
import copy
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stress.mutate.alive import ALIVE
from stress.mutate.syntax import (
    ACCESS,
    LOCK,
    TRYLOCK,
    UNLOCK,
    accesses,
    brief,
    called,
    field_of,
    gives_up,
    head_of,
    is_kernel,
    leaves,
    locks,
    only_complains,
    releases,
    touches,
)

KINDS = ("recheck", "order", "swap", "lock", "retry")
_HOIST = -2  # in a plan: the test of the following `if` moves before the lock
#: modules that carry the kernels rather than being kernels, and kernels that run alone
_EXEMPT = frozenset(
    f"kernels/base/{name}.py"
    for name in ("atomics", "points", "jit", "memory", "layout", "names", "counter", "bug", "random", "stage", "vmstat")
)
_EXEMPT_FILES = _EXEMPT | {"kernels/policy/boot.py", "kernels/page/shadow.py"}
#: the weaker forms of an ordering, by access
_WEAKER: dict[str, dict[str, tuple[str, ...]]] = {
    "load": {"acquire": ("relaxed",), "seq_cst": ("relaxed",)},
    "store": {"release": ("relaxed",), "seq_cst": ("relaxed",)},
    "": {"acquire": ("relaxed",), "release": ("relaxed",), "acq_rel": ("acquire", "release"), "seq_cst": ("acquire", "release")},
}
_TAKES = re.compile(r"(^|_)(lock|trylock|try_get|freeze|isolate|enter)(_|$)")
_ORDERED = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_TRIES = re.compile(r"^(cas|exchange|fetch)_|(^|_)(trylock|try_get|freeze|isolate)(_|$)")


@dataclass(frozen=True)
class Mutant:
    """One small mistake.

    number      from 1, in the order of files and lines; changes with every edit
    nth         which of its name, from 1, if a function has the same text more than once
    """

    number: int
    file: str
    function: str
    kind: str
    text: str
    nth: int = 1

    @property
    def name(self) -> str:
        again = f" #{self.nth}" if self.nth > 1 else ""
        return f"{self.file.removeprefix('kernels/')}:{self.function}:{self.kind}: {self.text}{again}"


def kernel_files(root: Path) -> list[Path]:
    """The files that are mutated, in a copy of the project."""
    return [path for path in sorted((root / "kernels").rglob("*.py")) if str(path.relative_to(root)) not in _EXEMPT_FILES]


def mutants_of(root: Path) -> tuple[list[Mutant], dict[Path, str]]:
    """Every mutant of the kernels under `root`, and the woven source of each file that has any."""
    mutants: list[Mutant] = []
    woven: dict[Path, str] = {}
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in kernel_files(root)}
    publishers = frozenset().union(*(publishing_kernels(tree) for tree in trees.values())) if trees else frozenset()
    for path, tree in trees.items():
        before = len(mutants)
        text = weave(tree, str(path.relative_to(root)), mutants, publishers)
        if len(mutants) > before:
            woven[path] = text
    return mutants, woven


def weave(tree: ast.Module, file: str, mutants: list[Mutant], publishers: frozenset[str] = frozenset()) -> str:
    """Append the mutants of one file to `mutants`; returns the source with all of them woven in."""
    imports: set[str] = set()
    for function in tree.body:
        if isinstance(function, ast.FunctionDef) and is_kernel(function):
            _Weaver(file, function.name, mutants, imports, publishers).weave(function)
    add_imports(tree, sorted(imports))
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def add_imports(tree: ast.Module, names: Sequence[str] = ()) -> None:
    """Import atomics by name, and is_alive(), before all other imports of a file."""
    place = next((k for k, node in enumerate(tree.body) if isinstance(node, (ast.Import, ast.ImportFrom))), 1)
    if names:
        tree.body.insert(place, ast.ImportFrom("kernels.base.atomics", [ast.alias(name) for name in names], 0))
    tree.body.insert(place, ast.ImportFrom(f"kernels.base.{ALIVE}", [ast.alias(ALIVE)], 0))


def publishing_kernels(tree: ast.Module) -> frozenset[str]:
    """Kernels of a file with a releasing store or update in their own body."""
    return frozenset(
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and is_kernel(node) and not UNLOCK.match(node.name) and any(map(releases, ast.walk(node)))
    )


class _Weaver:
    """Weaves the mutants of one kernel into it."""

    def __init__(self, file: str, function: str, mutants: list[Mutant], imports: set[str], publishers: frozenset[str]) -> None:
        self.file, self.function, self.mutants, self.imports, self.publishers = file, function, mutants, imports, publishers
        self._read: set[str] = set()  # what the statements before this one touch
        self._fresh: set[str] = set()  # names that hold a value read again, or read after something was taken
        self._decided: set[str] = set()  # names of conditions that have mutants already
        self._taken = False
        self._hoisted = 0

    def weave(self, function: ast.FunctionDef) -> None:
        function.body = self._block(function.body)

    # -- names and numbers

    def _mutant(self, kind: str, text: str) -> int:
        same = sum(each.kind == kind and each.text == text for each in self._mine())
        self.mutants.append(Mutant(len(self.mutants) + 1, self.file, self.function, kind, text, same + 1))
        return len(self.mutants)

    def _mine(self) -> Iterator[Mutant]:
        for each in reversed(self.mutants):
            if (each.file, each.function) != (self.file, self.function):
                return
            yield each

    @staticmethod
    def _is(number: int) -> ast.expr:
        return ast.Call(ast.Name(ALIVE, ast.Load()), [ast.Name("mem", ast.Load()), ast.Constant(number)], [])

    @staticmethod
    def _is_not(number: int) -> ast.expr:
        return ast.UnaryOp(ast.Not(), _Weaver._is(number))

    # -- statements

    def _block(self, body: Sequence[ast.stmt]) -> list[ast.stmt]:
        early: dict[int, list[ast.stmt]] = {}  # what a mutant executes before a statement
        late: dict[int, list[ast.stmt]] = {}  # or after it
        guards: dict[int, list[int]] = {}  # mutants that move a statement away from its place
        plans = [*self._swaps(body), *self._lock_moves(body)]
        originals = [copy.deepcopy(each) for each in body]
        found: list[ast.stmt] = []
        # numbers follow the text: first the statements, then the moves between them
        woven = [self._statement(each) for each in body]
        for kind, text, moved, before, after in plans:
            number = self._mutant(kind, text)
            if before == _HOIST:
                early.setdefault(after, []).extend(self._hoist(number, originals[after], originals[moved], woven[after][-1]))
                guards.setdefault(moved, []).append(number)
                continue
            where, at = (early, before) if before >= 0 else (late, after)
            where.setdefault(at, []).append(ast.If(self._is(number), [copy.deepcopy(originals[moved])], []))
            guards.setdefault(moved, []).append(number)
        for k, statements in enumerate(woven):
            found += early.get(k, [])
            if k in guards:
                test: ast.expr = (
                    ast.BoolOp(ast.And(), [self._is_not(n) for n in guards[k]]) if len(guards[k]) > 1 else self._is_not(guards[k][0])
                )
                found.append(ast.If(test, statements, []))
            else:
                found += statements
            found += late.get(k, [])
        return found

    def _hoist(self, number: int, original: ast.stmt, lock: ast.stmt, node: ast.stmt) -> list[ast.stmt]:
        """Statements for before an `if`: they evaluate its test, then take the lock; the `if` uses that result."""
        assert isinstance(original, ast.If)
        assert isinstance(node, ast.If)
        self._hoisted += 1
        name = f"hoisted_{self._hoisted}"
        false = ast.Assign([ast.Name(name, ast.Store())], ast.Constant(False))
        found = ast.If(copy.deepcopy(original.test), [ast.Assign([ast.Name(name, ast.Store())], ast.Constant(True))], [])
        node.test = ast.BoolOp(ast.Or(), [
            ast.BoolOp(ast.And(), [self._is(number), ast.Name(name, ast.Load())]),
            ast.BoolOp(ast.And(), [self._is_not(number), node.test]),
        ])  # fmt: skip
        return [false, ast.If(self._is(number), [found, copy.deepcopy(lock)], [])]

    def _statement(self, node: ast.stmt) -> list[ast.stmt]:
        if isinstance(node, ast.If):
            if ast.unparse(node.test) in ("CHECKED", "CHAOS"):
                return [node]
            node.test = self._condition(node.test, node)
            self._note(node.test)
            node.body, node.orelse = self._block(node.body), self._block(node.orelse)
            return [node]
        if isinstance(node, ast.While):
            node.test = self._condition(node.test, node)
            self._note(node.test)
            node.body = self._block(node.body)
            return [node]
        if isinstance(node, ast.For):
            node.iter = self._retry(node)
            node.iter = self._orders(node.iter)
            self._note(node.iter)
            node.body = self._block(node.body)
            return [node]
        if isinstance(node, ast.Expr) and (made := self._void_access(node)):
            self._note(node.value)
            return made
        if isinstance(node, (ast.Return, ast.Assign)) and isinstance(node.value, (ast.BoolOp, ast.Compare)):
            node.value = self._verdict(node.value)
            self._decided.update(
                each.id for target in getattr(node, "targets", ()) for each in ast.walk(target) if isinstance(each, ast.Name)
            )
        else:
            for name, value in ast.iter_fields(node):
                if isinstance(value, ast.expr):
                    setattr(node, name, self._orders(value))
            if isinstance(node, ast.Assign):
                self._note_assigned(node)
        self._note(node)
        return [node]

    def _note(self, node: ast.AST) -> None:
        self._read.update(accesses(node))
        self._taken |= any(_TAKES.search(called(each)) or called(each).startswith("cas_") for each in ast.walk(node))

    def _note_assigned(self, node: ast.Assign) -> None:
        names = [
            each.id
            for target in node.targets
            for each in ast.walk(target)
            if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
        ]
        touched = accesses(node.value)
        again = (
            self._taken or any(name in self._read for name in touched) or any(_TRIES.search(called(each)) for each in ast.walk(node.value))
        )
        if touched and again:
            self._fresh.update(names)
        else:
            self._fresh.difference_update(names)

    # -- order

    def _orders(self, node: ast.expr) -> ast.expr:
        """The expression with the weaker forms of every access woven in."""
        for name, value in ast.iter_fields(node):
            if isinstance(value, ast.expr):
                setattr(node, name, self._orders(value))
            elif isinstance(value, list):
                setattr(node, name, [self._orders(each) if isinstance(each, ast.expr) else each for each in value])
        found: ast.expr = node
        for weak in self._weaker(node):
            assert isinstance(node, ast.Call)
            number = self._mutant("order", f"{called(node)} -> {called(weak)}: {self._text(weak.args)}")
            found = ast.IfExp(self._is(number), weak, found)
        return found

    def _weaker(self, node: ast.AST) -> Iterator[ast.Call]:
        match = ACCESS.match(called(node))
        if match is None:
            return
        assert isinstance(node, ast.Call)
        verb, order = match.groups()
        for weak in _WEAKER.get(verb, _WEAKER[""]).get(order, ()):
            self.imports.add(f"{verb}_{weak}")
            yield ast.Call(ast.Name(f"{verb}_{weak}", ast.Load()), copy.deepcopy(node.args), [])

    def _text(self, args: Sequence[ast.expr]) -> str:
        """Arguments as in the source, without the mutants woven into them."""
        return ", ".join(ast.unparse(_Plain().visit(copy.deepcopy(arg))) for arg in args)

    def _void_access(self, node: ast.Expr) -> list[ast.stmt]:
        """A store, a fence, or an update with an unused result, with its weaker forms as statements."""
        call = node.value
        if called(call) == "fence_seq_cst":
            return [ast.If(self._is_not(self._mutant("order", "fence_seq_cst() -> nothing")), [node], [])]
        if not ACCESS.match(called(call)):
            return []
        assert isinstance(call, ast.Call)
        call.args = [self._orders(arg) for arg in call.args]
        found: list[ast.stmt] = [node]
        for weak in self._weaker(call):
            number = self._mutant("order", f"{called(call)} -> {called(weak)}: {self._text(weak.args)}")
            found = [ast.If(self._is(number), [ast.Expr(weak)], found)]
        return found

    # -- recheck

    def _condition(self, test: ast.expr, node: ast.If | ast.While) -> ast.expr:
        if isinstance(node, ast.If) and only_complains(node.body) and not node.orelse:
            return self._orders(test)
        return self._passed(test, node)

    def _verdict(self, value: ast.expr) -> ast.expr:
        """A condition that is returned or assigned: all of its parts must hold, or none."""
        if isinstance(value, ast.BoolOp):
            differs = isinstance(value.op, ast.Or)
        else:
            differs = isinstance(value, ast.Compare) and isinstance(value.ops[0], ast.NotEq) and not self._is_bit_test(value)
        return self._parts(value, differs)

    @staticmethod
    def _is_bit_test(value: ast.Compare) -> bool:
        return isinstance(value.left, ast.BinOp) and isinstance(value.comparators[0], ast.Constant)

    def _passed(self, test: ast.expr, node: ast.If | ast.While | None) -> ast.expr:
        """A condition with mutants, in each of which one re-read part is taken to hold."""
        refuses = isinstance(node, ast.While) or (node is not None and gives_up(node.body))
        return self._parts(test, refuses)

    def _parts(self, test: ast.expr, refuses: bool) -> ast.expr:
        joins = ast.Or if refuses else ast.And
        if isinstance(test, ast.BoolOp) and isinstance(test.op, joins):
            again, values = False, []
            for each in test.values:
                again = self._is_again(each) or (again and bool(accesses(each)))
                values.append(self._part(each, again, refuses))
            test.values = values
            return test
        return self._part(test, self._is_again(test), refuses)

    def _part(self, part: ast.expr, again: bool, refuses: bool) -> ast.expr:
        text, tried = ast.unparse(part), self._tried(part)
        part = self._orders(part)
        if not again:
            return part
        holds = not refuses if tried is None else tried
        number = self._mutant("recheck", f"{text} -> {holds}")
        if holds:
            return ast.BoolOp(ast.Or(), [part, self._is(number)])
        return ast.BoolOp(ast.And(), [part, self._is_not(number)])

    def _is_again(self, part: ast.expr) -> bool:
        """Whether a condition tests an attempt, or a value read after something was taken or read."""
        if isinstance(part, ast.Compare) and isinstance(part.left, ast.Name) and isinstance(part.comparators[0], ast.Constant):
            return False  # whether there is one at all
        if isinstance(part, ast.Compare) and isinstance(part.ops[0], _ORDERED) and any(map(_is_limit, (part.left, part.comparators[0]))):
            return False  # how much is policy
        if isinstance(part, ast.Compare) and isinstance(part.ops[0], (ast.Eq, ast.NotEq)) and self._compares_with_before(part):
            return True
        flag = part.operand if isinstance(part, ast.UnaryOp) else part
        if isinstance(flag, ast.Name):
            first = flag.id in self._fresh - self._decided
            self._decided.add(flag.id)
            return first
        for each in ast.walk(part):
            if _TRIES.search(called(each)):
                return True
            touched = touches(each)
            if touched and (self._taken or touched in self._read):
                return True
            if isinstance(each, ast.Name) and each.id in self._fresh:
                return True
        return False

    @staticmethod
    def _compares_with_before(part: ast.Compare) -> bool:
        """Whether an earlier value is compared with the current one."""
        sides = (part.left, part.comparators[0])
        return any(bool(accesses(a)) and isinstance(b, ast.Name) and not b.id.isupper() for a, b in (sides, sides[::-1]))

    @staticmethod
    def _tried(part: ast.expr) -> bool | None:
        """The value of an attempt's condition if the attempt succeeds; None if it is not an attempt."""
        if isinstance(part, ast.UnaryOp) and isinstance(part.op, ast.Not) and _TRIES.search(called(part.operand)):
            return False
        if _TRIES.search(called(part)):
            return True
        if isinstance(part, ast.Compare) and called(part.left).startswith("cas_"):
            return isinstance(part.ops[0], ast.Eq)
        return None

    # -- retry

    def _retry(self, node: ast.For) -> ast.expr:
        call = node.iter
        if called(call) != "range" or not isinstance(call, ast.Call) or len(call.args) != 1 or not leaves(node):
            return node.iter
        bound = call.args[0]
        number_of_times = isinstance(bound, ast.Constant) and isinstance(bound.value, int) and bound.value > 1
        constant = number_of_times or (isinstance(bound, ast.Name) and bound.id.isupper())
        if not constant or not isinstance(node.target, ast.Name) or node.target.id not in ("_", "attempt"):
            return node.iter
        number = self._mutant("retry", f"range({ast.unparse(bound)}) -> one less")
        less = ast.BinOp(copy.deepcopy(bound), ast.Sub(), ast.Constant(1))
        call.args = [ast.IfExp(self._is(number), less, bound)]
        return call

    # -- swap and lock: plans of (kind, text, the statement that moves, the one before which, or the one after which it moves)

    def _swaps(self, body: Sequence[ast.stmt]) -> list[tuple[str, str, int, int, int]]:
        found = []
        for k in range(len(body) - 1):
            first, second = body[k], body[k + 1]
            if self._stores(first) and self._publishes(second) and not self._reads_what_is_stored(first, second):
                found.append(("swap", f"{ast.unparse(second)} before {ast.unparse(first)}", k + 1, k, -1))
        return found

    def _stores(self, node: ast.stmt) -> bool:
        if isinstance(node, (ast.Assign, ast.AugAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            return any(touches(each) for each in targets)
        name = called(node.value) if isinstance(node, ast.Expr) else ""
        return bool(ACCESS.match(name)) or name in self.publishers or name == "set_words"

    def _publishes(self, node: ast.stmt) -> bool:
        return isinstance(node, ast.Expr) and (releases(node.value) or called(node.value) in self.publishers)

    @staticmethod
    def _reads_what_is_stored(first: ast.stmt, second: ast.stmt) -> bool:
        stored = {field_of(each) for each in ast.walk(first)} - {""}
        read = {field_of(each) for arg in ast.walk(second) if isinstance(arg, ast.Call) for each in arg.args[1:]}
        return bool(stored & read)

    def _lock_moves(self, body: Sequence[ast.stmt]) -> list[tuple[str, str, int, int, int]]:
        found = []
        for k, node in enumerate(body):
            if isinstance(node, ast.Expr) and UNLOCK.match(called(node.value)):
                before = next((j for j in range(k - 1, -1, -1) if accesses(body[j]) or leaves(body[j]) or locks(body[j])), -1)
                if before >= 0 and not leaves(body[before]) and not locks(body[before]):
                    found.append(("lock", f"{ast.unparse(node)} before {brief(body[before])}", k, before, -1))
            elif self._takes_lock(node):
                after = next((j for j in range(k + 1, len(body)) if accesses(body[j]) or leaves(body[j]) or locks(body[j])), -1)
                if after < 0 or locks(head_of(body[after])):
                    continue
                text = f"{brief(node)} after {brief(body[after])}"
                following = body[after]
                if isinstance(following, ast.If) and accesses(following.test):
                    found.append(("lock", text, k, _HOIST, after))
                elif not leaves(following) and not locks(following) and not isinstance(following, (ast.For, ast.While)):
                    found.append(("lock", text, k, -1, after))
        return found

    @staticmethod
    def _takes_lock(node: ast.stmt) -> bool:
        if isinstance(node, ast.Expr):
            return bool(LOCK.match(called(node.value)))
        if isinstance(node, ast.If) and isinstance(node.test, ast.UnaryOp) and isinstance(node.test.op, ast.Not):
            return (
                bool(TRYLOCK.match(called(node.test.operand))) and not node.orelse and isinstance(node.body[-1], (ast.Return, ast.Continue))
            )
        return False


def _is_limit(node: ast.expr) -> bool:
    """Whether a node is a parameter of the machine, or a named constant."""
    if isinstance(node, ast.Attribute):
        return isinstance(node.value, ast.Name) and node.value.id == "mem"
    return isinstance(node, ast.Name) and node.id.isupper()


class _Plain(ast.NodeTransformer):
    """Removes woven mutants from an expression."""

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        return node.orelse if ALIVE in ast.unparse(node.test) else node
