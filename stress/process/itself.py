"""This program started again in another process, from the same sources, whatever the current folder contains."""

import os
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


def command(*words: str, module: str = "stress") -> list[str]:
    """The command that starts a module of this project; a package of the same name in the current folder does not hide it."""
    return [sys.executable, "-P", "-m", module, *words]


def environment(**changes: str) -> dict[str, str]:
    """The environment for command(): this checkout comes first on the path, installed or not."""
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, **changes}
