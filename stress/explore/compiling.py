"""Compiling the scheduler and models into the disk cache, and how much work that is."""

import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TextIO

from numba.core.errors import NumbaError

from kernels.base import flavour, points
from kernels.base.cache import cache_folder, cache_root, has_code
from stress.errors import HostError, UserError
from stress.explore import scheduler
from stress.explore.model import Model
from stress.explore.reach import Place, reached_from
from stress.explore.tasks import compiled_task
from stress.machine.host import usable_cores
from stress.process.build import build_entries, entries_of
from stress.process.child import fork_child

#: compiling a kernel takes about so many times as long when a process meets it first, since it infers the types then
_FIRST_TIMES = 5.6
#: compiling the scheduler takes about as long as compiling so many kernels again
_SCHEDULER_WORK = 2200.0


@dataclass(frozen=True)
class CompileWork:
    """What is not in the cache, in units of the time that compiling a kernel again takes. `scheduler` is 0.0 if it is in the cache."""

    scheduler: float
    models: dict[str, float]


def compile_work(models: Sequence[Model], jobs: int) -> CompileWork:
    """The work of compiling what is not in the cache, if each of `jobs` processes takes the next model whenever it has no other."""
    if flavour.INTERPRETED:
        return CompileWork(0.0, {})
    met: list[set[Place]] = [set() for _ in range(jobs)]
    busy = [0.0] * jobs
    work: dict[str, float] = {}
    for model in models:
        if not has_code(cache_folder(model.module)):
            job = busy.index(min(busy))
            kernels = _kernels_of(model)
            work[model.name] = len(kernels) + (_FIRST_TIMES - 1) * len(kernels - met[job])
            met[job] |= kernels
            busy[job] += work[model.name]
    return CompileWork(0.0 if has_code(cache_folder(scheduler.__name__)) else _SCHEDULER_WORK, work)


def _kernels_of(model: Model) -> frozenset[Place]:
    path = Path(str(sys.modules[model.module].__file__))
    return frozenset(place for place in reached_from(path, ("MODEL",)) if place[0].startswith("kernels/"))


def build_scheduler(out: TextIO) -> float:
    """Compile the scheduler, or load it; the seconds that it took.

    Raises      HostError if the cache cannot be written
    """
    points.provide_state()
    return build_entries(entries_of([scheduler.__name__]), out)


def compile_model(model: Model) -> float:
    """Compile a model, or load it; the seconds that it took. Nothing is done if kernels are interpreted.

    Raises      HostError if the cache cannot be written; UserError if the model does not compile
    """
    start = time.monotonic()
    if flavour.INTERPRETED:
        return 0.0
    try:
        compiled_task(model)
    except NumbaError as error:
        raise UserError(f"model {model.name} does not compile: {error}") from error
    except OSError as error:
        raise HostError(f"cannot write compiled kernels to {cache_root()}: {error}; set PFNSTORM_CACHE_DIR") from error
    return time.monotonic() - start


def build_models(models: Sequence[Model], out: TextIO) -> None:
    """Compile, or load, the scheduler and every model; print what takes long.

    Raises      HostError if the cache cannot be written; UserError if a model does not compile
    """
    if flavour.INTERPRETED:
        return
    build_scheduler(out)
    _compile_beside([model for model in models if not has_code(cache_folder(model.module))], out)
    for number, model in enumerate(models, 1):
        seconds = compile_model(model)
        if seconds > 1:
            print(f"[{number}/{len(models)}] model {model.name}: compiled in {seconds:.1f} s", file=out, flush=True)


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
        with suppress(UserError, HostError):  # the parent compiles it again, and reports the error
            print(f"model {model.name}: compiled in {compile_model(model):.1f} s", file=out, flush=True)
