"""Scheduling points: in the explored flavour a kernel asks a scheduler for each access to shared memory instead of making it.

A task is a kernel on its own stack. Before every access, plain or atomic, it writes a request to `STATE` (operation, address,
operands) and calls the scheduler, which may answer immediately. Otherwise the task switches to the scheduler's stack with a few
x86-64 instructions, and continues when the scheduler has chosen it, made the access on its behalf and switched back. So the point is
before the effect, the scheduler knows what every task is about to do, and only the scheduler implements the memory model (store
buffers). Interpreted, the same requests go through a hook.

Not points, since no other CPU's behaviour depends on them: the header's parameters (constant); UNSCHEDULED, which are rows that only
their CPU writes and no decision reads (statistics, flight recorder, random state), words that are constant after boot, bug() records,
and the shadow words of the full checks, which must not order anything.

Waiting (cpu_relax, sched_yield, nap) is a request too: the scheduler does not run a waiting task until a word that it read has changed.
Leaving (exit_process) is a request that is never answered, so bug() ends in the scheduler. AWAIT is a compare-and-exchange that is not
chosen before it can succeed: it models a sleeping lock, a join, and a thread that does not exist yet.
"""

import ctypes
import operator
import platform
from abc import ABC, abstractmethod

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import types
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import NativeValue, intrinsic, models, register_model, typeof_impl, unbox

from kernels.base import flavour
from kernels.base.layout import ARRAY_START, ARRAYS, FIELDS

#: kinds of requests, bits 0-3 of an operation
(LOAD, STORE, CAS, FETCH_ADD, FETCH_OR, FETCH_AND, EXCHANGE, FENCE, WAIT, PEEK, END, LEAVE, AWAIT) = range(13)
KIND_NAMES = ("load", "store", "cas", "fetch_add", "fetch_or", "fetch_and", "exchange", "fence", "wait", "peek", "end", "leave", "await")
KIND_MASK, ORDER_SHIFT, ORDER_MASK, BYTES_SHIFT, BYTES_MASK, FIELD_SHIFT = 15, 4, 7, 8, 15, 16
PLAIN = 0  # orders of atomics.py begin at 1

#: field name -> number, bits 16 and above of an operation
FIELD_NAMES = tuple(FIELDS)
FIELD_NUMBER = {name: number for number, name in enumerate(FIELD_NAMES)}
_BY_PLACE = {(slot, offset): FIELD_NUMBER[name] for name, (slot, _, _, offset) in FIELDS.items()}

_UNSCHEDULED_ARRAYS = frozenset(
    ("header", "control", "park", "bugs", "counters", "lockstat", "rolestat", "hist", "ring", "shadow")
)  # fmt: skip
_UNSCHEDULED_FIELDS = frozenset(
    "cpu_parked cpu_role cpu_waits cpu_batches cpu_chaos rng0 rng1 rng2 rng3 ring_head cpu_nid block_nid".split()
)
UNSCHEDULED = frozenset(name for name, (slot, *_) in FIELDS.items() if ARRAYS[slot].name in _UNSCHEDULED_ARRAYS) | _UNSCHEDULED_FIELDS

# ------------------------------------------------------------------------------------------------------------------- state

MAX_TASKS = 22  # tasks and the flushes of their store buffers are bits of one word
# shared by tasks and scheduler; the words after SCHEDULER_WORDS belong to the scheduler
CURRENT, RESULT, BASE, PHASE, SCHEDULER_SP, SERVE, TASK_SP = 0, 1, 2, 3, 4, 5, 8  # SERVE: the address of the function that tasks call
REQUESTS, REQUEST_WORDS = 32, 4
SCHEDULER_WORDS = 128
STATE_WORDS = 1 << 21
_SYMBOL = "pfnstorm_state"

#: compiled an array at the address of a symbol; interpreted a list, since Python's integers are what kernels compute in
STATE = None


