"""A copy of the project with every mutant in its kernels; alive.NUMBER in the environment selects one when a machine is made."""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from stress.errors import HostError
from stress.mutate.alive import ALIVE, NUMBER, REACHED, RECORD, WORD
from stress.mutate.operators import Mutant, mutants_of

ROOT = Path(__file__).resolve().parents[2]
_COPIED = ("kernels", "stress")
#: what every verdict depends on besides the kernels: the explorer, the storms, the checkers, and what a mutant is
_JUDGES = ("explore", "roles", "checkers", "scenarios")
MAKERS = ("alive", "attempt", "explore_net", "nets", "operators", "storm_net", "syntax", "woven")
MODELS = "stress/explore/models"
CAPACITY = 4096  # of the array REACHED
_HEADER = "    header = np.frombuffer(mapped, np.int64, count=len(PARAM))"
#: (file, the text in the project, the text in the copy)
_EDITS = (
    ("kernels/base/layout.py", "PARAMS = (\n", f'PARAMS = (\n    "{WORD}",\n'),
    (
        "kernels/base/layout.py",
        '    _words("header", lambda g: HEADER_WORDS),\n',
        f'    _words("header", lambda g: HEADER_WORDS),\n    _words("{REACHED}", lambda g: {CAPACITY}),\n',
    ),
    ("kernels/base/points.py", '("header", "control",', f'("header", "{REACHED}", "control",'),
    (
        "stress/machine/segment.py",
        f"{_HEADER}\n",
        f'{_HEADER}\n    header[PARAM["{WORD}"]] = int(os.environ.get("{NUMBER}", "0"))\n',
    ),
)
_ALIVE = f'''"""Which number is alive in a woven copy."""

from kernels.base.jit import slow_kernel


@slow_kernel
def {ALIVE}(mem, number):
    """Whether this number is alive. While none is, the numbers that are asked for can be recorded."""
    if mem.{WORD} == {RECORD}:
        mem.{REACHED}[number] = 1
    return mem.{WORD} == number
'''


def make_woven(folder: Path, root: Path = ROOT) -> list[Mutant]:
    """Copy the project into a new folder and weave all mutants into it; returns the mutants.

    Raises      HostError if the sources are not as this file expects them
    """
    copy_project(folder, root)
    mutants, texts = mutants_of(folder)
    if len(mutants) >= CAPACITY:
        raise HostError(f"there are {len(mutants)} mutants: raise CAPACITY in stress/mutate/woven.py")
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    add_word(folder)
    return mutants


def copy_project(folder: Path, root: Path = ROOT) -> None:
    """Copy what nets need into a new folder."""
    folder.mkdir()
    for name in _COPIED:
        shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))


def add_word(folder: Path) -> None:
    """Add to a copy the word that holds the number that is alive, and the kernel that tests it.

    Raises      HostError if the sources are not as this file expects them
    """
    (folder / f"kernels/base/{ALIVE}.py").write_text(_ALIVE, encoding="utf-8")
    for name, old, new in _EDITS:
        text = (folder / name).read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise HostError(f"{name} no longer has {old.strip()!r} once: update stress/mutate/woven.py")
        (folder / name).write_text(text.replace(old, new), encoding="utf-8")


def source_key(root: Path = ROOT) -> str:
    """A hash of the sources that all results depend on: the kernels and what judges them, without the models."""
    folders = [root / "kernels", *(root / "stress" / name for name in _JUDGES)]
    found = [each for folder in folders for each in folder.rglob("*") if each.suffix in (".py", ".toml")]
    found += [root / "stress" / "mutate" / f"{name}.py" for name in MAKERS]
    return _digest(root, (each for each in found if root / MODELS not in each.parents))


def model_key(name: str, root: Path = ROOT) -> str:
    """A hash of the sources that the results of one model depend on besides those: its file, and what models share."""
    return _digest(root, [*(root / MODELS).glob(f"*/{name.replace('-', '_')}.py"), *(root / MODELS).rglob("_*.py")])


def _digest(root: Path, paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
