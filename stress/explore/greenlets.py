"""Interpreted tasks: a greenlet each, switched where compiled ones switch stacks. They also know where in the source each step is."""

import sys
from pathlib import Path
from typing import Any

from kernels.base import points
from kernels.base.atomics import ProcessExit
from kernels.base.points import END, LEAVE, PHASE, REQUEST_WORDS, REQUESTS
from stress.errors import HostError
from stress.explore import serving, state
from stress.explore.model import Model
from stress.explore.tasks import task_body

#: kernel frames from the innermost out: (file under the project, line, function)
Where = tuple[tuple[str, int, str], ...]
_ROOT = Path(__file__).resolve().parents[2]
_PLUMBING = frozenset(str(_ROOT / "kernels" / "base" / name) for name in ("points.py", "memory.py", "atomics.py"))


def where() -> Where:
    """The frames of the interpreted kernel that requests an access."""
    frames, frame = [], sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(str(_ROOT)) and name not in _PLUMBING and name != __file__:
            frames.append((str(Path(name).relative_to(_ROOT)), frame.f_lineno, frame.f_code.co_name))
        frame = frame.f_back  # type: ignore[assignment]
    return tuple(frames)


class GreenletTasks(points.Interpreter):
    """The interpreted tasks of one model.

    passed      per task, the source frames of each of its steps
    refused     the source frames of the request that is out of bounds
    watching    whether frames are recorded
    """

    def __init__(self, mem: Any, model: Model) -> None:
        try:
            import greenlet
        except ModuleNotFoundError as error:
            raise HostError("interpreted exploration needs the package greenlet: pip install greenlet") from error
        self._greenlet = greenlet
        self._scheduler = greenlet.getcurrent()
        self._tasks: dict[int, Any] = {}
        self._pending: dict[int, Where] = {}
        self.passed: dict[int, list[Where]] = {}
        self.refused: Where = ()
        self.watching = False
        self._mem, self._body = mem, task_body(model)

    @property
    def _phase(self) -> int:
        assert points.STATE is not None
        return int(points.STATE[PHASE])

    def _run(self) -> None:
        words = points.STATE
        assert words is not None
        task = words[points.CURRENT]
        try:
            kind, result = END, int(self._body(self._mem, task, words[PHASE]))
        except ProcessExit as leaving:
            kind, result = LEAVE, int(leaving.code or 0)
        at = REQUESTS + REQUEST_WORDS * task
        words[at : at + 3] = (kind, 0, result)
        self.serve()

    def start(self, task: int) -> None:
        self._pending.pop(task, None)
        if self._phase == state.STEPS:  # the check runs as task 0, too, after the steps were recorded
            self.passed[task] = []
        self._tasks[task] = self._greenlet.greenlet(self._run, self._scheduler)

    def resume(self, task: int) -> None:
        if self._phase == state.STEPS and task in self._pending:
            self.passed[task].append(self._pending[task])
        self._tasks[task].switch()

    def serve(self) -> bool:
        words = points.STATE
        assert words is not None
        answered = bool(serving.serve(words))
        if self.watching and words[state.VERDICT] == state.OUT_OF_BOUNDS:
            self.refused = where()
        return answered

    def suspend(self) -> None:
        if self.watching:
            words = points.STATE
            assert words is not None
            self._pending[words[points.CURRENT]] = where()
        self._scheduler.switch()