class Interpreter(ABC):
    """How interpreted tasks are started and switched. The engine sets `interpreter`; while it is None there is no scheduler."""

    @abstractmethod
    def start(self, task):
        """Make a task ready to run from its beginning."""

    @abstractmethod
    def resume(self, task):
        """Run a task until its next request; called by the scheduler."""

    @abstractmethod
    def serve(self):
        """Whether the scheduler answers the request of the current task immediately; called by the task."""

    @abstractmethod
    def suspend(self):
        """Go back to the scheduler; called by a task."""


interpreter = None


def operation(kind, order, name):
    """The operation word of a request: kind, ordering, width, field."""
    return kind | order << ORDER_SHIFT | FIELDS[name][1] // 8 << BYTES_SHIFT | FIELD_NUMBER[name] << FIELD_SHIFT


def is_scheduled(field):
    """Whether accesses to a field (a FieldType) are points."""
    return FIELD_NAMES[_BY_PLACE[field.slot, field.offset]] not in UNSCHEDULED


def field_name(field):
    """The name of a FieldType's field."""
    return FIELD_NAMES[_BY_PLACE[field.slot, field.offset]]


def field_address(base, name, index):
    """The address of an element of a field."""
    slot, _, stride, offset = FIELDS[name]
    return base + ARRAY_START[slot] + offset + index * stride


def ask(op, address, first, second):
    """Interpreted: one request, and its answer."""
    at = REQUESTS + REQUEST_WORDS * STATE[CURRENT]
    STATE[at : at + REQUEST_WORDS] = (op, address, first, second)
    if not interpreter.serve():
        interpreter.suspend()
    return STATE[RESULT]


def schedules():
    """Whether a scheduler answers requests now (interpreted kernels also run without one)."""
    return interpreter is not None


# ---------------------------------------------------------------------------------------------------------- compiled side

_I64 = ir.IntType(64)
# The registers that a call may change; the switch itself saves the others on the stack that it leaves.
_CLOBBERED = "rax rcx rdi r8 r9 r10 r11 memory cc dirflag fpsr flags".split() + [f"xmm{k}" for k in range(16)]
_CLOBBERED_AVX512 = [f"xmm{k}" for k in range(16, 32)] + [f"k{k}" for k in range(8)]
_KEPT = ("rbx", "rbp", "r12", "r13", "r14", "r15")
# The 128 bytes below the stack pointer may be LLVM's (the red zone). Operands are outputs too: the other stack changes those registers.
# Inline, not a function: the processor predicts the target of `ret` from earlier calls, and after a switch that is wrong.
_SWITCH = "; ".join([
    "leaq -128(%rsp), %rsp", *(f"pushq %{register}" for register in _KEPT), "leaq 1f(%rip), %rax", "pushq %rax", "movq %rsp, (%rsi)",
    "movq (%rdx), %rsp", "popq %rax", "jmpq *%rax", "1:", *(f"popq %{register}" for register in reversed(_KEPT)), "leaq 128(%rsp), %rsp",
])  # fmt: skip


def _state_word(builder, index):
    """The address of a word of STATE, by number or by value."""
    state = builder.module.globals.get(_SYMBOL)
    if state is None:
        state = ir.GlobalVariable(builder.module, ir.ArrayType(_I64, STATE_WORDS), _SYMBOL)
    return builder.gep(state, [_I64(0), _I64(index) if isinstance(index, int) else index])


class StateWords(np.ndarray):
    """STATE, as Python sees it when kernels are compiled."""

    __numba_array_subtype_dispatch__ = True


class StateType(types.Type):
    """STATE as a parameter of the compiled scheduler: it is at a symbol, so the value is empty and costs nothing to pass.

    An array would be seven parameters of every kernel that is not inlined, with a check for negative indices.
    """

    def __init__(self):
        super().__init__("State")


state_type = StateType()
register_model(StateType)(models.OpaqueModel)


@typeof_impl.register(StateWords)
def _typeof_state(value, context):
    return state_type


@unbox(StateType)
def _unbox_state(typ, obj, c):
    return NativeValue(c.context.get_dummy_value())


