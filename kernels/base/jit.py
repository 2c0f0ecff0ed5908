"""How kernel source becomes running code: two decorators, one flavour, one cache.

`@kernel` marks a function that other kernels call; `@entry` marks one that Python calls. Inner kernels are only typed and
lowered; the entry links each of them once, optimises once and emits once, so that compiling stays linear in their number.
An entry takes a `Memory` and integers, has exactly one signature, and is cached on disk under a key that changes with any
file it imports, with numba, the flavour, the processor and every NUMBA_* variable.

Flavours (environment variable PFNSTORM_FLAVOUR, read once):
  fast      nothing but the protocols
  checked   plus the shadow owner words and chaos points
  bounds    checked, plus a bounds check on every access, atomics included
  explored  the shadow owner words, and each access asks a scheduler (points.py); for stress/explore alone
With NUMBA_DISABLE_JIT=1 the same source is interpreted, in any flavour.

This file and memory.py lean on numba.core, which is not a stable interface (and stress/build.py on its compile events, for
progress); the supported range of versions is pinned here and a version outside of it is refused.
"""

import ast
import hashlib
import inspect
import os
import platform
import shutil
import sys
from functools import cache
from pathlib import Path

import llvmlite.binding as llvm
import numba
from numba.core import codegen, compiler, config, types
from numba.core.caching import FunctionCache
from numba.core.ccallback import CFunc
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.core.errors import NumbaError
from numba.core.imputils import lower_constant
from numba.core.registry import CPUDispatcher
from numba.core.typed_passes import NopythonTypeInference
from numba.extending import models, register_model

NUMBA_MIN, NUMBA_END = (0, 68), (0, 69)
FLAVOURS = ("fast", "checked", "bounds", "explored")


class UnsupportedHost(RuntimeError):
    """This host (architecture, numba version) cannot run the kernels."""


class UnknownFlavour(ValueError):
    """PFNSTORM_FLAVOUR names none of FLAVOURS."""


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2])


if not NUMBA_MIN <= _version(numba.__version__) < NUMBA_END:
    raise UnsupportedHost(
        f"numba {numba.__version__} is outside the supported range "
        f"{'.'.join(map(str, NUMBA_MIN))} <= version < {'.'.join(map(str, NUMBA_END))}; run `make install`"
    )

FLAVOUR = os.environ.get("PFNSTORM_FLAVOUR", "fast")
if FLAVOUR not in FLAVOURS:
    raise UnknownFlavour(f"PFNSTORM_FLAVOUR={FLAVOUR!r} is not one of {', '.join(FLAVOURS)}")
INTERPRETED = bool(config.DISABLE_JIT)
CHECKED = FLAVOUR != "fast"
BOUNDS = FLAVOUR == "bounds"
EXPLORED = FLAVOUR == "explored"
CHAOS = CHECKED and not EXPLORED  # a scheduler widens windows by itself
if EXPLORED:  # the loops of a scheduler are over two or three tasks
    config.LOOP_VECTORIZE = config.SLP_VECTORIZE = 0

_ROOT = Path(__file__).resolve().parents[2]


def cache_root() -> Path:
    """The folder of compiled kernels: PFNSTORM_CACHE_DIR, else the user's cache folder."""
    if chosen := os.environ.get("PFNSTORM_CACHE_DIR"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pfnstorm"


# ---------------------------------------------------------------------------------------------------------------- pipeline


class _NoEnvironment:
    """A code generator that drops Python environments: inner kernels never raise, so nothing reads them."""

    def __init__(self, real):
        self._real = real

    def __getattr__(self, name):
        return getattr(self._real, name)

    def set_env(self, name, env):
        pass


class _InnerLibrary(codegen.JITCodeLibrary):
    """The code of one inner kernel: an unoptimised LLVM module, never emitted on its own."""

    @property
    def codegen(self):
        return _NoEnvironment(self._codegen)

    attributes: tuple[str, ...] = ()  # LLVM's, set by the pipeline for fast and slow kernels

    def finalize(self):
        self._finalized = True
        for library in self._linking_libraries:
            self._reload_init.update(library._reload_init)

    def get_pointer_to_function(self, name):
        self._ensure_finalized()
        return 0

    def _get_module_for_linking(self):
        if self._shared_module is None:
            self._finalized = True
            module = self._final_module.clone()
            for function in module.functions:
                if not function.is_declaration and function.linkage == llvm.Linkage.external:
                    function.linkage = "linkonce_odr"
                    for attribute in self.attributes:
                        function.add_function_attribute(attribute)
            self._shared_module = module
        return self._shared_module

    def serialize_using_object_code(self):
        raise RuntimeError("an inner kernel has no object code of its own; declare an @entry")


class _EntryLibrary(codegen.JITCodeLibrary):
    """The code of one entry: links every kernel below it exactly once."""

    def finalize(self):
        seen, todo, order = set(), list(self._linking_libraries), []
        while todo:
            library = todo.pop()
            if library in seen:
                continue
            seen.add(library)
            order.append(library)
            if isinstance(library, _InnerLibrary):
                todo.extend(library._linking_libraries)
        self._linking_libraries = order
        super().finalize()

    def _optimize_final_module(self):
        # nobody else can call them now: LLVM inlines what has one caller and drops what has none
        for function in self._final_module.functions:
            if not function.is_declaration and function.linkage == llvm.Linkage.linkonce_odr:
                function.linkage = "internal"
        super()._optimize_final_module()


@register_pass(mutates_CFG=False, analysis_only=False)
class _UseInnerLibrary(FunctionPass):
    _name = "pfnstorm_inner_library"
    kind = _InnerLibrary

    def __init__(self):
        FunctionPass.__init__(self)

    def run_pass(self, state):
        generator = state.targetctx.codegen()
        state.library = self.kind(generator, state.func_id.func_qualname)
        state.library.enable_object_caching()
        state.library.attributes = _ATTRIBUTES.get(state.func_id.func, ())
        return False


@register_pass(mutates_CFG=False, analysis_only=False)
class _UseEntryLibrary(_UseInnerLibrary):
    _name = "pfnstorm_entry_library"
    kind = _EntryLibrary


class _InnerCompiler(compiler.CompilerBase):
    library_pass = _UseInnerLibrary

    def define_pipelines(self):
        manager = compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)
        manager.add_pass_after(self.library_pass, NopythonTypeInference)
        manager.finalize()
        return [manager]


