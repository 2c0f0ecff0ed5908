"""How numba compiles kernels here: an inner kernel is only typed and lowered; an entry links each kernel below it once.

Left to itself numba optimises and emits every function, and again in every caller. With these two compilers an entry collects the
unoptimised modules of all kernels that it reaches, optimises once and emits once, so compile time is linear in their number.

Models      numba.core.codegen.JITCodeLibrary, numba.core.compiler.CompilerBase (numba 0.68)
"""

import llvmlite.binding as llvm
from numba.core import codegen, compiler, types
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.core.imputils import lower_constant
from numba.core.registry import CPUDispatcher
from numba.core.typed_passes import NopythonTypeInference
from numba.extending import models, register_model

ATTRIBUTES: dict = {}  # function -> LLVM attributes, where the optimiser's own choice is a bad one


class _NoEnvironment:
    """A code generator that drops Python environments: inner kernels never raise, so no code reads them."""

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
        # no other module can call them now: LLVM inlines a function with one caller and drops one with none
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
        state.library.attributes = ATTRIBUTES.get(state.func_id.func, ())
        return False


@register_pass(mutates_CFG=False, analysis_only=False)
class _UseEntryLibrary(_UseInnerLibrary):
    _name = "pfnstorm_entry_library"
    kind = _EntryLibrary


class InnerCompiler(compiler.CompilerBase):
    library_pass = _UseInnerLibrary

    def define_pipelines(self):
        manager = compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)
        manager.add_pass_after(self.library_pass, NopythonTypeInference)
        manager.finalize()
        return [manager]


class EntryCompiler(InnerCompiler):
    library_pass = _UseEntryLibrary


class _KernelType(types.Dispatcher):
    """The numba type of a kernel as a value: the type identifies the kernel, so the value is null and can be cached."""


register_model(_KernelType)(models.OpaqueModel)


@lower_constant(_KernelType)
def _lower_kernel(context, builder, typ, value):
    return context.get_constant_null(typ)


class KernelDispatcher(CPUDispatcher):
    """A kernel as numba sees it: a type of its own, and one specialisation for all constants it is called with."""

    @property
    def _numba_type_(self):
        return _KernelType(self)

    def get_call_template(self, args, kws):
        return super().get_call_template([types.unliteral(arg) for arg in args], kws)
