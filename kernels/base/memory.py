"""`Memory`: one segment, seen as named fields. Compiled it is a pointer; interpreted it is views with bounds checks.

Compiled, `mem.refcount` is the address of the first refcount and `mem.refcount[i]` one load: no array structure, no
reference count, no length. A field's type carries its place, so one signature serves every machine size. Plain
reads and writes take their address from `element`, as atomics do: there the bounds flavour adds its check. In the explored
flavour every access is a request to the scheduler instead (points.py), which checks its bounds.

Interpreted, a field is a `Field`, which refuses negative and too large indices and returns plain Python integers.
"""

import operator

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.imputils import lower_builtin, lower_getattr_generic
from numba.core.typing.templates import AbstractTemplate, AttributeTemplate, infer_getattr, infer_global, signature
from numba.extending import NativeValue, intrinsic, models, register_model, typeof_impl, unbox

from kernels.base import flavour, points
from kernels.base.layout import ARRAY_START, ARRAYS, FIELDS, LENGTHS_WORD, PARAM, SEGMENT_BYTES, Bug

_DTYPES = {8: np.int8, 32: np.int32, 64: np.int64}


class Field:
    """One field of every record of an array, for interpreted kernels. Racing accesses go through `atomics`."""

    __slots__ = ("array", "length", "name")

    def __init__(self, name: str, array: np.ndarray):
        self.name, self.array, self.length = name, array, len(array)

    def __len__(self) -> int:
        return self.length

    def check(self, index: int) -> None:
        if not 0 <= index < self.length:
            raise IndexError(f"{self.name}[{index}] of {self.length}")

    def __getitem__(self, index: int) -> int:
        self.check(index)
        return int(self.array[index])

    def __setitem__(self, index: int, value: int) -> None:
        self.check(index)
        self.array[index] = value


class ScheduledField(Field):
    """A field in the explored flavour, interpreted: every access is a request. Without a scheduler, a plain Field."""

    __slots__ = ("start", "step")

    def __init__(self, name: str, array: np.ndarray):
        super().__init__(name, array)
        self.start, self.step = array.ctypes.data, FIELDS[name][2]

    def ask(self, kind: int, order: int, index: int, first: int = 0, second: int = 0) -> int:
        return points.ask(points.operation(kind, order, self.name), self.start + index * self.step, first, second)

    def __getitem__(self, index: int) -> int:
        if points.schedules():
            return self.ask(points.LOAD, points.PLAIN, index)
        return super().__getitem__(index)

    def __setitem__(self, index: int, value: int) -> None:
        if points.schedules():
            self.ask(points.STORE, points.PLAIN, index, value)
        else:
            super().__setitem__(index, value)


class Memory:
    """The segment at `buffer`: `mem.<field>` for kernels, `mem.arrays[<name>]` (numpy) for all other code.

    Parameters  buffer: a writable buffer of SEGMENT_BYTES whose header has the length of each array
    Errors      ValueError if the header does not fit
    """

    def __init__(self, buffer):
        self.buffer = buffer
        whole = np.frombuffer(buffer, np.uint8, count=SEGMENT_BYTES)
        self.base = whole.ctypes.data
        self.header = whole[: 8 * 512].view(np.int64)
        self.arrays: dict[str, np.ndarray] = {}
        for name, (slot, bits, stride, offset) in FIELDS.items():
            length = int(self.header[LENGTHS_WORD + slot])
            if not 0 <= length * stride <= ARRAYS[slot].bytes_max:
                raise ValueError(f"header: array {ARRAYS[slot].name} has length {length}")
            view = np.ndarray(length, _DTYPES[bits], whole, offset=ARRAY_START[slot] + offset, strides=stride)
            self.arrays[name] = view
            kind = ScheduledField if flavour.EXPLORED and name not in points.UNSCHEDULED else Field
            setattr(self, name, kind(name, view))
        for name, word in PARAM.items():
            setattr(self, name, int(self.header[word]))


# ----------------------------------------------------------------------------------------------------------- compiled side

I8P, I64 = ir.IntType(8).as_pointer(), ir.IntType(64)


class MemoryType(types.Type):
    def __init__(self):
        super().__init__("Memory")


class FieldType(types.Type):
    """The place of a field: array slot, width, distance between records, offset in a record."""

    def __init__(self, slot, bits, stride, offset):
        self.slot, self.bits, self.stride, self.offset = slot, bits, stride, offset
        super().__init__(f"Field[{slot},{bits},{stride},{offset}]")


memory_type = MemoryType()
_field_types = {name: FieldType(*where) for name, where in FIELDS.items()}


class _PointerModel(models.PrimitiveModel):
    def __init__(self, manager, front):
        super().__init__(manager, front, I8P)


