"""Standard output that may go away: a closed pipe, a full disk, no descriptor at all. The run goes on and keeps its verdict.

And the line on a terminal that says how far it is.
"""

import io
import os
import shutil
import sys
import time
from typing import Any, TextIO


class ToughOutput:
    """Writes until writing fails, then remembers why and says nothing more. Everything else is the stream's."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        if self.error is None:
            try:
                return self._stream.write(text)
            except OSError as error:
                self._give_up(error)
        return len(text)

    def flush(self) -> None:
        if self.error is None:
            try:
                self._stream.flush()
            except OSError as error:
                self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.error = error
        # what is buffered would fail once more when the interpreter ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


def toughen() -> ToughOutput:
    """Put a ToughOutput in the place of sys.stdout, which is None if the descriptor is closed, as sys.stderr may be.

    What a locale has no letter for is shown as a question mark.
    """
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.stderr = ToughOutput(sys.stderr)
    tough = ToughOutput(sys.stdout if sys.stdout is not None else open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    sys.stdout = tough
    return tough


class LiveLine:
    """One line that is drawn over while something takes long; silent where there is no terminal, or one that cannot."""

    EVERY_S = 0.5

    def __init__(self, out: TextIO) -> None:
        self._out, self._said = out, time.monotonic()
        self._able = out.isatty() and os.environ.get("TERM") != "dumb"
        self._shown = False

    @property
    def is_due(self) -> bool:
        """Whether it is time to say something new."""
        return self._able and time.monotonic() - self._said >= self.EVERY_S

    def say(self, text: str) -> None:
        """Put a text in place of the last one."""
        self._said, self._shown = time.monotonic(), True
        self._out.write(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}")
        self._out.flush()

    def clear(self) -> None:
        """Leave an empty line to whoever writes next."""
        if self._shown:
            self._shown = False
            self._out.write("\r\x1b[K")
            self._out.flush()
