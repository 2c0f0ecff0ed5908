"""The disk cache of compiled kernels: a folder for each module of entries, named by everything its code depends on.

numba's own cache notices an edit of the file that declares an entry, but not of the files below it, and it shares code between runs with
and without bounds checks. So the folder's name is a hash of every file of this project that the module imports, of the numba version, the
flavour, the processor and every NUMBA_* variable.
"""

import ast
import hashlib
import os
import platform
import shutil
import sys
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import llvmlite.binding as llvm
import numba
from numba.core.errors import NumbaError

from kernels.base.flavour import FLAVOUR

_ROOT = Path(__file__).resolve().parents[2]
#: a package whose `__init__.py` assigns this finds its modules by scanning, so that importing the package depends on all of them
SCAN_MARK = "SCANNED_PACKAGE"


def cache_root() -> Path:
    """The folder of compiled kernels: PFNSTORM_CACHE_DIR, else the user's cache folder."""
    if chosen := os.environ.get("PFNSTORM_CACHE_DIR"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pfnstorm"


def from_cache(folder: Path, compile_in):
    """Compile, or load from a folder of the disk cache; a damaged folder is emptied and its code compiled again.

    Parameters  compile_in: called with the folder that numba loads from and writes to
    Raises      OSError if the folder cannot be written and has no code
    """
    with _usable(folder) as usable:
        try:
            return compile_in(usable)
        except (NumbaError, OSError):
            raise
        except Exception:  # a truncated or overwritten pickle can raise anything
            if not has_code(usable):
                raise
            shutil.rmtree(usable)
            return compile_in(usable)


@contextmanager
def _usable(folder: Path):
    """The folder itself; if it cannot be written and has code, a copy that exists while the code is loaded.

    numba refuses to load from a folder that it cannot write to.
    """
    try:
        require_writable(folder)
    except OSError:
        if not has_code(folder):
            raise
    else:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="pfnstorm-kernels-", ignore_cleanup_errors=True) as scratch:
        yield Path(shutil.copytree(folder, Path(scratch) / folder.name))


def require_writable(folder: Path) -> None:
    """Make a folder of the cache if there is none; raise OSError if it cannot be written."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):  # permissions do not tell for root, or on a read-only file system
        pass


def has_code(folder: Path) -> bool:
    """Whether a folder of the cache has compiled code."""
    return any(folder.rglob("*.nbi"))


@cache
def _imports(path: Path) -> frozenset[Path]:
    """Files of this project that `path` imports, anywhere in it."""
    found: set[Path] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            found |= set(_module_files(name))
    return frozenset(found)


def _module_files(name: str):
    """The files of a module of this project; none if another project owns the name."""
    base = _ROOT.joinpath(*name.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            yield candidate
    if _is_scanned(base / "__init__.py"):
        yield from sorted(base.rglob("*.py"))


@cache
def _is_scanned(path: Path) -> bool:
    if not path.is_file():
        return False
    assigned = [node.targets[0] for node in ast.parse(path.read_bytes()).body if isinstance(node, ast.Assign)]
    return any(isinstance(target, ast.Name) and target.id == SCAN_MARK for target in assigned)


def import_closure(module: str) -> list[Path]:
    """Every file of this project that a module depends on, itself included, sorted."""
    todo, seen = list(_module_files(module)), set()
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            todo.extend(_imports(path))
    return sorted(seen)


@cache
def cache_key(module: str) -> str:
    """The name of the cache folder of a module's entries."""
    digest = hashlib.sha256()
    for path in import_closure(module):
        digest.update(str(path.relative_to(_ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    facts = [FLAVOUR, numba.__version__, platform.machine(), sys.version.split()[0], llvm.get_host_cpu_name()]
    facts += sorted(f"{name}={value}" for name, value in os.environ.items() if name.startswith("NUMBA_") and name != "NUMBA_CACHE_DIR")
    digest.update("\0".join(facts).encode())
    return f"{FLAVOUR}-{digest.hexdigest()[:20]}"


def cache_folder(module: str) -> Path:
    """The folder of a module's compiled code; it does not exist before the code is compiled."""
    return cache_root() / "kernels" / cache_key(module)


def source_hash() -> str:
    """A short hash over all kernel sources, which results record."""
    digest = hashlib.sha256()
    for path in sorted((_ROOT / "kernels").rglob("*.py")):
        digest.update(str(path.relative_to(_ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
