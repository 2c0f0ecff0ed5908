"""`--json FILE`: the path is checked before the work starts, the file is written whole or not at all."""

import json
import os
import re
import sys
import tempfile
from pathlib import Path

from stress.errors import EXIT_CLEAN, EXIT_HOST, UserError
from stress.io.text import shortened

_NAME_BYTES = 255  # NAME_MAX
_STANDARD = ("/dev/stdout", "/dev/stderr")


def check_json_path(path: Path) -> None:
    """Raise UserError unless a file can be written there, so that a mistake does not show only after a long run."""
    if str(path) in ("-", "."):  # Path("") is "."
        raise UserError("--json: give a file; /dev/stdout is one")
    if any(len(os.fsencode(part)) > _NAME_BYTES for part in path.parts):
        raise UserError(f"--json {str(path)[:40]}...: the name is too long")
    try:
        _check_place(path)
    except (OSError, RuntimeError) as error:  # a circle of links, which is the latter before Python 3.13; a name that is too long
        raise UserError(f"--json {shortened(str(path))}: {getattr(error, 'strerror', 'is a circle of links')}") from error


def _check_place(path: Path) -> None:
    if _open_descriptor(path) is not None or (path.exists() and not path.is_file() and not path.is_dir()):
        return
    if not path.resolve().parent.is_dir():
        raise UserError(f"--json {path}: no such folder")
    if path.is_dir() or not path.name:
        raise UserError(f"--json {path}: is a folder")
    if not is_writable(path.resolve().parent):
        raise UserError(f"--json {path}: the folder is not writable")


def is_writable(folder: Path) -> bool:
    """Whether a file can be made in a folder. It is tried: permissions do not tell for root, or on /proc and read-only file systems."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def write_report(path: Path | None, value: object) -> int:
    """Write the report of `--json`. A failure is one line on stderr and no exception, so that the verdict is not lost.

    Parameters  path: None if there was no `--json`
    Returns     EXIT_CLEAN, or EXIT_HOST if the file could not be written
    """
    if path is None:
        return EXIT_CLEAN
    try:
        write_json(path, value)
    except OSError as error:
        print(f"pfnstorm: --json {path}: {error.strerror}", file=sys.stderr)
        return EXIT_HOST
    return EXIT_CLEAN


def write_json(path: Path, value: object) -> None:
    """Write a JSON file whole or not at all; a pipe or a device is written to and not replaced.

    Raises      OSError if it cannot be written
    """
    text = json.dumps(value, indent=1) + "\n"
    if (descriptor := _open_descriptor(path)) is not None:
        sys.stdout.flush()
        with open(os.dup(descriptor), "w", encoding="utf-8") as stream:  # noqa: PTH123  # continues where the stream is
            stream.write(text)
        return
    if path.exists() and not path.is_file():
        path.write_text(text, encoding="utf-8")
        return
    path = path.resolve()  # so that a link stays a link
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _open_descriptor(path: Path) -> int | None:
    """The descriptor behind /dev/stdout and similar paths: opening such a path would truncate the file behind it."""
    absolute = os.path.normpath(path.absolute())
    if absolute in _STANDARD:
        return _STANDARD.index(absolute) + 1
    match = re.fullmatch(r"/(?:dev|proc/self)/fd/(\d{1,6})", absolute)
    return int(match[1]) if match else None
