"""One mutant tried in a forked child: it may crash or never end, and the server must survive that.

The compiled code is loaded once, by the parent.
"""

import json
import os
import resource
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stress.mutate.alive import NUMBER
from stress.process.child import fork_child

OVERDUE, DIED = "overdue", "died"


@dataclass(frozen=True)
class Attempt:
    """How the child ended.

    value       what its work returned, as JSON carries it; None if it returned nothing
    failure     OVERDUE or DIED if it returned nothing, else ""
    detail      how it failed
    """

    value: Any
    failure: str
    detail: str
    seconds: float


def in_child(mutant: int, work: Callable[[], object], limit_s: float, limit_cpu_s: int = resource.RLIM_INFINITY) -> Attempt:
    """Call `work` in a forked process with a mutant alive; the process is killed at a limit of time or of processor time.

    Parameters  work: returns a value that JSON can carry
    """
    start = time.monotonic()
    reading, writing = os.pipe()

    def run() -> None:
        os.close(reading)
        resource.setrlimit(resource.RLIMIT_CPU, (limit_cpu_s, resource.RLIM_INFINITY))
        os.environ[NUMBER] = str(mutant)
        with os.fdopen(writing, "w") as pipe:
            pipe.write(json.dumps(work()))

    child = fork_child(run, f"mutant {mutant}")
    os.close(writing)
    ready, _, _ = select.select([reading], [], [], limit_s)
    if not ready:
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    seconds = time.monotonic() - start
    if text:
        return Attempt(json.loads(text), "", "", seconds)
    if not ready:
        return Attempt(None, OVERDUE, f"did not end within {limit_s:g} s", seconds)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
        return Attempt(None, OVERDUE, f"did not end within {limit_cpu_s} s of processor time", seconds)
    return Attempt(None, DIED, f"wait status {status}", seconds)