class _EntryCompiler(_InnerCompiler):
    library_pass = _UseEntryLibrary


# -------------------------------------------------------------------------------------------------------------- decorators

_COMMON = {"_nrt": False, "error_model": "numpy", "no_cfunc_wrapper": True}

#: every kernel, in order of declaration; entries by "module.name"
KERNELS: list = []
_ATTRIBUTES: dict = {}  # function -> LLVM attributes, where the optimiser's own choice is a bad one
ENTRIES: dict[str, "Entry"] = {}


class _KernelType(types.Dispatcher):
    """The numba type of a kernel as a value: it says everything, so the value itself is null and can be cached."""


register_model(_KernelType)(models.OpaqueModel)


@lower_constant(_KernelType)
def _lower_kernel(context, builder, typ, value):
    return context.get_constant_null(typ)


class _KernelDispatcher(CPUDispatcher):
    """A kernel as numba sees it: a type of its own, and one specialisation for all constants it is called with."""

    @property
    def _numba_type_(self):
        return _KernelType(self)

    def get_call_template(self, args, kws):
        return super().get_call_template([types.unliteral(arg) for arg in args], kws)


def kernel(function):
    """Declare a function that other kernels call. It never raises, prints or allocates."""
    KERNELS.append(function)
    if INTERPRETED:
        return function
    dispatcher = numba.njit(no_cpython_wrapper=True, pipeline_class=_InnerCompiler, **_COMMON)(function)
    dispatcher.__class__ = _KernelDispatcher  # njit() offers no way to choose it
    return dispatcher


def slow_kernel(function):
    """Declare a kernel for what happens seldom: never inlined, so that its callers' fast paths stay short.

    Inlined, the record that bug() writes puts twenty address computations in front of every loop that may call it.
    """
    _ATTRIBUTES[function] = ("noinline", "cold")  # cold: branches to it are laid out as not taken
    return kernel(function)


def fast_kernel(function):
    """Declare a kernel that is always inlined: one of the few paths that are measured in nanoseconds."""
    _ATTRIBUTES[function] = ("alwaysinline",)
    return kernel(function)


def from_cache(folder: Path, compile_it):
    """Compile, or load from a folder of the disk cache; one that is damaged is emptied, and compiled into anew."""
    try:
        return compile_it()
    except (NumbaError, OSError):
        raise
    except Exception:  # what a pickle that is cut or overwritten raises can be anything
        if not folder.exists():
            raise
        shutil.rmtree(folder)
        return compile_it()


