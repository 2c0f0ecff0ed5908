"""This program started again in a process of its own: the same sources, whatever the current folder holds."""

import os
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


def command(*words: str, module: str = "stress") -> list[str]:
    """What starts a module of this project; a package of the same name in the current folder does not hide it."""
    return [sys.executable, "-P", "-m", module, *words]


def environment(**changes: str) -> dict[str, str]:
    """The environment that belongs to command(): this checkout is found first, installed or not."""
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, **changes}