register_model(MemoryType)(_PointerModel)
register_model(FieldType)(_PointerModel)


@typeof_impl.register(Memory)
def _typeof_memory(value, context):
    return memory_type


@unbox(MemoryType)
def _unbox_memory(typ, obj, c):
    base = c.pyapi.object_getattr_string(obj, "base")
    address = c.pyapi.long_as_ulonglong(base)
    c.pyapi.decref(base)
    return NativeValue(c.builder.inttoptr(address, I8P))


@intrinsic
def memory_at(typing, address):
    """The `Memory` whose segment begins at an address, for a task, which has no parameters."""
    return memory_type(types.int64), lambda context, builder, sig, args: builder.inttoptr(args[0], I8P)


@infer_getattr
class _MemoryAttributes(AttributeTemplate):
    key = MemoryType

    def generic_resolve(self, typ, attr):
        if attr in PARAM:
            return types.int64
        return _field_types.get(attr)


@lower_getattr_generic(MemoryType)
def _lower_attribute(context, builder, typ, value, attr):
    if attr in PARAM:
        word = builder.load(builder.bitcast(builder.gep(value, [I64(8 * PARAM[attr])]), I64.as_pointer()))
        word.set_metadata("invariant.load", builder.module.add_metadata([]))
        return word
    field = _field_types[attr]
    return builder.gep(value, [I64(ARRAY_START[field.slot] + field.offset)])


def element(builder, field, pointer, index):
    """The address of element `index`, typed by the field's width; in the bounds flavour, checked."""
    if flavour.BOUNDS:
        _check_bounds(builder, field, pointer, index)
    address = builder.gep(pointer, [builder.mul(index, I64(field.stride))])
    return builder.bitcast(address, ir.IntType(field.bits).as_pointer())


def asks(field):
    """Whether an access to a field is a request to the scheduler: in the explored flavour, unless the field is in points.UNSCHEDULED."""
    return flavour.EXPLORED and points.is_scheduled(field)


def _check_bounds(builder, field, pointer, index):
    """Compare with the length in the header; out of bounds writes a bug record and leaves, as bug() does."""
    base = builder.gep(pointer, [I64(-(ARRAY_START[field.slot] + field.offset))])

    def word(offset):
        return builder.bitcast(builder.gep(base, [I64(offset)]), I64.as_pointer())

    length = builder.load(word(8 * (LENGTHS_WORD + field.slot)))
    with builder.if_then(builder.icmp_unsigned(">=", index, length), likely=False):

        def store(name, value):
            slot, _, _, offset = FIELDS[name]
            builder.store(value, word(ARRAY_START[slot] + offset))

        store("bug_code", I64(int(Bug.BOUNDS)))
        store("bug_cpu", I64(-1))
        store("bug_pfn", I64(field.slot))
        store("bug_seen", index)
        store("bug_wanted", length)
        store("bug_count", I64(1))
        store("halt", I64(1))
        leave(builder, 86)


def leave(builder, status):
    """libc _exit(): the machine is inconsistent, and no caller may continue."""
    kind = ir.FunctionType(ir.VoidType(), [ir.IntType(32)])
    function = builder.module.globals.get("_exit") or ir.Function(builder.module, kind, "_exit")
    builder.call(function, [ir.IntType(32)(status)])


def widen(builder, field, value):
    return value if field.bits == 64 else builder.sext(value, I64)


def narrow(builder, field, value):
    return value if field.bits == 64 else builder.trunc(value, ir.IntType(field.bits))


@infer_global(operator.getitem)
class _GetItem(AbstractTemplate):
    def generic(self, args, kws):
        if isinstance(args[0], FieldType) and isinstance(args[1], types.Integer):
            return signature(types.int64, args[0], types.int64)


@infer_global(operator.setitem)
class _SetItem(AbstractTemplate):
    def generic(self, args, kws):
        if isinstance(args[0], FieldType) and isinstance(args[1], types.Integer):
            return signature(types.none, args[0], types.int64, types.int64)


@lower_builtin(operator.getitem, FieldType, types.Integer)
def _lower_getitem(context, builder, sig, args):
    field = sig.args[0]
    address = element(builder, field, args[0], args[1])
    if asks(field):
        return points.emit_access(builder, field, address, points.LOAD, points.PLAIN)
    return widen(builder, field, builder.load(address))


@lower_builtin(operator.setitem, FieldType, types.Integer, types.Integer)
def _lower_setitem(context, builder, sig, args):
    field = sig.args[0]
    address = element(builder, field, args[0], args[1])
    if asks(field):
        points.emit_access(builder, field, address, points.STORE, points.PLAIN, args[2])
    else:
        builder.store(narrow(builder, field, args[2]), address)
    return context.get_dummy_value()
