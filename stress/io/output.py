"""What is written while a command runs: standard streams that may fail without ending it, and the line that says how far it is.

A closed pipe, a full disk or a missing descriptor must not cost a run its verdict.
"""

import io
import os
import shutil
import sys
import time
from typing import Any, TextIO


class ToughOutput:
    """Writes until a write fails, then keeps the error and drops all further text. Every other method is the stream's."""

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
        # buffered text would fail again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


def toughen() -> ToughOutput:
    """Replace sys.stdout and sys.stderr by ToughOutput; Python sets either to None if its descriptor is closed.

    A character that the locale cannot encode is written as a question mark.

    Returns     the new sys.stdout
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


def redraws(out: TextIO) -> bool:
    """Whether a stream is a terminal that can erase what it has shown."""
    return out.isatty() and os.environ.get("TERM", "dumb") != "dumb"


class LiveLine:
    """How far a long command is: one line that is drawn over on a terminal; on any other stream nothing, or a line now and then."""

    EVERY_S = 0.5

    def __init__(self, out: TextIO, *, every_s: float = EVERY_S, plain_every_s: float | None = None) -> None:
        """Parameters: every_s, plain_every_s: seconds between two texts, on a terminal and elsewhere; None: nothing is written."""
        self._out, self._said_s = out, time.monotonic()
        self._redraws = redraws(out)
        self._every_s = every_s if self._redraws else plain_every_s
        self._shown = False

    @property
    def is_due(self) -> bool:
        """Whether it is time for a new text."""
        return self._every_s is not None and time.monotonic() - self._said_s >= self._every_s

    def say(self, text: str) -> None:
        """Put a text in place of the last one, or write it on a new line."""
        self._said_s = time.monotonic()
        if self._redraws:
            self._shown = True
            self._out.write(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}")
        elif self._every_s is not None:
            self._out.write(f"{text}\n")
        self._out.flush()

    def update(self, text: str) -> None:
        """Show a text that rarely changes: immediately on a terminal, elsewhere if a line is due."""
        if self._redraws or self.is_due:
            self.say(text)

    def leave(self, text: str) -> None:
        """Put a last text in place of the line; it stays."""
        self.clear()
        self._out.write(f"{text}\n")
        self._out.flush()

    def clear(self) -> None:
        """Erase the line, so that the next output begins on an empty one."""
        if self._shown:
            self._shown = False
            self._out.write("\r\x1b[K")
            self._out.flush()


class StageLine(LiveLine):
    """The stage that a command has reached, with the command's name and the seconds since its start."""

    def __init__(self, command: str, out: TextIO, *, plain_every_s: float) -> None:
        super().__init__(out, plain_every_s=plain_every_s)
        self._command, self._start_s = command, time.monotonic()

    def __call__(self, stage: str) -> None:
        self.update(f"{self._command}: {time.monotonic() - self._start_s:4.0f} s, {stage}")
