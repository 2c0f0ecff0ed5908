"""Twins in C of the hot paths: limits.c, compiled with the host's compiler, answers one request after the other."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from stress.errors import HostError

SOURCE = Path(__file__).with_name("limits.c")


class CProgram:
    """The compiled limits.c on two processors. A context manager: at its end the process and its files are gone.

    Raises      HostError if there is no C compiler, or it refuses
    """

    def __init__(self, processors: tuple[int, int]) -> None:
        compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("cc") or shutil.which("clang")
        if compiler is None:
            raise HostError("no C compiler (gcc, cc or clang) was found: install one, or name it in CC")
        self._folder = tempfile.TemporaryDirectory(prefix="pfnstorm-")
        try:
            program = Path(self._folder.name) / "limits"
            words = [*compiler.split(), "-std=gnu11", "-O2", "-march=native", str(SOURCE), "-o", str(program)]
            built = subprocess.run(words, capture_output=True, text=True, check=False)
            if built.returncode:
                raise HostError(f"{compiler} cannot compile {SOURCE.name}: {(built.stderr.splitlines() or ['no message'])[0]}")
            self._process = subprocess.Popen(
                [program, *map(str, processors)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        except OSError as error:
            self._folder.cleanup()
            raise HostError(f"{compiler}: {error.strerror}") from error
        except HostError:
            self._folder.cleanup()
            raise

    def ns(self, name: str, workers: Sequence[int], slice_us: int) -> float:
        """The mean of the workers' ns per operation of one of limits.c's benchmarks.

        Parameters  workers: (0,), (1,) or (0, 1); worker k is pinned to processor k of those given
                    slice_us: own CPU time for which the first one works, after a warm-up of a quarter of it
        Raises      HostError if the program has ended
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(f"{name} {sum(1 << worker for worker in workers)} {slice_us}\n")
            self._process.stdin.flush()
            return float(self._process.stdout.readline())
        except (OSError, ValueError) as error:
            raise HostError(f"limits.c ended while it measured {name}: too little memory?") from error

    def __enter__(self) -> "CProgram":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._process.communicate(timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()
