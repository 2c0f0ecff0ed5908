"""A copy of the project with every mutant in its kernels, chosen by NUMBER in the environment when a machine is made."""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from stress.errors import HostError
from stress.mutate.nets import NUMBER
from stress.mutate.operators import ALIVE, Mutant, mutants_of

ROOT = Path(__file__).resolve().parents[2]
_COPIED = ("kernels", "stress")
#: what every verdict depends on, beside the kernels: who explores, who storms, who judges, what a mutant is
_JUDGES = ("explore", "roles", "checkers", "scenarios")
_MAKERS = ("nets", "operators", "syntax", "woven")
MODELS = "stress/explore/models"
WORD, REACHED = "mutant", "mutant_reached"  # a parameter, and an array: which numbers were asked for while the word was RECORD
RECORD, CAPACITY = -1, 4096
_HEADER = "    header = np.frombuffer(mapped, np.int64, count=len(PARAM))"
#: (file, what stands there, what takes its place)
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
    """Whether this number is alive; while nobody is, numbers that are asked for can be recorded."""
    if mem.{WORD} == {RECORD}:
        mem.{REACHED}[number] = 1
    return mem.{WORD} == number
'''


def make_woven(folder: Path, root: Path = ROOT) -> list[Mutant]:
    """Copy the project into a new folder and weave all mutants in; returns them.

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
    """Give a copy the word that says which number is alive, and the kernel that asks for it.

    Raises      HostError if the sources are not as this file expects them
    """
    (folder / f"kernels/base/{ALIVE}.py").write_text(_ALIVE, encoding="utf-8")
    for name, old, new in _EDITS:
        text = (folder / name).read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise HostError(f"{name} no longer has {old.strip()!r} once: bring stress/mutate/woven.py up to date")
        (folder / name).write_text(text.replace(old, new), encoding="utf-8")


def source_key(root: Path = ROOT) -> str:
    """What all results belong to: the kernels, and whoever judges them, but for the models."""
    folders = [root / "kernels", *(root / "stress" / name for name in _JUDGES)]
    found = [each for folder in folders for each in folder.rglob("*") if each.suffix in (".py", ".toml")]
    found += [root / "stress" / "mutate" / f"{name}.py" for name in _MAKERS]
    return _digest(root, (each for each in found if root / MODELS not in each.parents))


def model_key(name: str, root: Path = ROOT) -> str:
    """What the results of one model belong to, beside that: its file, and what models share."""
    return _digest(root, [*(root / MODELS).glob(f"*/{name.replace('-', '_')}.py"), *(root / MODELS).rglob("_*.py")])


def _digest(root: Path, paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
