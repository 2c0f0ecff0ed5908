"""The one entry of the kernel tests: every kernel by number, so that one compile serves all tests.

    call(mem, "ref_try_get", cpu, desc)

Kernels are found by scanning and numbered in the order of their modules and names, so a new one needs no change here. The atomics,
which are not kernels, are numbered after them, each on a field of 64 bits (contents) and on one of 32 (refcount). For each a line
like `if op == 17: return ref_try_get(mem, cpu, a)` is generated and compiled: a closure per kernel would cost numba one more function.
"""

import ast
import importlib
import inspect
import pkgutil
import re
import sys
import textwrap

import kernels  # all of it, to the key of the compiled cache too
from kernels.base import atomics, jit
from kernels.policy.pagealloc import alloc_misplaced_dst, put_misplaced_dst

SLOTS = "abcdefg"  # the integers that `do` takes beside mem, cpu and op
PER_PART = 32  # calls in one dispatching kernel
#: parameters that are kernels, and what is passed for them
CALLBACKS = {"get_new_folio": alloc_misplaced_dst, "put_new_folio": put_misplaced_dst}
FIELDS = ("contents", "refcount")
ACCESSES = {"load": 2, "store": 3, "cas": 4, "fetch_add": 3, "fetch_or": 3, "fetch_and": 3, "exchange": 3}  # parameters
ORDERED = re.compile(rf"({'|'.join(ACCESSES)})_(relaxed|acquire|release|acq_rel|seq_cst)")
BARE = {"bit": 1, "ctz": 1, "popcount": 1, "cycles": 0, "fence_seq_cst": 0, "cpu_relax": 0, "sched_yield": 0, "nap": 0}
VOID_ATOMICS = ("store", "copy_words", "fence_seq_cst", "cpu_relax", "sched_yield", "nap")

_scope: dict = {"__name__": __name__, "kernel": jit.kernel, **CALLBACKS}


def _call(function, values, void):
    """The statement that calls a function and returns what it returns, or 0."""
    call = f"{function}({', '.join(values)})"
    return f"{call}; return 0" if void else f"return {call}"


def _kernel_calls():
    """name -> (statement, integers that it takes), of every kernel in kernels/."""
    for info in pkgutil.walk_packages(kernels.__path__, "kernels."):
        importlib.import_module(info.name)
    found = {}
    for function in sorted(jit.KERNELS, key=lambda each: (each.__module__, each.__name__)):
        if function.__module__.split(".")[0] != "kernels":
            continue
        name, free = function.__name__, iter(SLOTS)
        if name in found:
            raise TypeError(f"two kernels are called {name}")
        _scope[name] = getattr(sys.modules[function.__module__], name)
        known = {"mem": "mem", "cpu": "cpu", **{parameter: callback.__name__ for parameter, callback in CALLBACKS.items()}}
        values = [known.get(parameter) or next(free) for parameter in inspect.signature(function).parameters]
        found[name] = _call(name, values, not _returns_a_value(function)), sum(value in SLOTS for value in values)
    return found


def _returns_a_value(function):
    source = ast.parse(textwrap.dedent(inspect.getsource(function)))
    return any(isinstance(node, ast.Return) and node.value is not None for node in ast.walk(source))


def _atomic_calls():
    """The same of every atomic, as "field.name", of plain accesses, and of what takes no field."""
    found = {}
    for name, arity in BARE.items():
        found[name] = _call(name, SLOTS[:arity], name in VOID_ATOMICS), arity
    for field in FIELDS:
        for name in sorted(vars(atomics)):
            if match := ORDERED.fullmatch(name):
                arity = ACCESSES[match[1]]
                values = [f"mem.{field}", *SLOTS[: arity - 1]]
                found[f"{field}.{name}"] = _call(name, values, name.startswith(VOID_ATOMICS)), arity - 1
        found[f"{field}.read"] = f"return mem.{field}[a]", 1
        found[f"{field}.write"] = f"mem.{field}[a] = b; return 0", 2
    found["contents.copy_words"] = _call("copy_words", ["mem.contents", "a", "b", "c"], True), 3
    found["param.nr_frames"] = "return mem.nr_frames", 0
    _scope.update({name: value for name, value in vars(atomics).items() if not name.startswith("_")})
    return found


def _compiled(name, cases):
    """A dispatching kernel: the first case (condition, statement) that holds."""
    lines = [f"    if {condition}: {statement}" for condition, statement in cases]
    exec("\n".join(["@kernel", f"def {name}(mem, cpu, op, {', '.join(SLOTS)}):", *lines, "    return -1"]), _scope)


def _dispatcher(statements):
    """One kernel for statements by number, in two levels."""
    parts = []
    for start in range(0, len(statements), PER_PART):
        part = f"part_{start}"
        numbers = range(start, min(start + PER_PART, len(statements)))
        _compiled(part, [(f"op == {number}", statements[number]) for number in numbers])
        parts.append((f"op < {numbers.stop}", _call(part, ["mem", "cpu", "op", *SLOTS], False)))
    _compiled("dispatch", parts)
    return _scope["dispatch"]


_calls = _kernel_calls() | _atomic_calls()
#: name -> (number, integers that it takes)
OPS = {name: (number, arity) for number, (name, (_, arity)) in enumerate(_calls.items())}
_dispatch = _dispatcher([statement for statement, _ in _calls.values()])


@jit.entry
def do(mem, cpu, op, a, b, c, d, e, f, g):
    """Any kernel, by number.

    Returns     what it returns, or 0
    Progress    the kernel's
    """
    return _dispatch(mem, cpu, op, a, b, c, d, e, f, g)


def call(mem, name, cpu, *values):
    """Call one kernel on a CPU with the arguments that it takes beside mem and cpu."""
    number, arity = OPS[name]
    if len(values) != arity:
        raise TypeError(f"{name} takes {arity} arguments beside mem and cpu, not {len(values)}")
    return do(mem, cpu, number, *map(int, values), *([0] * (len(SLOTS) - arity)))
