"""The process of one net in a woven copy, seen from the command: one line is a request, one line is its answer."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stress.errors import HostError
from stress.mutate.messages import DetectRequest, MutantRequest


class Server:
    """`python -m stress.mutate.nets WORDS` in a session of its own. It ends when this process ends."""

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

    def ask(self, request: MutantRequest | DetectRequest) -> None:
        """Send one request. If the process has ended, read_answer() reports why."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(asdict(request)) + "\n")
            self._process.stdin.flush()

    def fileno(self) -> int:
        """For select(): readable when there is an answer."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def read_answer(self) -> dict[str, Any]:
        """The next answer; waits for it.

        Raises      HostError if the process has ended
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            said = [each for each in self._log.read_text(errors="replace").splitlines() if each.strip()]
            raise HostError(f"{' '.join(self.words)}: its process ended: {said[-1] if said else 'without a message'}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def stop(self) -> None:
        """Kill it and the processes that it has forked."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
