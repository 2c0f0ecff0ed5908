"""Which kernel calls: a number for each kernel, which the compiler passes to a callee that asks for it.

A record of a broken invariant has to name the kernel that found it. A kernel has no name once it is compiled and inlined, so the number
of the calling kernel is put in where the call is lowered, which costs its callers nothing.
"""

import re
import sys
import zlib

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kernels.base.flavour import INTERPRETED
from kernels.base.memory import memory_type

_IDENTIFIER = re.compile(r"(\d+)")


def site_number(kernel_name: str) -> int:
    """The number of a kernel by its dotted name, such as "kernels.alloc.buddy.free_one_page"."""
    return zlib.crc32(kernel_name.encode())


def kernel_name(symbol: str) -> str:
    """The dotted name of a kernel by its symbol: numba mangles as C++ does, _ZN, then each part after its length."""
    parts, at = [], len("_ZN")
    while match := _IDENTIFIER.match(symbol, at):
        at = match.end() + int(match[1])
        parts.append(symbol[match.end() : at])
    return ".".join(parts)


def with_site(callee, nr_integers):
    """The kernel `callee(mem, *integers, site)` as callers see it: without `site`, which is the number of the kernel that calls.

    Parameters  nr_integers: of its parameters between mem and site
    """
    if INTERPRETED:

        def call(*args):
            frame = sys._getframe(1)
            callee(*args, site_number(f"{frame.f_globals['__name__']}.{frame.f_code.co_name}"))

        return call

    parameters = (memory_type, *([types.int64] * nr_integers))
    kind = callee._numba_type_

    def lower(context, builder, signature, args):
        number = ir.Constant(ir.IntType(64), site_number(kernel_name(builder.function.name)))
        function = context.get_function(kind, kind.get_call_type(context.typing_context, (*parameters, types.int64), {}))
        function(builder, (*args, number))
        return context.get_dummy_value()

    def typed(typing, *args):
        kind.get_call_type(typing, (*parameters, types.int64), {})  # compiles it
        return types.void(*parameters), lower

    # numba reads the parameters' names and number
    names = ", ".join(["mem", *(f"a{k}" for k in range(nr_integers))])
    scope = {"typed": typed}
    exec(f"def call(typing, {names}): return typed(typing, {names})", scope)
    return intrinsic(scope["call"])
