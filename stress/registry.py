"""Finding records by scanning: one file, one record. What is dropped into a folder is known to the command, reports and tests."""

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import TypeVar

Record = TypeVar("Record")


class RegistryError(Exception):
    """A file without its record, or with more than one: a mistake in this project, not of its user."""


def scan(package: ModuleType, record_type: type[Record]) -> dict[str, Record]:
    """The record of every module directly in `package`, by module name, in the order of names.

    Modules that begin with an underscore are helpers and are skipped.
    Raises      RegistryError unless each module has exactly one module-level record of `record_type`
    """
    found: dict[str, Record] = {}
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda each: each.name):
        if info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        # by identity, since one record may have two names; imported ones belong to the file that made them
        records = {id(value): value for value in vars(module).values() if isinstance(value, record_type)}
        if len(records) != 1:
            raise RegistryError(f"{module.__name__}: needs exactly one module-level {record_type.__name__}, found {len(records)}")
        found[info.name] = next(iter(records.values()))
    return found


def scan_files(folder: Path, suffix: str) -> dict[str, Path]:
    """The files of one kind in a folder, by stem, in the order of names."""
    return {path.stem: path for path in sorted(folder.glob(f"*{suffix}"))}