class Entry:
    """A kernel that Python calls: `entry(mem, *integers)`, compiled on first use or by `build()`."""

    def __init__(self, function, first=None):
        self.function = function
        self.first = first  # numba's type of the first parameter; a Memory unless it is said
        self.name = f"{function.__module__}.{function.__name__}"
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self._dispatcher = None

    def cache_folder(self) -> Path:
        """Where the compiled code of this entry's module lies."""
        return cache_folder(self.function.__module__)

    @property
    def dispatcher(self):
        if self._dispatcher is None:
            saved = config.CACHE_DIR
            config.CACHE_DIR = str(self.cache_folder())
            try:
                self._dispatcher = numba.njit(cache=True, nogil=True, pipeline_class=_EntryCompiler, **_COMMON)(self.function)
            finally:
                config.CACHE_DIR = saved
        return self._dispatcher

    def signature(self):
        from kernels.base.memory import memory_type

        arity = len(inspect.signature(self.function).parameters)
        return (self.first or memory_type, *([types.int64] * (arity - 1)))

    def build(self) -> bool:
        """Compile, or load from the disk cache; True if it had to be compiled."""
        if INTERPRETED:
            return False
        if self._dispatcher is None or not self._dispatcher.signatures:
            from_cache(self.cache_folder(), self._compile)
        return bool(sum(self.dispatcher.stats.cache_misses.values()))

    def _compile(self):
        self._dispatcher = None
        self.dispatcher.compile(self.signature())
        self.dispatcher.disable_compile()

    def __call__(self, mem, *integers):
        if INTERPRETED:
            return self.function(mem, *integers)
        if self._dispatcher is None or not self._dispatcher.signatures:
            self.build()
        return self._dispatcher(mem, *integers)


def entry(function) -> Entry:
    """Declare a kernel that Python calls, with a `Memory` first and integers after it."""
    made = Entry(function)
    ENTRIES[made.name] = made
    return made


def state_entry(function) -> Entry:
    """Declare a kernel that Python calls with the scheduler's words (points.STATE) first: the explorer's scheduler."""
    from kernels.base.points import state_type

    made = Entry(function, state_type)
    ENTRIES[made.name] = made
    return made


class _TaskCache(FunctionCache):
    """The disk cache of task code by name: what is in a closure is in the key of the folder already, and pickles differ by process."""

    def __init__(self, function, name):
        super().__init__(function)
        self._name = name

    def _index_key(self, sig, codegen):
        return (sig, codegen.magic_tuple(), (self._name, ""))


def task_code(function, name: str, module: str, result=types.void) -> int:
    """Compile, or load from the disk cache, a kernel without parameters that runs on the stack of a task; its address.

    Parameters  name: tells it from others of the same function; module: where its kernels come from, for the key of the cache
    """
    folder = cache_folder(module)

    def compiled():
        options = {name: value for name, value in _COMMON.items() if name != "no_cfunc_wrapper"}
        code = CFunc(function, ((), result), {}, options, pipeline_class=_EntryCompiler)
        code._cache = _TaskCache(function, name)
        code.compile()
        return code

    saved = config.CACHE_DIR
    config.CACHE_DIR = str(folder)
    try:
        code = from_cache(folder, compiled)
    finally:
        config.CACHE_DIR = saved
    _TASK_CODES.append(code)  # its address must outlive this call
    return code.address


_TASK_CODES: list = []

# --------------------------------------------------------------------------------------------------------------- cache key


#: packages whose modules are found by scanning: to import one of these is to stand on all of it
_SCANNED = ("kernels", "stress.roles", "stress.explore.strategies")


@cache
def _imports(path: Path) -> frozenset[Path]:
    """Files of this project that `path` imports, anywhere in it."""
    found: set[Path] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            if name.split(".")[0] in ("kernels", "stress"):
                found |= set(_module_files(name))
    return frozenset(found)


def _module_files(name: str):
    base = _ROOT.joinpath(*name.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            yield candidate
    if (base / "__init__.py").is_file() and name in _SCANNED:
        yield from sorted(base.rglob("*.py"))


def import_closure(module: str) -> list[Path]:
    """Every file of this project that a module stands on, itself included, sorted."""
    todo, seen = list(_module_files(module)), set()
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            todo.extend(_imports(path))
    return sorted(seen)


@cache
def cache_key(module: str) -> str:
    """The name of the cache folder of a module's entries.

    numba's own cache notices an edit of the file that declares an entry, not of the files below it, and it shares code
    between runs with and without bounds checks; so all of that is in the key.
    """
    digest = hashlib.sha256()
    for path in import_closure(module):
        digest.update(str(path.relative_to(_ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    facts = [FLAVOUR, numba.__version__, platform.machine(), sys.version.split()[0], llvm.get_host_cpu_name()]
    facts += sorted(f"{name}={value}" for name, value in os.environ.items() if name.startswith("NUMBA_") and name != "NUMBA_CACHE_DIR")
    digest.update("\0".join(facts).encode())
    return f"{FLAVOUR}-{digest.hexdigest()[:20]}"


def cache_folder(module: str) -> Path:
    """Where the compiled code of a module lies: there is none yet if the folder is not there."""
    return cache_root() / "kernels" / cache_key(module)


def source_hash() -> str:
    """A short hash over all kernel sources: what a result was measured on."""
    digest = hashlib.sha256()
    for path in sorted((_ROOT / "kernels").rglob("*.py")):
        digest.update(str(path.relative_to(_ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
