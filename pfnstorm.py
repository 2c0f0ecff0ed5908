"""The entry point: checks that `kernels` and `stress` are the packages beside this file, then calls stress.cli.

Both names are common words. A package of the same name earlier on the path (PYTHONPATH, site-packages) would be imported instead,
and the hidden package could not report that. So this module is outside of both.
"""

import importlib.util
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

EXIT_USAGE, EXIT_INTERRUPTED = 2, 130


def shadowed_by(root: Path) -> str | None:
    """Which foreign package hides `kernels` or `stress`, as text; None if neither is hidden."""
    for name in ("kernels", "stress"):
        spec = importlib.util.find_spec(name)
        where = None if spec is None else spec.origin
        if where is None or Path(where).resolve() != root / name / "__init__.py":
            return f"package {name!r} is hidden by {where or 'a folder of that name without __init__.py'}"
    return None


def main() -> None:
    """The `pfnstorm` command."""
    root = Path(__file__).resolve().parent
    if hidden := shadowed_by(root):
        print(f"pfnstorm: {hidden}, not the one of {root}; remove it or change PYTHONPATH", file=sys.stderr)
        sys.exit(EXIT_USAGE)
    # until the command can report an interrupt itself, one ends the process without a traceback of its imports
    ours = [number for number in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(number) is not signal.SIG_IGN]
    before = [signal.signal(number, _interrupted) for number in ours]
    from stress.cli import main as command

    for number, handler in zip(ours, before, strict=True):
        signal.signal(number, handler)
    command()


def _interrupted(_number: int, _frame: FrameType | None) -> NoReturn:
    os.write(2, b"pfnstorm: interrupted\n")
    os._exit(EXIT_INTERRUPTED)


if __name__ == "__main__":
    main()
