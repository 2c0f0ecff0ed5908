"""Interrupts that Python would lose: an exception raised in a callback or a finalizer is printed and dropped, KeyboardInterrupt too.

LLVM calls back while it loads compiled code, so an interrupt in that half second would otherwise leave the command running.
"""

import signal
import sys
import threading
from typing import Any

_AGAIN_AFTER_S = 0.005  # by then the callback has returned


def resend_lost_interrupts() -> None:
    """Have a KeyboardInterrupt that Python dropped raised again a moment later; all else that it drops is reported as before."""
    report = sys.unraisablehook

    def resend(dropped: Any) -> None:
        if not issubclass(dropped.exc_type, KeyboardInterrupt):
            report(dropped)
            return
        again = threading.Timer(_AGAIN_AFTER_S, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT))
        again.daemon = True
        again.start()

    sys.unraisablehook = resend
