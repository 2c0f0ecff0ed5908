"""The one place that forks. A child ends with its parent, ignores a terminal's signals, and never runs the parent's clean-up."""

import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

#: loaded before any fork, so that a child pays nothing for it
LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1
EXIT_PYTHON_ERROR = 70  # an exception in a child: a bug in pfnstorm
EXIT_ORPHAN = 71


def fork_child(work: Callable[[], object], name: str, *, pin_to: int | None = None, outlives_parent: bool = False) -> int:
    """Fork a process that calls `work` and exits: with 0, with the code of SystemExit, or with EXIT_PYTHON_ERROR and a traceback.

    Parameters  name: what the traceback calls the process
                pin_to: the processor that it runs on
                outlives_parent: it gets its own session instead of ending with its parent
    Returns     its pid, in the parent; the child never returns
    """
    parent_pid = os.getpid()
    pid = os.fork()
    if pid == 0:
        _run_child(work, name, pin_to, None if outlives_parent else parent_pid)
    return pid


def _run_child(work: Callable[[], object], name: str, pin_to: int | None, parent_pid: int | None) -> NoReturn:
    status = EXIT_PYTHON_ERROR
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # a terminal signals the whole group; the parent ends its children
        if parent_pid is None:
            os.setsid()
        else:
            die_with(parent_pid)
        if pin_to is not None:
            os.sched_setaffinity(0, {pin_to})
        work()
        status = 0
    except SystemExit as left:  # interpreted kernels exit this way
        status = left.code if isinstance(left.code, int) else EXIT_PYTHON_ERROR
    except BaseException:  # noqa: BLE001  # the process ends here, and no caller could handle it
        sys.stderr.write(f"{name} (pid {os.getpid()}):\n{traceback.format_exc()}")
        sys.stderr.flush()
    finally:
        os._exit(status)  # without the clean-up that belongs to the parent


def die_with(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent ends, even by kill -9."""
    if LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent_pid:  # it ended before the request
        os._exit(EXIT_ORPHAN)


@contextmanager
def hangup_interrupts() -> Iterator[None]:
    """Within this context a closed terminal interrupts as Ctrl-C does; under nohup the program continues."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGHUP)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