@infer_global(operator.getitem)
class _GetWord(AbstractTemplate):
    def generic(self, args, kws):
        if isinstance(args[0], StateType) and isinstance(args[1], types.Integer):
            return signature(types.int64, args[0], types.int64)


@infer_global(operator.setitem)
class _SetWord(AbstractTemplate):
    def generic(self, args, kws):
        if isinstance(args[0], StateType) and isinstance(args[1], types.Integer):
            return signature(types.none, args[0], types.int64, types.int64)


@lower_builtin(operator.getitem, StateType, types.Integer)
def _lower_get_word(context, builder, sig, args):
    return builder.load(_state_word(builder, args[1]))


@lower_builtin(operator.setitem, StateType, types.Integer, types.Integer)
def _lower_set_word(context, builder, sig, args):
    builder.store(args[2], _state_word(builder, args[1]))
    return context.get_dummy_value()


def _emit_switch(builder, save, load):
    """Save the stack pointer in one word, continue on the stack that another word points to."""
    kind = ir.FunctionType(ir.LiteralStructType([_I64, _I64]), [_I64, _I64])
    clobbered = _CLOBBERED + (_CLOBBERED_AVX512 if llvm.get_host_cpu_features().get("avx512f") else [])
    constraints = "={rsi},={rdx},0,1" + "".join(f",~{{{register}}}" for register in clobbered)
    builder.call(ir.InlineAsm(kind, _SWITCH, constraints, side_effect=True), [builder.ptrtoint(save, _I64), builder.ptrtoint(load, _I64)])


def _function(module, name, nr_parameters, body):
    """A function of this name in a module, never inlined: code around a call keeps its registers, and is short."""
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(_I64, [_I64] * nr_parameters), name)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block())
    builder.ret(body(builder, *function.args))
    return function


def _point_body(builder, op, address, first, second):
    task = builder.load(_state_word(builder, CURRENT))
    at = builder.add(builder.mul(task, _I64(REQUEST_WORDS)), _I64(REQUESTS))
    for k, value in enumerate((op, address, first, second)):
        builder.store(value, _state_word(builder, builder.add(at, _I64(k))))
    serve = builder.inttoptr(builder.load(_state_word(builder, SERVE)), ir.FunctionType(_I64, []).as_pointer())
    with builder.if_then(builder.icmp_signed("==", builder.call(serve, []), _I64(0))):
        _emit_switch(builder, _state_word(builder, builder.add(task, _I64(TASK_SP))), _state_word(builder, SCHEDULER_SP))
    return builder.load(_state_word(builder, RESULT))


def emit_request(builder, op, address, *operands):
    """Code that asks and waits for the answer, an i64."""
    values = [op if isinstance(op, ir.Value) else _I64(op), address, *operands]
    values += [_I64(0)] * (4 - len(values))
    return builder.call(_function(builder.module, "pfnstorm_point", 4, _point_body), values)


def emit_access(builder, field, address, kind, order, *operands):
    """Code that asks for an access to an element of a field; the answer is the word seen, widened."""
    op = operation(kind, order, field_name(field))
    return emit_request(builder, op, builder.ptrtoint(address, _I64), *operands)


def _lower_resume(context, builder, sig, args):
    _emit_switch(builder, _state_word(builder, SCHEDULER_SP), _state_word(builder, builder.add(args[0], _I64(TASK_SP))))
    return context.get_dummy_value()


_BITS = {1: 8, 4: 32, 8: 64}


def _by_width(builder, width, make):
    """Code for each width that a field can have; `make(bits)` may give a value, and the values are merged."""
    found = []
    end = builder.append_basic_block()
    default = builder.append_basic_block()
    switch = builder.switch(width, default)
    for size, bits in _BITS.items():
        block = default if size == 8 else builder.append_basic_block()
        if size != 8:
            switch.add_case(_I64(size), block)
        builder.position_at_end(block)
        found.append((make(bits), builder.block))
        builder.branch(end)
    builder.position_at_end(end)
    merged = builder.phi(_I64)
    for value, block in found:
        merged.add_incoming(value, block)
    return merged


