"""Standard output that may go away: a closed pipe, a full disk, no descriptor at all. The run goes on and keeps its verdict."""

import io
import os
import sys
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
    tough = ToughOutput(sys.stdout if sys.stdout is not None else open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    sys.stdout = tough
    return tough
