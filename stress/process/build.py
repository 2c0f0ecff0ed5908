"""Building the kernels once, visibly, before any worker starts: an entry that is new to a process would type its whole graph again."""

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
from stress.process import itself

#: where entries are declared
ENTRY_PACKAGES = ("kernels", "stress.roles")
#: the modules whose entries a storm needs
RUN_MODULES = ("kernels.policy.boot", "stress.roles")
_PLAIN_INTERVAL_S = 5.0
_PARALLEL_BUILDS = 2  # a compiler takes half a gigabyte


def import_all_entries() -> None:
    """Import every module that may declare an entry."""
    for name in ENTRY_PACKAGES:
        package = importlib.import_module(name)
        for info in pkgutil.walk_packages(package.__path__, f"{name}."):
            importlib.import_module(info.name)


def build_entries(names: Sequence[str] | None = None, out: TextIO = sys.stderr) -> float:
    """Build or load entries (all declared ones by default), saying what takes time; returns the seconds that it took.

    Raises      HostError if the cache cannot be written
    """
    from kernels.base import flavour, jit  # late: it fixes the flavour
    from kernels.base.cache import cache_root

    start = time.monotonic()
    chosen = [entry for name, entry in jit.ENTRIES.items() if names is None or name in names]
    if flavour.INTERPRETED:
        return 0.0
    for number, entry in enumerate(chosen, 1):
        progress = _Progress(f"[{number}/{len(chosen)}] {entry.name} ({flavour.FLAVOUR})", len(jit.KERNELS), out)
        with _build_lock(entry.cache_folder(), out):
            try:
                with progress.counting():
                    entry.build()
            except OSError as error:
                raise HostError(f"cannot write compiled kernels to {cache_root()}: {error}; set PFNSTORM_CACHE_DIR") from error
    return time.monotonic() - start


def entries_of(modules: Sequence[str]) -> list[str]:
    """The names of the entries that these modules declare; they must have been imported."""
    from kernels.base import jit

    return [name for name in jit.ENTRIES if name.rpartition(".")[0] in modules]


@contextmanager
def _build_lock(folder: Path, out: TextIO) -> Iterator[None]:
    """One build of the same thing at a time: two would be right, but each would do all the work."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "build.lock").open("w")
    except OSError as error:
        raise HostError(f"cannot write compiled kernels to {folder}: {error.strerror}; set PFNSTORM_CACHE_DIR") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("waiting for another build of the kernels ...", file=out, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


class _Progress:
    """Says which entry is being compiled, and how many kernels it has got through; silent while the cache answers."""

    def __init__(self, title: str, nr_kernels: int, out: TextIO) -> None:
        self._title, self._nr_kernels, self._out = title, nr_kernels, out
        self._start = time.monotonic()
        self._said = 0.0
        self._nr_done = 0

    @contextmanager
    def counting(self) -> Iterator[None]:
        # the same unstable corner of numba that kernels/base/jit.py stands on and pins
        from numba.core import event

        progress = self

        class Listener(event.Listener):
            def on_start(self, _event: Any) -> None:
                progress._tick()

            def on_end(self, _event: Any) -> None:
                progress._nr_done += 1

        with event.install_listener("numba:compile", Listener()):
            yield
        if self._nr_done:
            self._say(f"{self._title}: {self._nr_done} kernels in {time.monotonic() - self._start:.1f} s", last=True)

    def _tick(self) -> None:
        now = time.monotonic()
        if now - self._said >= (0.2 if self._out.isatty() else _PLAIN_INTERVAL_S):
            self._said = now
            done = f"{self._nr_done} of at most {self._nr_kernels} kernels" if self._nr_done else "compiling, once"
            self._say(f"{self._title}: {done}, {now - self._start:.0f} s")

    def _say(self, text: str, *, last: bool = False) -> None:
        if self._out.isatty():
            self._out.write(f"\r\x1b[K{text}" + ("\n" if last else ""))
        else:
            self._out.write(text + "\n")
        self._out.flush()


def build_flavours(flavours: Sequence[str]) -> int:
    """Build every entry in each flavour, each in a process of its own, two at a time; returns the first exit code that is not 0."""
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
