"""The order of commits, and what the user calls them: git's answers.

Order is the repository's topology, not dates: a rebased commit keeps its old date.
"""

import subprocess
from collections.abc import Iterable

from stress.errors import HostError, UserError
from stress.io.text import one_line, shortened

_TIMEOUT_S = 120
_NOT_A_REPOSITORY = "not a git repository"


def _git(*words: str, given: str | None = None) -> str:
    """What git says.

    Raises      HostError without git; UserError outside of a repository, or with git's first line
    """
    try:
        done = subprocess.run(
            ("git", *words), capture_output=True, text=True, errors="replace", check=False, input=given, timeout=_TIMEOUT_S
        )
    except OSError as error:
        raise HostError(f"git is needed for the order of commits: {error.strerror}") from error
    except ValueError as error:  # a null byte in an argument
        raise UserError(f"git: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise HostError(f"git {words[0]} did not end within {_TIMEOUT_S} s") from error
    if done.returncode:
        if _NOT_A_REPOSITORY in done.stderr:
            raise UserError("the current folder is not in a git repository, which has the order of commits")
        raise UserError(f"git {words[0]}: {shortened(one_line(done.stderr), 200)}")
    return done.stdout


def commit_of(revision: str) -> str:
    """The full hash of a revision.

    Raises      UserError
    """
    if not revision.strip() or revision.startswith("-"):
        raise UserError(f"{shortened(revision)!r} is no revision")
    try:
        return _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").strip()
    except UserError as error:
        if "current folder" in str(error):
            raise
        raise UserError(f"{one_line(shortened(revision))!r} is no commit of this repository") from error


def known_commits(commits: Iterable[str]) -> set[str]:
    """Those commits that this repository has."""
    wanted = sorted(set(commits))
    said = _git("cat-file", "--batch-check=%(objectname) %(objecttype)", given="".join(f"{each}\n" for each in wanted))
    return {line.split()[0] for line in said.splitlines() if line.endswith(" commit")}


def in_order(commits: Iterable[str]) -> list[str]:
    """Commits that this repository has, each after all its ancestors."""
    wanted = set(commits)
    if not wanted:
        return []
    listed = _git("rev-list", "--topo-order", "--reverse", "--stdin", given="".join(f"{each}\n" for each in sorted(wanted)))
    return [each for each in listed.split() if each in wanted]


def ancestors(revision: str) -> list[str]:
    """The commit of a revision and all its ancestors, newest first."""
    return _git("rev-list", "--topo-order", commit_of(revision)).split()


def first_parents(revision: str) -> list[str]:
    """The commits of a branch, newest first, as asv counts them."""
    return _git("rev-list", "--first-parent", commit_of(revision)).split()


def subjects(commits: Iterable[str]) -> dict[str, str]:
    """The first line of each commit's message."""
    wanted = sorted(set(commits))
    if not wanted:
        return {}
    lines = _git("log", "--no-walk=unsorted", "--format=%H %s", "--stdin", given="".join(f"{each}\n" for each in wanted)).splitlines()
    return {commit: subject for commit, _, subject in (line.partition(" ") for line in lines)}


def top_folder() -> str:
    """The root of the repository."""
    return _git("rev-parse", "--show-toplevel").strip()
