"""The decorators: how kernel source becomes running code.

`@kernel` marks a function that other kernels call; `@entry` marks one that Python calls. An entry takes a `Memory` and integers, has
exactly one signature, and is cached on disk (cache.py). flavour.py says what is compiled into it, pipeline.py how.
"""

import inspect
from pathlib import Path

import numba
from numba.core import config, types
from numba.core.caching import FunctionCache
from numba.core.ccallback import CFunc

from kernels.base.cache import cache_folder, from_cache
from kernels.base.flavour import INTERPRETED
from kernels.base.memory import memory_type
from kernels.base.pipeline import ATTRIBUTES, EntryCompiler, InnerCompiler, KernelDispatcher
from kernels.base.points import state_type

_COMMON = {"_nrt": False, "error_model": "numpy", "no_cfunc_wrapper": True}

#: every kernel, in order of declaration; entries by "module.name"
KERNELS: list = []
ENTRIES: dict[str, "Entry"] = {}
_TASK_CODES: list = []
#: the decorators that declare a kernel
DECORATORS = ("kernel", "slow_kernel", "outlined_kernel", "fast_kernel", "entry", "state_entry")


def kernel(function):
    """Declare a function that other kernels call. It never raises, prints or allocates."""
    KERNELS.append(function)
    if INTERPRETED:
        return function
    dispatcher = numba.njit(no_cpython_wrapper=True, pipeline_class=InnerCompiler, **_COMMON)(function)
    dispatcher.__class__ = KernelDispatcher  # njit() offers no way to choose it
    return dispatcher


def slow_kernel(function):
    """Declare a kernel for a rare case: never inlined, so that its callers' fast paths stay short.

    Inlined, bug()'s record puts twenty address computations in front of every loop that may call it.
    """
    ATTRIBUTES[function] = ("noinline", "cold")  # cold: branches to it are laid out as not taken
    return kernel(function)


def outlined_kernel(function):
    """Declare a kernel that is never inlined although it may be called often: a path that would take registers from its caller's others."""
    ATTRIBUTES[function] = ("noinline",)
    return kernel(function)


def fast_kernel(function):
    """Declare a kernel that is always inlined: one of the few paths measured in nanoseconds."""
    ATTRIBUTES[function] = ("alwaysinline",)
    return kernel(function)


class Entry:
    """A kernel that Python calls: `entry(mem, *integers)`, compiled on first use or by `build()`."""

    def __init__(self, function, first=None):
        self.function = function
        self.first = first  # numba's type of the first parameter; None: a Memory
        self.name = f"{function.__module__}.{function.__name__}"
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self.dispatcher = None  # of numba, when it is built

    def cache_folder(self) -> Path:
        """The folder of this entry's compiled code."""
        return cache_folder(self.function.__module__)

    def signature(self):
        arity = len(inspect.signature(self.function).parameters)
        return (self.first or memory_type, *([types.int64] * (arity - 1)))

    def build(self) -> bool:
        """Compile, or load from the disk cache; True if it had to be compiled."""
        if INTERPRETED:
            return False
        if self.dispatcher is None:
            self.dispatcher = from_cache(self.cache_folder(), self._compile)
        return bool(sum(self.dispatcher.stats.cache_misses.values()))

    def _compile(self, folder: Path):
        saved = config.CACHE_DIR
        config.CACHE_DIR = str(folder)
        try:
            dispatcher = numba.njit(cache=True, nogil=True, pipeline_class=EntryCompiler, **_COMMON)(self.function)
        finally:
            config.CACHE_DIR = saved
        dispatcher.compile(self.signature())
        dispatcher.disable_compile()
        return dispatcher

    def __call__(self, mem, *integers):
        if INTERPRETED:
            return self.function(mem, *integers)
        if self.dispatcher is None:
            self.build()
        return self.dispatcher(mem, *integers)


def entry(function) -> Entry:
    """Declare a kernel that Python calls, with a `Memory` first and integers after it."""
    made = Entry(function)
    ENTRIES[made.name] = made
    return made


def state_entry(function) -> Entry:
    """Declare a kernel that Python calls with the scheduler's words (points.STATE) first: the explorer's scheduler."""
    made = Entry(function, state_type)
    ENTRIES[made.name] = made
    return made


class _TaskCache(FunctionCache):
    """The disk cache of task code, keyed by name: the folder's key covers the closure already, and pickles differ between processes."""

    def __init__(self, function, name):
        super().__init__(function)
        self._name = name

    def _index_key(self, sig, codegen):
        return (sig, codegen.magic_tuple(), (self._name, ""))


def task_code(function, name: str, module: str, result=types.void) -> int:
    """Compile, or load from the disk cache, a kernel without parameters that runs on the stack of a task; its address.

    Parameters  name: distinguishes it from others of the same function; module: the module of its kernels, for the cache key
    """

    def compiled(folder: Path):
        options = {name: value for name, value in _COMMON.items() if name != "no_cfunc_wrapper"}
        code = CFunc(function, ((), result), {}, options, pipeline_class=EntryCompiler)
        saved = config.CACHE_DIR
        config.CACHE_DIR = str(folder)
        try:
            code._cache = _TaskCache(function, name)
            code.compile()
        finally:
            config.CACHE_DIR = saved
        return code

    code = from_cache(cache_folder(module), compiled)
    _TASK_CODES.append(code)  # the code must outlive this call
    return code.address
