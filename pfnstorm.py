"""The way in: makes sure that `kernels` and `stress` are ours, then hands over to stress.cli.

Both names are common words, and a package of that name earlier on the path (PYTHONPATH, site-packages) would be imported in
place of ours. That cannot be said from inside the package that is hidden, so this one file stands outside of both.
"""

import importlib.util
import signal
import sys
from pathlib import Path

EXIT_USAGE = 2


def shadowed_by(root: Path) -> str | None:
    """What hides our `kernels` or `stress`: the name and file of a foreign package, or None."""
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
    # until the command can say that it was interrupted, an interrupt ends the process without a traceback of its imports
    heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heeded:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from stress.cli import main as command

    if heeded:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    command()
