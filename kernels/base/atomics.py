"""Every access that may race, each with its ordering in its name: a plain Python function and a compiled twin.

`load_relaxed(field, i)`, `store_release(field, i, value)`, `cas_acquire(field, i, expected, new)` (returns the word seen),
`fetch_add_relaxed`, `fetch_or_...`, `fetch_and_...`, `exchange_...`, `fence_seq_cst()`. Suffixes are C11's; `seq_cst` is what
Linux calls fully ordered. A word that another CPU may write at the same time goes through here: LLVM hoists plain loads.

Also here, operations that Python has no word for: `cpu_relax`, `sched_yield`, `cycles`, `exit_process`, `copy_words`, and
bit arithmetic that overflows differently when interpreted (`bit`, `ctz`, `popcount`).

Differs     interpreted twins are not atomic: interpreted kernels run one at a time
"""

import ctypes
import os
import platform
import time

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import lower_builtin, type_callable

from kernels.base import flavour, points
from kernels.base.memory import I8P, I64, FieldType, ScheduledField, asks, element, narrow, widen

_LLVM_ORDER = {"relaxed": "monotonic", "acquire": "acquire", "release": "release", "acq_rel": "acq_rel", "seq_cst": "seq_cst"}


#: how a request names an ordering; points.PLAIN is 0
ORDER_NUMBER = {name: number for number, name in enumerate(_LLVM_ORDER, 1)}
RELAXED, ACQUIRE, RELEASE, ACQ_REL, SEQ_CST = ORDER_NUMBER.values()  # from RELEASE on there is a release half


def _scheduled(plain, kind, order):
    """In the explored flavour a request, interpreted and compiled; elsewhere the function itself."""
    if not (flavour.EXPLORED and flavour.INTERPRETED):
        return plain

    def asking(field, *values):
        if isinstance(field, ScheduledField) and points.schedules():
            return field.ask(kind, ORDER_NUMBER[order], *values)
        return plain(field, *values)

    return _named(asking, plain.__name__, plain.__doc__)


def _asking(lower, kind, order):
    """The lowering of an access: as a request in the explored flavour."""

    def lowered(builder, sig, args):
        field = sig.args[0]
        if not asks(field):
            return lower(builder, sig, args)
        return points.emit_access(builder, field, element(builder, field, args[0], args[1]), kind, ORDER_NUMBER[order], *args[2:])

    return lowered


def _declare(plain, arity, result, lower, on_field=True):
    """Give a plain function its compiled twin: `lower(context, builder, field, pointer, index, *values)`."""
    if flavour.INTERPRETED:
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
        return context.get_dummy_value() if made is None or sig.return_type == types.none else made

    return plain


def _named(function, name, doc):
    function.__name__ = function.__qualname__ = name
    function.__module__ = __name__
    function.__doc__ = doc
    return function


