"""The build of compiled kernels: once, visibly, and before workers are forked; each of them would type the whole call graph otherwise."""

import fcntl
import importlib
import pkgutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from stress.errors import HostError
from stress.io.output import LiveLine
from stress.process import itself

_TERMINAL_INTERVAL_S, _PLAIN_INTERVAL_S = 0.2, 5.0
_PARALLEL_BUILDS = 2  # each compiler needs half a gigabyte


def import_all_entries(packages: Sequence[str]) -> None:
    """Import every module of these packages, so that all entries which they declare are known."""
    for name in packages:
        package = importlib.import_module(name)
        for info in pkgutil.walk_packages(package.__path__, f"{name}."):
            importlib.import_module(info.name)


def build_entries(names: Sequence[str] | None = None, out: TextIO = sys.stderr) -> float:
    """Build entries or load them from the cache; show what takes time.

    Parameters  names: which entries; None: all that are declared
    Returns     the seconds that it took
    Raises      HostError if the cache cannot be written
    """
    from kernels.base import flavour, jit  # late: importing kernels fixes their flavour
    from kernels.base.cache import cache_root

    start = time.monotonic()
    chosen = [entry for name, entry in jit.ENTRIES.items() if names is None or name in names]
    if flavour.INTERPRETED:
        return 0.0
    for number, entry in enumerate(chosen, 1):
        progress = _CompileProgress(f"[{number}/{len(chosen)}] {entry.name} ({flavour.FLAVOUR})", len(jit.KERNELS), out)
        with _build_lock(entry.cache_folder(), out):
            try:
                with progress.counting():
                    entry.build()
            except OSError as error:
                raise HostError(f"cannot write compiled kernels to {cache_root()}: {error}; set PFNSTORM_CACHE_DIR") from error
    return time.monotonic() - start


def entries_of(modules: Sequence[str]) -> list[str]:
    """The names of the entries that these imported modules declare."""
    from kernels.base import jit

    return [name for name in jit.ENTRIES if name.rpartition(".")[0] in modules]


@contextmanager
def _build_lock(folder: Path, out: TextIO) -> Iterator[None]:
    """One build of an entry at a time: a second process waits for the first one's result instead of doing the same work.

    Raises      HostError if the folder cannot be written and has no code; if it has, nothing is built, and there is no lock
    """
    from kernels.base.cache import has_code, require_writable

    try:
        require_writable(folder)
        file = (folder / "build.lock").open("w")
    except OSError as error:
        if has_code(folder):
            yield
            return
        raise HostError(f"cannot write compiled kernels to {folder}: {error.strerror}; set PFNSTORM_CACHE_DIR") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("waiting for another build of the kernels ...", file=out, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


class _CompileProgress:
    """Shows which entry is being compiled and how many kernels are done; silent if the entry comes from the cache."""

    def __init__(self, title: str, nr_kernels: int, out: TextIO) -> None:
        self._title, self._nr_kernels = title, nr_kernels
        self._line = LiveLine(out, every_s=_TERMINAL_INTERVAL_S, plain_every_s=_PLAIN_INTERVAL_S)
        self._start_s = time.monotonic()
        self._nr_begun = self._nr_done = 0

    @contextmanager
    def counting(self) -> Iterator[None]:
        # the same unstable part of numba that kernels/base/jit.py uses and pins
        from numba.core import event

        progress = self

        class Listener(event.Listener):
            def on_start(self, _event: Any) -> None:
                progress._begin()

            def on_end(self, _event: Any) -> None:
                progress._nr_done += 1

        with event.install_listener("numba:compile", Listener()):
            yield
        if self._nr_done:
            self._line.leave(f"{self._title}: {self._nr_done} kernels in {time.monotonic() - self._start_s:.1f} s")

    def _begin(self) -> None:
        self._nr_begun += 1
        if self._nr_begun == 1 or self._line.is_due:
            done = f"{self._nr_done} of at most {self._nr_kernels} kernels" if self._nr_done else "compiling, once"
            self._line.say(f"{self._title}: {done}, {time.monotonic() - self._start_s:.0f} s")


def build_flavours(flavours: Sequence[str]) -> int:
    """Build every entry in each flavour: one process a flavour, two at a time.

    Returns     the first exit code that is not 0, or 0
    """
    waiting, worst = list(flavours), 0
    running: list[subprocess.Popen[bytes]] = []
    try:
        while waiting or running:
            while waiting and len(running) < _PARALLEL_BUILDS:
                environment = itself.environment(PFNSTORM_FLAVOUR=waiting.pop(0), PFNSTORM_BUILD_CHILD="1")
                running.append(subprocess.Popen(itself.command("build"), env=environment))
            status = running.pop(0).wait()
            worst = worst or status
    finally:
        for process in running:
            process.kill()
            process.wait()
    return worst
