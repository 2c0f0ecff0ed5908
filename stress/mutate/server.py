"""The process of one net in a woven copy, as its parent sees it: asked by a line, answered by a line."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from stress.errors import HostError


class Server:
    """`python -m stress.mutate.nets WORDS` in a session of its own; it goes when this process does."""

    def __init__(self, words: Sequence[str], folder: Path) -> None:
        self.words = tuple(words)
        handle, name = tempfile.mkstemp(".log", "server-", folder)
        self._log = Path(name)
        with os.fdopen(handle, "wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "stress.mutate.nets", *words],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(folder), "OPENBLAS_NUM_THREADS": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )

    def ask(self, request: object) -> None:
        """Send one request; one that has gone says why in read_answer()."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()

    def fileno(self) -> int:
        """For select(): readable when there is an answer."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def read_answer(self) -> dict[str, Any]:
        """The answer that is there.

        Raises      HostError if the server has gone
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            said = [each for each in self._log.read_text(errors="replace").splitlines() if each.strip()]
            raise HostError(f"{' '.join(self.words)}: its process has ended: {said[-1] if said else 'it said nothing'}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def stop(self) -> None:
        """End it, and whatever it has forked."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
