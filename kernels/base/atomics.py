"""Every access that may race, each with its ordering in its name: a plain Python function and a compiled twin.

`load_relaxed(field, i)`, `store_release(field, i, value)`, `cas_acquire(field, i, expected, new)` (returns the word seen),
`fetch_add_relaxed`, `fetch_or_...`, `fetch_and_...`, `exchange_...`, `fence_seq_cst()`. Suffixes are C11's; `seq_cst` is what
Linux calls fully ordered. A word that another CPU may write at the same time goes through here: LLVM hoists plain loads.

Beside them what a kernel cannot say in Python: `cpu_relax`, `sched_yield`, `cycles`, `exit_process`, `copy_words`, and the
bit arithmetic that overflows differently interpreted (`bit`, `ctz`, `popcount`).

Differs     interpreted twins are not atomic: interpreted kernels run one at a time
"""

import ctypes
import os
import platform
import time

from llvmlite import ir
from numba import types
from numba.extending import lower_builtin, type_callable

from kernels.base import jit
from kernels.base.memory import I8P, I64, FieldType, element, narrow, widen

_LLVM_ORDER = {"relaxed": "monotonic", "acquire": "acquire", "release": "release", "acq_rel": "acq_rel", "seq_cst": "seq_cst"}


def _declare(plain, arity, result, lower, on_field=True):
    """Give a plain function its compiled twin: `lower(context, builder, field, pointer, index, *values)`."""
    if jit.INTERPRETED:
        return plain

    def typer(context):
        def typed(*args):
            if len(args) == arity and (not on_field or isinstance(args[0], FieldType)):
                if all(isinstance(a, types.Integer) or a is args[0] or isinstance(a, FieldType) for a in args):
                    converted = [a if isinstance(a, FieldType) else types.int64 for a in args]
                    return types.void(*converted) if result is types.void else result(*converted)
            return None

        # numba reads the parameters' names and number
        names = ", ".join(f"a{k}" for k in range(arity))
        scope = {"typed": typed}
        exec(f"def fixed({names}): return typed({names})", scope)
        return scope["fixed"]

    type_callable(plain)(typer)
    kinds = ([FieldType] if on_field else []) + [types.Integer] * (arity - bool(on_field))

    @lower_builtin(plain, *kinds)
    def lowered(context, builder, sig, args):
        made = lower(builder, sig, args)
        return context.get_dummy_value() if made is None else made

    return plain


def _named(function, name, doc):
    function.__name__ = function.__qualname__ = name
    function.__module__ = __name__
    function.__doc__ = doc
    return function


