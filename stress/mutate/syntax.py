"""What a kernel's syntax tree shows: which fields of the machine a node touches, which locks, and where control may go.

Atomics and locks are known by their names.
"""

import ast
import re
from collections.abc import Sequence

_DECORATORS = frozenset(("kernel", "entry", "slow_kernel", "outlined_kernel", "fast_kernel"))
ACCESS = re.compile(r"^(load|store|cas|exchange|fetch_add|fetch_or|fetch_and)_(relaxed|acquire|release|acq_rel|seq_cst)$")
LOCK, TRYLOCK, UNLOCK = (re.compile(rf"^(\w+_)?{word}$") for word in ("lock", "trylock", "unlock"))
#: calls that touch nothing that a protocol reads
QUIET = frozenset(
    (
        "count",
        "trace",
        "chaos_point",
        "bug",
        "relax",
        "cpu_relax",
        "cycles",
        "shadow_move",
        "count_cause",
        "count_migrated",
        "stage_begin",
        "stage_end",
    )
)


def is_kernel(function: ast.FunctionDef) -> bool:
    """Whether a function is compiled and takes the machine."""
    names = {ast.unparse(each).rpartition(".")[2] for each in function.decorator_list}
    return bool(names & _DECORATORS) and bool(function.args.args) and function.args.args[0].arg == "mem"


def called(node: ast.AST) -> str:
    """The name of the function that a node calls, else ""."""
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def releases(node: ast.AST) -> bool:
    """Whether a node is a store or an update that releases."""
    name = called(node)
    return bool(ACCESS.match(name)) and not name.startswith("load_") and name.endswith(("_release", "_acq_rel", "_seq_cst"))


def field_of(node: ast.AST) -> str:
    """The field that `mem.field[...]` or `load_x(mem.field, ...)` touches, else ""."""
    at: ast.AST | None = None
    if isinstance(node, ast.Subscript):
        at = node.value
    elif isinstance(node, ast.Call) and ACCESS.match(called(node)) and node.args:
        at = node.args[0]
    if isinstance(at, ast.Attribute) and isinstance(at.value, ast.Name) and at.value.id == "mem":
        return at.attr
    return ""


def touches(node: ast.AST) -> str:
    """What an expression node reads or writes of the machine: the name of a field, or of a kernel that takes the machine; else ""."""
    if field := field_of(node):
        from kernels.base.points import UNSCHEDULED

        return "" if field in UNSCHEDULED else field
    name = called(node)
    takes_machine = isinstance(node, ast.Call) and any(isinstance(arg, ast.Name) and arg.id == "mem" for arg in node.args)
    return name if takes_machine and name not in QUIET else ""


def accesses(node: ast.AST) -> list[str]:
    return [name for each in ast.walk(node) if (name := touches(each))]


def leaves(node: ast.AST) -> bool:
    """Whether control may leave the enclosing block from inside a statement."""
    return any(isinstance(each, (ast.Return, ast.Break, ast.Continue)) for each in ast.walk(node))


def locks(node: ast.AST) -> bool:
    names = [called(each) for each in ast.walk(node)]
    return any(LOCK.match(name) or TRYLOCK.match(name) or UNLOCK.match(name) for name in names)


def only_complains(body: Sequence[ast.stmt]) -> bool:
    """Whether a body only calls bug() or updates statistics."""
    return all(isinstance(each, ast.Pass) or (isinstance(each, ast.Expr) and called(each.value) in QUIET - {"relax"}) for each in body)


def gives_up(body: Sequence[ast.stmt]) -> bool:
    """Whether a body ends by giving up: it continues or breaks a loop, unlocks and returns, or returns nothing, false, 0 or an errno."""
    last = body[-1]
    if isinstance(last, (ast.Continue, ast.Break)):
        return True
    if not isinstance(last, ast.Return):
        return False
    value = last.value
    if any(UNLOCK.match(called(each)) for statement in body for each in ast.walk(statement)):
        return True
    if value is None or (isinstance(value, ast.Constant) and value.value in (None, False, 0)):
        return True
    return isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub)


def head_of(node: ast.stmt) -> ast.AST:
    return node.test if isinstance(node, (ast.If, ast.While)) else node.iter if isinstance(node, ast.For) else node


def brief(node: ast.stmt) -> str:
    """A statement in one line: the head of a compound one."""
    return ast.unparse(node).splitlines()[0]
