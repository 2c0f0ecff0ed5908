"""Records found by scanning: one file, one record. A file in the folder is known to commands, reports and tests without a list."""

import importlib
import pkgutil
import traceback
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from stress.errors import PfnstormError

Record = TypeVar("Record")


class RegistryError(PfnstormError):
    """A file has no record, has several, or cannot be imported."""


def _place(error: Exception, package: ModuleType) -> str:
    """The innermost file and line within a package that an error comes from."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}"
    folders = tuple(package.__path__)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(folders)]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else package.__name__


def scan(package: ModuleType, record_type: type[Record]) -> dict[str, Record]:
    """The record of every module directly in `package`, by module name, in the order of names.

    Modules whose names begin with an underscore are helpers and are skipped.
    Raises      RegistryError unless each module has exactly one module-level record of `record_type`
    """
    found: dict[str, Record] = {}
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda each: each.name):
        if info.name.startswith("_"):
            continue
        try:
            module = importlib.import_module(f"{package.__name__}.{info.name}")
        except (ModuleNotFoundError, PfnstormError):
            raise
        except Exception as error:
            raise RegistryError(f"{_place(error, package)}: {type(error).__name__}: {' '.join(str(error).split())}") from error
        # by identity, since one record may have two names
        records = {id(value): value for value in vars(module).values() if isinstance(value, record_type)}
        if len(records) != 1:
            raise RegistryError(f"{module.__name__}: needs exactly one module-level {record_type.__name__}, found {len(records)}")
        found[info.name] = next(iter(records.values()))
    return found


def scan_files(folder: Path, suffix: str) -> dict[str, Path]:
    """The files of one kind in a folder, by stem, in the order of names."""
    return {path.stem: path for path in sorted(folder.glob(f"*{suffix}"))}