def _make_load(order):
    def plain(field, index):
        return field[index]

    def lower(builder, sig, args):
        field = sig.args[0]
        loaded = builder.load_atomic(element(builder, field, args[0], args[1]), _LLVM_ORDER[order], field.bits // 8)
        return widen(builder, field, loaded)

    return _declare(_named(plain, f"load_{order}", f"Load a word, {order}."), 2, types.int64, lower)


def _make_store(order):
    def plain(field, index, value):
        field[index] = value

    def lower(builder, sig, args):
        field = sig.args[0]
        value = narrow(builder, field, args[2])
        builder.store_atomic(value, element(builder, field, args[0], args[1]), _LLVM_ORDER[order], field.bits // 8)

    return _declare(_named(plain, f"store_{order}", f"Store a word, {order}."), 3, types.void, lower)


def _make_cas(order):
    failure = {"acq_rel": "acquire", "release": "monotonic", "seq_cst": "seq_cst"}.get(order, _LLVM_ORDER[order])

    def plain(field, index, expected, new):
        seen = field[index]
        if seen == expected:
            field[index] = new
        return seen

    def lower(builder, sig, args):
        field = sig.args[0]
        pair = builder.cmpxchg(
            element(builder, field, args[0], args[1]),
            narrow(builder, field, args[2]),
            narrow(builder, field, args[3]),
            _LLVM_ORDER[order],
            failure,
        )
        return widen(builder, field, builder.extract_value(pair, 0))

    return _declare(_named(plain, f"cas_{order}", f"Compare and exchange, {order}; returns the word seen."), 4, types.int64, lower)


_ARITHMETIC = {
    "fetch_add": ("add", lambda old, value: old + value),
    "fetch_or": ("or", lambda old, value: old | value),
    "fetch_and": ("and", lambda old, value: old & value),
    "exchange": ("xchg", lambda old, value: value),
}


def _make_rmw(name, order):
    operation, arithmetic = _ARITHMETIC[name]

    def plain(field, index, value):
        old = field[index]
        field[index] = arithmetic(old, value)
        return old

    def lower(builder, sig, args):
        field = sig.args[0]
        value = narrow(builder, field, args[2])
        return widen(builder, field, builder.atomic_rmw(operation, element(builder, field, args[0], args[1]), value, _LLVM_ORDER[order]))

    return _declare(_named(plain, f"{name}_{order}", f"{name}, {order}; returns the old word."), 3, types.int64, lower)


load_relaxed, load_acquire = _make_load("relaxed"), _make_load("acquire")
store_relaxed, store_release = _make_store("relaxed"), _make_store("release")
cas_relaxed, cas_acquire, cas_release, cas_acq_rel, cas_seq_cst = map(_make_cas, _LLVM_ORDER)
fetch_add_relaxed, fetch_add_acquire, fetch_add_release, fetch_add_acq_rel, fetch_add_seq_cst = (
    _make_rmw("fetch_add", o) for o in _LLVM_ORDER
)
fetch_or_relaxed, fetch_or_acquire, fetch_or_release, fetch_or_acq_rel, fetch_or_seq_cst = (_make_rmw("fetch_or", o) for o in _LLVM_ORDER)
fetch_and_relaxed, fetch_and_acquire, fetch_and_release, fetch_and_acq_rel, fetch_and_seq_cst = (
    _make_rmw("fetch_and", o) for o in _LLVM_ORDER
)
exchange_relaxed, exchange_acquire, exchange_release, exchange_acq_rel, exchange_seq_cst = (_make_rmw("exchange", o) for o in _LLVM_ORDER)


def fence_seq_cst():
    """A full fence: smp_mb()."""


_declare(fence_seq_cst, 0, types.void, lambda builder, sig, args: builder.fence("seq_cst"), on_field=False)


# ------------------------------------------------------------------------------------------- what Python has no word for


def _external(builder, name, result, parameters):
    kind = ir.FunctionType(result, parameters)
    return builder.module.globals.get(name) or ir.Function(builder.module, kind, name)


def cpu_relax():
    """Tell the processor that this is a spin loop (x86 pause, arm64 yield)."""


def _lower_relax(builder, sig, args):
    if platform.machine() == "x86_64":
        builder.call(_external(builder, "llvm.x86.sse2.pause", ir.VoidType(), []), [])
    elif platform.machine() == "aarch64":
        builder.call(_external(builder, "llvm.aarch64.hint", ir.VoidType(), [ir.IntType(32)]), [ir.IntType(32)(1)])


_declare(cpu_relax, 0, types.void, _lower_relax, on_field=False)


def sched_yield():
    """Give the processor to another process: the lock's owner may be waiting for it."""
    os.sched_yield()


_declare(sched_yield, 0, types.void, lambda b, s, a: void_call(b, "sched_yield", ir.IntType(32)), on_field=False)


NAP_US = 50


def nap():
    """Sleep for NAP_US: the lock's owner has lost its processor, and yielding to others who wait does not give it back."""
    time.sleep(NAP_US / 1e6)


def _lower_nap(builder, sig, args):
    function = _external(builder, "usleep", ir.IntType(32), [ir.IntType(32)])
    builder.call(function, [ir.IntType(32)(NAP_US)])


_declare(nap, 0, types.void, _lower_nap, on_field=False)


def void_call(builder, name, result):
    builder.call(_external(builder, name, result, []), [])


def cycles():
    """The processor's steady counter (x86 time-stamp counter, arm64 CNTVCT); see Memory.cycles_per_us."""
    return time.perf_counter_ns()


def _lower_cycles(builder, sig, args):
    name = "llvm.readsteadycounter" if platform.machine() == "aarch64" else "llvm.readcyclecounter"
    return builder.call(_external(builder, name, I64, []), [])


_declare(cycles, 0, types.int64, _lower_cycles, on_field=False)


class ProcessExit(SystemExit):
    """What `exit_process` raises when interpreted."""


def exit_process(status):
    """Leave at once: compiled libc _exit(), interpreted an exception."""
    raise ProcessExit(status)


def _lower_exit(builder, sig, args):
    function = _external(builder, "_exit", ir.VoidType(), [ir.IntType(32)])
    builder.call(function, [builder.trunc(args[0], ir.IntType(32))])


_declare(exit_process, 1, types.void, _lower_exit, on_field=False)


def copy_words(field, target, source, nr_words):
    """Copy `nr_words` 64-bit words inside one field (page contents): memcpy, not atomic, not ordered."""
    if nr_words:
        field.check(target), field.check(source), field.check(target + nr_words - 1), field.check(source + nr_words - 1)
        ctypes.memmove(field.array.ctypes.data + 8 * target, field.array.ctypes.data + 8 * source, 8 * nr_words)


def _lower_copy(builder, sig, args):
    field = sig.args[0]
    to, source = (builder.bitcast(element(builder, field, args[0], a), I8P) for a in args[1:3])
    function = _external(builder, "llvm.memcpy.p0.p0.i64", ir.VoidType(), [I8P, I8P, I64, ir.IntType(1)])
    builder.call(function, [to, source, builder.mul(args[3], I64(8)), ir.IntType(1)(0)])


_declare(copy_words, 4, types.void, _lower_copy)


def bit(position):
    """1 << position as an int64: bit 63 is negative."""
    return -(1 << 63) if position == 63 else 1 << position


_declare(bit, 1, types.int64, lambda b, s, a: b.shl(I64(1), a[0]), on_field=False)


def ctz(word):
    """The number of trailing zeros of a non-zero 64-bit word."""
    return (word & -word).bit_length() - 1


_declare(ctz, 1, types.int64, lambda b, s, a: b.cttz(a[0], ir.IntType(1)(1)), on_field=False)


def popcount(word):
    """The number of set bits of a 64-bit word."""
    return (word & (1 << 64) - 1).bit_count()


_declare(popcount, 1, types.int64, lambda b, s, a: b.ctpop(a[0]), on_field=False)
