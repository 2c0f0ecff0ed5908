"""How a run can end, and the errors that a user is told in one line. Imports nothing, so that every module may use it."""

EXIT_CLEAN = 0
EXIT_VIOLATED = 1
EXIT_USAGE = 2
EXIT_LOST = 3  # a worker died or stalled
EXIT_HOST = 4
EXIT_VACUOUS = 5
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
    """This host cannot: memory, permission, unsupported platform."""

    exit_code = EXIT_HOST


class InterruptedRunError(PfnstormError):
    """Ctrl-C or SIGTERM before there was anything to report."""

    exit_code = EXIT_INTERRUPTED