def _load_lowering(order):
    def lower(builder, sig, args):
        field = sig.args[0]
        loaded = builder.load_atomic(element(builder, field, args[0], args[1]), _LLVM_ORDER[order], field.bits // 8)
        return widen(builder, field, loaded)

    return lower


def _make_load(order):
    def plain(field, index):
        return field[index]

    lower = _load_lowering(order)
    named = _scheduled(_named(plain, f"load_{order}", f"Load a word, {order}."), points.LOAD, order)
    return _declare(named, 2, types.int64, _asking(lower, points.LOAD, order))


def _make_store(order):
    def plain(field, index, value):
        field[index] = value

    def lower(builder, sig, args):
        field = sig.args[0]
        value = narrow(builder, field, args[2])
        builder.store_atomic(value, element(builder, field, args[0], args[1]), _LLVM_ORDER[order], field.bits // 8)

    named = _scheduled(_named(plain, f"store_{order}", f"Store a word, {order}."), points.STORE, order)
    return _declare(named, 3, types.void, _asking(lower, points.STORE, order))


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

    named = _scheduled(_named(plain, f"cas_{order}", f"Compare and exchange, {order}; returns the word seen."), points.CAS, order)
    return _declare(named, 4, types.int64, _asking(lower, points.CAS, order))


_ARITHMETIC = {
    "fetch_add": ("add", points.FETCH_ADD, lambda old, value: old + value),
    "fetch_or": ("or", points.FETCH_OR, lambda old, value: old | value),
    "fetch_and": ("and", points.FETCH_AND, lambda old, value: old & value),
    "exchange": ("xchg", points.EXCHANGE, lambda old, value: value),
}


def _make_rmw(name, order):
    operation, kind, arithmetic = _ARITHMETIC[name]

    def plain(field, index, value):
        old = field[index]
        field[index] = arithmetic(old, value)
        return old

    def lower(builder, sig, args):
        field = sig.args[0]
        value = narrow(builder, field, args[2])
        return widen(builder, field, builder.atomic_rmw(operation, element(builder, field, args[0], args[1]), value, _LLVM_ORDER[order]))

    named = _scheduled(_named(plain, f"{name}_{order}", f"{name}, {order}; returns the old word."), kind, order)
    return _declare(named, 3, types.int64, _asking(lower, kind, order))


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


def load_unseen(field, index):
    """A relaxed load for checks: no scheduling point, since a check must not order the protocol that it checks."""
    return field[index]


load_unseen = _scheduled(load_unseen, points.PEEK, "relaxed")
_declare(load_unseen, 2, types.int64, _asking(_load_lowering("relaxed"), points.PEEK, "relaxed"))


def fence_seq_cst():
    """A full fence: smp_mb()."""
    if points.schedules():
        points.ask(points.FENCE | ORDER_NUMBER["seq_cst"] << points.ORDER_SHIFT, 0, 0, 0)


def _lower_fence(builder, sig, args):
    if flavour.EXPLORED:
        points.emit_request(builder, points.FENCE | ORDER_NUMBER["seq_cst"] << points.ORDER_SHIFT, I64(0))
    else:
        builder.fence("seq_cst")


_declare(fence_seq_cst, 0, types.void, _lower_fence, on_field=False)


# ------------------------------------------------------------------------------------------- operations that Python has no word for


def _external(builder, name, result, parameters):
    kind = ir.FunctionType(result, parameters)
    return builder.module.globals.get(name) or ir.Function(builder.module, kind, name)


def _wait():
    if points.schedules():
        points.ask(points.WAIT, 0, 0, 0)
        return True
    return False


def cpu_relax():
    """Tell the processor that this is a spin loop (x86 pause, arm64 yield)."""
    _wait()


def _waiting(lower):
    """The lowering of one turn of a loop that waits: in the explored flavour a request."""
    return (lambda builder, sig, args: void(points.emit_request(builder, points.WAIT, I64(0)))) if flavour.EXPLORED else lower


def void(_made):
    """None, in place of an answer that no code reads."""


def _lower_relax(builder, sig, args):
    if platform.machine() == "x86_64":
        builder.call(_external(builder, "llvm.x86.sse2.pause", ir.VoidType(), []), [])
    elif platform.machine() == "aarch64":
        builder.call(_external(builder, "llvm.aarch64.hint", ir.VoidType(), [ir.IntType(32)]), [ir.IntType(32)(1)])


_declare(cpu_relax, 0, types.void, _waiting(_lower_relax), on_field=False)


def sched_yield():
    """Give the processor to another process: the lock owner may be waiting for it."""
    if not _wait():
        os.sched_yield()


_declare(sched_yield, 0, types.void, _waiting(lambda b, s, a: void_call(b, "sched_yield", ir.IntType(32))), on_field=False)


NAP_US = 50


def nap():
    """Sleep for NAP_US: the lock owner has lost its processor, and yielding to other waiters does not give it back."""
    if not _wait():
        time.sleep(NAP_US / 1e6)


def _lower_nap(builder, sig, args):
    function = _external(builder, "usleep", ir.IntType(32), [ir.IntType(32)])
    builder.call(function, [ir.IntType(32)(NAP_US)])


_declare(nap, 0, types.void, _waiting(_lower_nap), on_field=False)


def void_call(builder, name, result):
    builder.call(_external(builder, name, result, []), [])


def cycles():
    """The processor's steady counter (x86 time-stamp counter, arm64 CNTVCT); see Memory.cycles_per_us. Always 0 in the explored flavour."""
    return 0 if flavour.EXPLORED else time.perf_counter_ns()


def _lower_cycles(builder, sig, args):
    if flavour.EXPLORED:
        return I64(0)
    name = "llvm.readsteadycounter" if platform.machine() == "aarch64" else "llvm.readcyclecounter"
    return builder.call(_external(builder, name, I64, []), [])


_declare(cycles, 0, types.int64, _lower_cycles, on_field=False)


class ProcessExit(SystemExit):
    """What `exit_process` raises when interpreted."""


def exit_process(status):
    """End this process immediately: compiled libc _exit(), interpreted an exception, explored a request that is never answered."""
    raise ProcessExit(status)


def _lower_exit(builder, sig, args):
    if flavour.EXPLORED:
        points.emit_request(builder, points.LEAVE, I64(0), args[0])
        return
    function = _external(builder, "_exit", ir.VoidType(), [ir.IntType(32)])
    function.attributes.add("noreturn")  # so that LLVM knows that bug() does not return either, and keeps nothing for it
    builder.call(function, [builder.trunc(args[0], ir.IntType(32))])


_declare(exit_process, 1, types.void, _lower_exit, on_field=False)


def prefetch_write(field, index):
    """Begin to fetch the cache line of a word, to write it; a hint, for any index."""


def _lower_prefetch(builder, sig, args):
    field = sig.args[0]
    if flavour.CHECKED:  # no bounds to check, and nothing to schedule
        return
    address = builder.gep(args[0], [builder.mul(args[1], I64(field.stride))])
    i32 = ir.IntType(32)
    function = _external(builder, "llvm.prefetch.p0", ir.VoidType(), [I8P, i32, i32, i32])
    builder.call(function, [address, i32(1), i32(3), i32(1)])  # to write, to keep in all levels, data


_declare(prefetch_write, 2, types.void, _lower_prefetch)


def copy_words(field, target, source, nr_words):
    """Copy `nr_words` 64-bit words inside one field (page contents): memcpy, not atomic, not ordered; explored word by word."""
    if points.schedules():
        for k in range(nr_words):
            field[target + k] = field[source + k]
    elif nr_words:
        field.check(target), field.check(source), field.check(target + nr_words - 1), field.check(source + nr_words - 1)
        ctypes.memmove(field.array.ctypes.data + 8 * target, field.array.ctypes.data + 8 * source, 8 * nr_words)


def _lower_copy(builder, sig, args):
    field = sig.args[0]
    if asks(field):
        with cgutils.for_range(builder, args[3]) as loop:
            source, target = (element(builder, field, args[0], builder.add(at, loop.index)) for at in (args[2], args[1]))
            word = points.emit_access(builder, field, source, points.LOAD, points.PLAIN)
            points.emit_access(builder, field, target, points.STORE, points.PLAIN, word)
        return
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
