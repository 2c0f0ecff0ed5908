"""Exit codes, and the errors that end a command with one line. Imports nothing of the project, so that every module may use it."""

from collections.abc import Iterable
from difflib import get_close_matches

EXIT_CLEAN = 0
EXIT_VIOLATED = 1
EXIT_USAGE = 2
EXIT_LOST = 3  # a worker died or stalled
EXIT_HOST = 4
EXIT_VACUOUS = 5
EXIT_INTERNAL = 70  # EX_SOFTWARE of sysexits.h
EXIT_INTERRUPTED = 130

#: verdict of a finished run -> exit code of the command
EXIT_OF_VERDICT = {
    "clean": EXIT_CLEAN,
    "violated": EXIT_VIOLATED,
    "died": EXIT_LOST,
    "stalled": EXIT_LOST,
    "vacuous": EXIT_VACUOUS,
    "interrupted": EXIT_INTERRUPTED,
}


class PfnstormError(Exception):
    """Ends the command with one line on stderr and `exit_code`."""

    exit_code = EXIT_USAGE


class UserError(PfnstormError):
    """Bad usage, scenario or file."""

    exit_code = EXIT_USAGE


class HostError(PfnstormError):
    """The host lacks something: memory, a permission, a supported platform."""

    exit_code = EXIT_HOST


def unknown(what: str, name: str, known: Iterable[str], listing: str = "") -> UserError:
    """The error for an unknown name, with similar names.

    Parameters  listing: the command that shows all names; empty: the error names them all
    """
    names = list(known)
    near = get_close_matches(name, names, n=3)
    said = f"unknown {what} {name!r}"
    if near:
        said += f"; did you mean {' or '.join(near)}?"
    if listing:
        return UserError(f"{said}{'' if near else ';'} `{listing}` shows all")
    return UserError(f"{said}{'' if near else ';'} known: {', '.join(names)}")
