"""A failure as a file: the model, a hash of the kernels, the schedule, and how it ended. Small, readable, refused on other kernels."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter

from kernels.base.cache import import_closure, source_hash
from kernels.base.layout import Bug
from stress.errors import UserError
from stress.explore.diagnosis import Found
from stress.explore.engine import Engine
from stress.explore.model import Model
from stress.explore.models import known_models
from stress.explore.operations import signature
from stress.explore.strategies import NAMED
from stress.io.json_report import is_writable, write_json
from stress.io.reading import checked, read_json
from stress.io.text import shortened

SCHEMA = "pfnstorm-failure/1"  # changes when a scheduling point moves, since an old schedule would then be another one
_EXPLORE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Failure:
    """One failing schedule. `schedule` has a pair for each step: the choice, and the signature of what it does."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    model: str
    memory: Annotated[str, Field(pattern="^(sc|tso|pso|rmo)$")]
    strategy: str
    seed: Annotated[int, Field(ge=0, strict=True)]
    number: Annotated[int, Field(ge=0, strict=True)]
    kernels: Annotated[str, Field(pattern="^[0-9a-f]{12}$")]
    found: Found
    schedule: tuple[tuple[Annotated[int, Field(ge=0, lt=1 << 31, strict=True)], str], ...]  # empty: it fails before the first step

    @property
    def choices(self) -> list[int]:
        return [chosen for chosen, _ in self.schedule]

    def to_json(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **asdict(self)}


_FAILURE = TypeAdapter(Failure)


def kernels_hash(model: Model) -> str:
    """A hash of what a schedule of a model depends on: all kernels, and the model with what it imports from stress/explore."""
    digest = hashlib.sha256(source_hash().encode())
    for path in import_closure(model.module):
        if path.is_relative_to(_EXPLORE):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def failure_of(engine: Engine, choices: list[int], found: Found, strategy: str, seed: int, number: int) -> Failure:
    """Run a failing schedule once more and write down what it does.

    Raises      AssertionError if it does not fail: the scheduler would not be deterministic
    """
    again = engine.replay(choices, logging=True, judge=found.is_at_rest)
    if again is None:
        raise AssertionError(f"{engine.model.name}: a schedule failed once and not again")
    steps = tuple((step.choice, signature(step.op, step.offset)) for step in engine.steps())
    return Failure(engine.model.name, engine.memory, strategy, seed, number, kernels_hash(engine.model), again, steps)


def check_failures_folder(folder: Path) -> None:
    """Raise UserError unless failures can be written there, before the first one is found."""
    try:
        existing = next(each for each in (folder.resolve(), *folder.resolve().parents) if each.exists())
    except (OSError, RuntimeError) as error:  # a circle of links, which is the latter before Python 3.13; a name that is too long
        raise UserError(f"--failures {shortened(str(folder))}: {getattr(error, 'strerror', 'is a circle of links')}") from error
    if not existing.is_dir():
        raise UserError(f"--failures {folder}: {existing} is not a folder")
    if not is_writable(existing):
        raise UserError(f"--failures {folder}: {existing} is not writable; give another folder")


def save_failure(failure: Failure, path: Path) -> None:
    """Write a failure; its folder is made if there is none.

    Raises      UserError if the file cannot be written
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, failure.to_json())
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error


def load_failure(path: Path) -> Failure:
    """Read a failure, which must have been found on the kernels as they are now.

    Raises      UserError, one line
    """
    stored = read_json(path, "a failure file")
    if not isinstance(stored, dict) or stored.pop("schema", None) != SCHEMA:
        raise UserError(f"{path}: not a failure of this version ({SCHEMA})")
    failure = checked(_FAILURE, stored, path, "a failure file", "explore again")
    if failure.model not in known_models():
        raise UserError(f"{path}: there is no model {shortened(failure.model)!r}")
    if failure.strategy not in NAMED:
        raise UserError(f"{path}: there is no strategy {shortened(failure.strategy)!r}")
    if failure.found.verdict == "bug" and failure.found.code not in Bug.__members__:
        raise UserError(f"{path}: there is no code {shortened(failure.found.code)!r}")
    if failure.kernels != kernels_hash(known_models()[failure.model]):
        raise UserError(f"{path}: the kernels or the model have changed since this failure was found ({failure.kernels}): explore again")
    return failure
