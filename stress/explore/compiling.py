"""Compiling the scheduler and models into the disk cache, in parallel, with a line for each that takes long."""

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import TextIO

from numba.core.errors import NumbaError

from kernels.base import flavour, points
from kernels.base.cache import cache_folder, cache_root
from stress.errors import HostError, UserError
from stress.explore.model import Model
from stress.explore.tasks import compiled_task
from stress.machine.host import usable_cores
from stress.process.child import fork_child


def build_models(models: Sequence[Model], out: TextIO) -> None:
    """Compile, or load, the scheduler and every model; print what takes long.

    Raises      HostError if the cache cannot be written; UserError if a model does not compile
    """
    from stress.process.build import build_entries, entries_of

    if flavour.INTERPRETED:
        return
    points.provide_state()
    build_entries(entries_of(["stress.explore.scheduler"]), out)
    _compile_beside([model for model in models if not cache_folder(model.module).exists()], out)
    for number, model in enumerate(models, 1):
        start = time.monotonic()
        try:
            compiled_task(model)
        except NumbaError as error:
            raise UserError(f"model {model.name} does not compile: {error}") from error
        except OSError as error:
            raise HostError(f"cannot write compiled kernels to {cache_root()}: {error}; set PFNSTORM_CACHE_DIR") from error
        if time.monotonic() - start > 1:
            print(f"[{number}/{len(models)}] model {model.name}: compiled in {time.monotonic() - start:.1f} s", file=out, flush=True)


def _compile_beside(models: Sequence[Model], out: TextIO) -> None:
    """Compile models into the disk cache, one process per core. A model that fails is left to the caller, which reports the error."""
    jobs, start = min(len(models), usable_cores()), time.monotonic()
    if jobs < 2:
        return
    print(f"compiling {len(models)} models, once", file=out, flush=True)
    compilers: list[int] = []
    try:
        for job in range(jobs):
            compile_share = partial(_compile, models[job::jobs], out)
            compilers.append(fork_child(compile_share, f"compiler {job}"))  # kept if a fork fails
        for compiler in compilers:
            os.waitpid(compiler, 0)
        compilers.clear()
    finally:
        for compiler in compilers:
            with suppress(ChildProcessError):
                os.kill(compiler, signal.SIGKILL)
                os.waitpid(compiler, 0)
    print(f"compiled {len(models)} models in {time.monotonic() - start:.0f} s", file=out, flush=True)


def _compile(models: Sequence[Model], out: TextIO) -> None:
    for model in models:
        start = time.monotonic()
        with suppress(NumbaError, OSError):  # the parent compiles it again, and reports the error
            compiled_task(model)
            print(f"model {model.name}: compiled in {time.monotonic() - start:.1f} s", file=out, flush=True)
