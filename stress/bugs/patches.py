"""Unified diffs applied strictly: each hunk matches exactly, in exactly one place, or the whole patch is refused.

The seeded bugs are such diffs, as `git diff` writes them, and are applied in folders without git and without patch(1). The lines of a
hunk may have moved, since the kernels around them change. They must not have changed: a bug in code other than its author's proves
nothing.
"""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from stress.errors import UserError

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@")
#: lines of git that carry no text of the file
_PREAMBLE = ("diff ", "index ")


class PatchError(UserError):
    """A patch that cannot be read, or does not fit."""


@dataclass(frozen=True)
class Hunk:
    """The lines of a file that are replaced, and their replacement."""

    at_line: int  # where in the patch it begins, for messages
    start: int  # where the old lines began when the patch was made, from 0
    old: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True)
class FilePatch:
    """The hunks of one file, in order."""

    path: str
    hunks: tuple[Hunk, ...]


def read_patch(path: Path) -> list[FilePatch]:
    """Read a unified diff of existing files.

    Raises      PatchError
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PatchError(f"{path}: {error}") from error
    patches: list[FilePatch] = []
    at = 0
    while at < len(lines):
        if lines[at].startswith("--- ") and lines[at + 1 : at + 2] and lines[at + 1].startswith("+++ "):
            name, at = _target(path, lines[at : at + 2], at), at + 2
            hunks = []
            while at < len(lines) and lines[at].startswith("@@"):
                hunk, at = _read_hunk(path, lines, at)
                hunks.append(hunk)
            patches.append(FilePatch(name, tuple(hunks)))
        elif lines[at].startswith(_PREAMBLE) or not lines[at].strip():
            at += 1
        else:
            raise PatchError(f"{path}:{at + 1}: not a line of a unified diff: {lines[at]!r}")
    if not any(patch.hunks for patch in patches):
        raise PatchError(f"{path}: no hunk in it")
    return patches


def _target(path: Path, header: list[str], at: int) -> str:
    """The file that a pair of --- and +++ lines names: the same on both sides, below a/ and b/, inside the folder."""
    names = [line[4:].split("\t")[0].strip() for line in header]
    old, new = (PurePosixPath(name) for name in names)
    if old.parts[:1] != ("a",) or new.parts[:1] != ("b",) or old.parts[1:] != new.parts[1:] or ".." in new.parts:
        raise PatchError(f"{path}:{at + 1}: must change a file in place (--- a/FILE, +++ b/FILE), not {names[0]}, {names[1]}")
    return str(PurePosixPath(*new.parts[1:]))


def _read_hunk(path: Path, lines: list[str], at: int) -> tuple[Hunk, int]:
    header = _HUNK.match(lines[at])
    if header is None:
        raise PatchError(f"{path}:{at + 1}: not a hunk's header: {lines[at]!r}")
    nr_old, nr_new = (int(count) if count is not None else 1 for count in header.group(2, 3))
    first = at + 1
    old: list[str] = []
    new: list[str] = []
    at += 1
    while at < len(lines) and (len(old) < nr_old or len(new) < nr_new):
        kind, text = lines[at][:1] or " ", lines[at][1:]  # editors strip the blank of an empty context line
        if kind not in " -+":
            break
        if kind != "+":
            old.append(text)
        if kind != "-":
            new.append(text)
        at += 1
    if (len(old), len(new)) != (nr_old, nr_new):
        raise PatchError(f"{path}:{first}: the hunk has {len(old)} old and {len(new)} new lines, its header says {nr_old} and {nr_new}")
    if not old:
        raise PatchError(f"{path}:{first}: the hunk has no old lines, so its place is unknown")
    return Hunk(first, max(0, int(header.group(1)) - 1), tuple(old), tuple(new)), at


def apply_patch(path: Path, root: Path) -> list[str]:
    """Apply the patch at `path` to the files under `root`; returns the files changed. If a hunk does not fit, nothing is written.

    Raises      PatchError
    """
    changed: dict[str, list[str]] = {}
    for patch in read_patch(path):
        if not (root / patch.path).is_file():
            raise PatchError(f"{path}: there is no {patch.path}")
        lines = changed.setdefault(patch.path, (root / patch.path).read_text(encoding="utf-8").splitlines())
        drift = 0
        for hunk in patch.hunks:
            place = _place(path, patch.path, lines, hunk, drift)
            lines[place : place + len(hunk.old)] = hunk.new
            drift = place - hunk.start + len(hunk.new) - len(hunk.old)
    for name, lines in changed.items():
        (root / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return list(changed)


def _place(path: Path, name: str, lines: list[str], hunk: Hunk, drift: int) -> int:
    """Where the old lines are: at the place that the patch names, or at the only other place."""
    size = len(hunk.old)

    def fits(place: int) -> bool:
        return tuple(lines[place : place + size]) == hunk.old

    if fits(hunk.start + drift):
        return hunk.start + drift
    places = [place for place in range(len(lines) - size + 1) if fits(place)]
    if len(places) == 1:
        return places[0]
    if places:
        found = ", ".join(str(place + 1) for place in places)
        raise PatchError(f"{path}:{hunk.at_line}: the hunk fits {name} in several places, at lines {found}: give it more context")
    missing = next((line for line in hunk.old if line not in lines), None)
    why = "its lines are no longer consecutive" if missing is None else f"this line is missing: {missing.strip()!r}"
    raise PatchError(f"{path}:{hunk.at_line}: the hunk does not fit {name}: {why}; make the patch again")
