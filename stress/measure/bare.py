"""Programs timed beside bare starts of Python, which are their calibration."""

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from stress.measure.grid import CellSpec
from stress.process import itself

BARE = "import numpy"
PROGRAM_S = 300.0


class Spent(NamedTuple):
    """One program: CPU time of it and its children, and wall time, in ns; what it printed."""

    cpu_ns: float
    wall_ns: float
    printed: str


def run_program(words: Sequence[str], **environment: str) -> Spent:
    """Run a program to its end.

    Raises      RuntimeError if it fails
    """
    before, start_ns = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic_ns()
    done = subprocess.run(words, env=itself.environment(**environment), capture_output=True, text=True, check=False, timeout=PROGRAM_S)
    wall_ns, after = time.monotonic_ns() - start_ns, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{words[-1]}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Spent(1e9 * seconds, wall_ns, done.stdout)


def run_module(module: str, *words: str, **environment: str) -> Spent:
    """Run a module of this project to its end."""
    return run_program(itself.command(*words, module=module), **environment)


def bare_start() -> Spent:
    """A start of Python that imports numpy alone."""
    return run_program([sys.executable, "-I", "-c", BARE], OPENBLAS_NUM_THREADS="1")


def alternate(specs: Sequence[CellSpec], nr_repeats: int, run: Callable[[CellSpec], float], *, wall: bool = False) -> dict[str, Any]:
    """Each cell in turn, again and again, between two bare starts.

    Parameters  run: one measurement of a cell, in ns; wall: whether that is wall time, so that the bare starts have to be
    Returns     what stress.measure.alternation.slices_of() does
    """
    taken: dict[str, Any] = {spec.name: {"slices": [], "counts": {}} for spec in specs}
    bare = bare_start()
    for _ in range(nr_repeats):
        for spec in specs:
            try:
                ns = run(spec)
            except RuntimeError as error:
                taken[spec.name] = {"error": str(error)}
                continue
            after = bare_start()
            mean_ns = (bare.wall_ns + after.wall_ns) / 2 if wall else (bare.cpu_ns + after.cpu_ns) / 2
            bare = after
            if "slices" in taken[spec.name]:
                taken[spec.name]["slices"].append((ns, mean_ns))
    return taken
