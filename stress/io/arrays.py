"""Arrays that are read from .npz files. Headers are checked before anything is unpacked: a small file can hold terabytes."""

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from stress.errors import UserError
from stress.io.text import one_line, shortened, size_text

Array = npt.NDArray[Any]

#: what numpy, zipfile and zlib raise for damaged or foreign files
_UNREADABLE = (
    OSError,
    ValueError,
    TypeError,
    EOFError,
    LookupError,
    SyntaxError,
    tokenize.TokenError,  # of a header of version 1 that numpy tries to repair
    RuntimeError,  # of zipfile: an encrypted file, or NotImplementedError for an unknown compression
    MemoryError,
    OverflowError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
_SUFFIX = ".npy"
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_arrays(path: Path, names: Sequence[str], what: str, most_bytes: int) -> dict[str, Array]:
    """Those of the named arrays that a file has, of any kind except Python objects.

    Parameters  what: what the file should be, for the message: "a trace (.npz with ...)"
                most_bytes: of the arrays together
    Raises      UserError, one line, if the file is unreadable, damaged, foreign or larger
    """
    try:
        with zipfile.ZipFile(path) as archive:
            present = set(archive.namelist())
            found = [name for name in names if name + _SUFFIX in present]
            total = sum(_checked_bytes(archive, name) for name in found)
            if total > most_bytes:
                raise ValueError(f"its arrays need {size_text(total)}, and {size_text(most_bytes)} are allowed on this host")
            return {name: _read(archive, name) for name in found}
    except _UNREADABLE as error:
        # the first sentence of numpy's message; the rest is about pickles
        reason = shortened(one_line(str(error).partition(". ")[0]), 200) or type(error).__name__
        raise UserError(f"{path}: not {what}: {reason}") from error


def _checked_bytes(archive: zipfile.ZipFile, name: str) -> int:
    """The bytes of an array's elements.

    Raises      ValueError, or another of _UNREADABLE, unless it has as many bytes as its header says, and no Python objects
    """
    with archive.open(name + _SUFFIX) as member:
        shape, dtype = _header(member)
        header_bytes = member.tell()
    if dtype.hasobject:
        raise ValueError(f"array {name!r} has Python objects")
    nr_bytes = dtype.itemsize
    for length in shape:  # Python's integers do not overflow
        nr_bytes *= length
    if min(shape, default=0) < 0 or nr_bytes != archive.getinfo(name + _SUFFIX).file_size - header_bytes:
        raise ValueError(f"array {name!r} has not as many bytes as its header says")
    return nr_bytes


def _header(member: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(member)
    if version not in _HEADERS:
        raise ValueError(f"an array is of .npy version {'.'.join(map(str, version))}")
    shape, _, dtype = _HEADERS[version](member)
    return shape, dtype


def _read(archive: zipfile.ZipFile, name: str) -> Array:
    with archive.open(name + _SUFFIX) as member:
        array: Array = np.lib.format.read_array(member, allow_pickle=False)
    return array


def require_integers(path: Path, name: str, values: Array) -> None:
    """Raise UserError unless an array is one-dimensional and has integers or truth values."""
    if values.ndim != 1 or values.dtype.kind not in "iub":
        raise UserError(f"{path}: array {name!r} must be one-dimensional integers, is {values.ndim}-dimensional {values.dtype}")
