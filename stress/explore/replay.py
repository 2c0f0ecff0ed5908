"""`pfnstorm replay`: a failure that `explore` wrote, replayed in the interpreted engine and printed as a story (story.py)."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from kernels.base import flavour
from stress.errors import EXIT_VIOLATED, UserError
from stress.explore.failure import load_failure
from stress.explore.story import DivergedError, story
from stress.process import itself

INTERPRETED = {"NUMBA_DISABLE_JIT": "1", "PFNSTORM_FLAVOUR": "explored"}


@dataclass(frozen=True)
class ReplayOptions:
    """What a user asked for. `everything`: accesses to private words are shown, too."""

    file: Path
    everything: bool


def execute(options: ReplayOptions) -> int:
    """Replay a failure, in a process of its own unless this one is interpreted; print the story; returns the exit code.

    Raises      UserError if the file is no failure of these kernels, or was edited
    """
    failure = load_failure(options.file)
    if not (flavour.INTERPRETED and flavour.EXPLORED):
        words = itself.command("replay", *(["--all"] if options.everything else []), "--", str(options.file))
        return subprocess.run(words, env=itself.environment(**INTERPRETED), check=False).returncode
    try:
        lines = story(failure, everything=options.everything)
    except DivergedError as error:
        raise UserError(f"{options.file}: {error}: explore again; if the file was not edited, please report this") from error
    print("\n".join(lines), flush=True)
    return EXIT_VIOLATED
