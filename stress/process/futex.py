"""Waiting for a word of shared memory to change, without polling: the futex system call.

Models      futex(2), FUTEX_WAIT and FUTEX_WAKE, not private: the word is shared by processes
"""

import ctypes
import errno
import os
import platform
import time
from typing import Any

from stress.process.child import LIBC

_SYSCALL = {"x86_64": 202, "aarch64": 98}.get(platform.machine())
_FUTEX_WAIT, _FUTEX_WAKE = 0, 1
_NAP_S = 0.01  # on a processor whose system call number is unknown


class _Timespec(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long))


def _call(address: int, operation: int, value: int, timeout: "_Timespec | None" = None) -> int:
    pointer = None if timeout is None else ctypes.byref(timeout)
    done = LIBC.syscall(
        ctypes.c_long(_SYSCALL or 0),
        ctypes.c_void_p(address),
        ctypes.c_int(operation),
        ctypes.c_uint32(value),
        pointer,
        None,
        ctypes.c_int(0),
    )
    return -ctypes.get_errno() if done < 0 else int(done)


def wait_while(word: Any, value: int, timeout_s: float) -> None:
    """Sleep while the low half of a shared 64-bit word has a value; return when it is woken, at the latest after `timeout_s`.

    Parameters  word: an array of one int64, little-endian
    Errors      OSError if the kernel refuses the call
    """
    if _SYSCALL is None:
        time.sleep(min(_NAP_S, timeout_s))
        return
    seconds = int(timeout_s)
    failed = _call(word.ctypes.data, _FUTEX_WAIT, value & 0xFFFFFFFF, _Timespec(seconds, int((timeout_s - seconds) * 1e9)))
    if failed < 0 and -failed not in (errno.EAGAIN, errno.EINTR, errno.ETIMEDOUT):
        raise OSError(-failed, f"futex: {os.strerror(-failed)}")


def wake_all(word: Any) -> None:
    """Wake every process that waits for a word."""
    if _SYSCALL is not None:
        _call(word.ctypes.data, _FUTEX_WAKE, 0x7FFFFFFF)