def _load_body(builder, address, width):
    def make(bits):
        value = builder.load(builder.inttoptr(address, ir.IntType(bits).as_pointer()))
        return value if bits == 64 else builder.sext(value, _I64)

    return _by_width(builder, width, make)


def _store_body(builder, address, width, value):
    def make(bits):
        narrow = value if bits == 64 else builder.trunc(value, ir.IntType(bits))
        builder.store(narrow, builder.inttoptr(address, ir.IntType(bits).as_pointer()))
        return _I64(0)

    return _by_width(builder, width, make)


def _lower_start(context, builder, sig, args):
    task, code, stack_top = args
    top = builder.sub(stack_top, _I64(64))  # as after a call: 8 below a multiple of 16, once the address is popped
    builder.store(code, builder.inttoptr(top, _I64.as_pointer()))
    builder.store(top, _state_word(builder, builder.add(task, _I64(TASK_SP))))
    return context.get_dummy_value()


_CTYPES = {1: ctypes.c_int8, 4: ctypes.c_int32, 8: ctypes.c_int64}

if flavour.INTERPRETED:

    def start(task, code, stack_top):
        """Make a task ready to run from its beginning."""
        interpreter.start(task)

    def resume(task):
        """Run a task until its next request."""
        interpreter.resume(task)

    def load_word(address, width):
        """The word of 1, 4 or 8 bytes at an address, for the scheduler."""
        return _CTYPES[width].from_address(address).value

    def store_word(address, width, value):
        """Write a word of 1, 4 or 8 bytes, for the scheduler."""
        _CTYPES[width].from_address(address).value = value

else:

    @intrinsic
    def start(typing, task, code, stack_top):
        """Make a task ready to run from its beginning: the switch to it pops the address of its code."""
        return types.void(types.int64, types.int64, types.int64), _lower_start

    @intrinsic
    def resume(typing, task):
        """Run a task until its next request."""
        return types.void(types.int64), _lower_resume

    @intrinsic
    def load_word(typing, address, width):
        """The word of 1, 4 or 8 bytes at an address, for the scheduler."""
        return types.int64(types.int64, types.int64), lambda c, b, s, a: _load_body(b, *a)

    @intrinsic
    def store_word(typing, address, width, value):
        """Write a word of 1, 4 or 8 bytes, for the scheduler."""
        return types.int64(types.int64, types.int64, types.int64), lambda c, b, s, a: _store_body(b, *a)


@intrinsic
def shared_state(typing):
    """STATE, for the functions that tasks call."""
    return state_type(), lambda c, b, s, a: c.get_dummy_value()


@intrinsic
def shared_word(typing, index):
    """A word of STATE, for a task that begins."""
    return types.int64(types.int64), lambda c, b, s, a: b.load(_state_word(b, a[0]))


if flavour.INTERPRETED:
    request = ask
else:

    @intrinsic
    def request(typing, op, address, first, second):
        """One request, and its answer."""
        return types.int64(types.int64, types.int64, types.int64, types.int64), lambda c, b, s, a: emit_request(b, *a)


def provide_state():
    """Make STATE: before any compiled task is loaded, since the code refers to it by name.

    Raises      UnsupportedHost on a processor without an implementation of the stack switch
    """
    global STATE
    if STATE is not None:
        return STATE
    if flavour.INTERPRETED:
        STATE = [0] * STATE_WORDS
        return STATE
    if platform.machine() != "x86_64":
        raise flavour.UnsupportedHost(
            f"compiled exploration switches stacks in x86-64 assembly, this is {platform.machine()}: "
            "set NUMBA_DISABLE_JIT=1 to explore interpreted"
        )
    llvm.initialize_native_asmparser()
    STATE = np.zeros(STATE_WORDS, np.int64).view(StateWords)
    llvm.add_symbol(_SYMBOL, STATE.ctypes.data)
    return STATE
