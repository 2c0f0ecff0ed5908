"""The code that tasks run, compiled: the kernel that every task of a model begins with, and serve(), which tasks call."""

from typing import Any

from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic

from kernels.base import jit, points
from kernels.base.memory import memory_at
from kernels.base.points import END, request, shared_state, shared_word
from kernels.policy.boot import boot_machine
from stress.explore import serving, state
from stress.explore.model import Model


def task_body(model: Model) -> Any:
    """The kernel that every task of a model begins with, whatever the phase."""
    prepare, steps, check = model.prepare, model.steps, model.check

    def body(mem, cpu, phase):  # type: ignore[no-untyped-def]
        """One phase of the model."""
        if phase == state.PREPARE:
            boot_machine(mem)
            return prepare(mem, cpu)
        if phase == state.STEPS:
            return steps(mem, cpu)
        return check(mem, cpu)

    return jit.kernel(body)


def compiled_task(model: Model) -> int:
    """The address of the machine code that every task of a model begins at; compiled once in a process, and in those forked from it."""
    key = (model.name, model.module)
    if key not in _COMPILED:
        _COMPILED[key] = _compile_task(model)
    return _COMPILED[key]


_COMPILED: dict[tuple[str, str], int] = {}


def _compile_task(model: Model) -> int:
    body = task_body(model)

    def task() -> None:
        result = body(memory_at(shared_word(points.BASE)), shared_word(points.CURRENT), shared_word(points.PHASE))  # type: ignore[call-arg]
        request(END, 0, integer(result), 0)

    return jit.task_code(task, model.name, model.module)


def serve_code() -> int:
    """The address of the machine code of serve()."""

    def served():  # type: ignore[no-untyped-def]
        return serving.serve(shared_state())  # type: ignore[call-arg]

    return jit.task_code(served, "serve", serving.__name__, types.int64)


@intrinsic
def integer(_typing: Any, result: Any) -> tuple[Any, Any]:
    """What a kernel of a model returns: an integer on every path, since no caller could handle an exception of a task."""
    if not isinstance(result, types.Integer | types.Boolean):
        raise TypingError(f"prepare, steps and check return an integer on every path, and one of them returns {result}")

    def lower(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return context.cast(builder, args[0], result, types.int64)

    return types.int64(result), lower
