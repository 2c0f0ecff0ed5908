"""What `pfnstorm bugs` leaves in results/bugs/: the evidence of each bug that a net caught, and when the unchanged kernels were clean."""

import hashlib
import json
import shutil
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from stress.bugs.copies import ROOT
from stress.bugs.story import SeededBug
from stress.errors import UserError
from stress.io.json_report import write_json
from stress.io.reading import read_json
from stress.run.report import render
from stress.run.store import runs_folder

REMEMBERED_S = 3600.0
_CONTROLS = "controls.json"
#: what the verdict of a storm of the unchanged kernels depends on
_SOURCES = ("kernels", *(f"stress/{name}" for name in ("bugs", "checkers", "machine", "process", "roles", "run", "scenarios", "storm")))


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class _Storm(_Part):
    """One storm of the unchanged kernels, as bugs.command.Try has it."""

    verdict: str
    nets: list[str]
    invariants: list[str]
    seconds: float
    as_expected: bool
    reason: str


class _Record(_Part):
    """When the unchanged kernels were clean, in seconds since 1970, and the storms that showed it."""

    at: float
    tries: list[_Storm] = Field(min_length=1)


_RECORDS = TypeAdapter(dict[str, _Record])


def bugs_folder() -> Path:
    """The folder of all evidence, beside the runs."""
    return runs_folder().parent / "bugs"


def keep_evidence(name: str, saved: Path) -> Path:
    """Replace the evidence of a bug by that of one run: run.json, report.txt, and machine.npz if the run saved its machine.

    Parameters  saved: the folder that the run has written
    Returns     the folder
    Raises      OSError if it cannot be written; what was there before is then still whole
    """
    folder = bugs_folder() / name.replace(" ", "-")
    staged = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    try:
        result = json.loads((saved / "run.json").read_text())
        del result["config"]["command"]  # it would storm the kernels without the bug
        write_json(staged / "run.json", result)
        (staged / "report.txt").write_text(render(result) + "\n")
        if (saved / "machine.npz").is_file():
            shutil.copyfile(saved / "machine.npz", staged / "machine.npz")
        shutil.rmtree(folder, ignore_errors=True)
        staged.rename(folder)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return folder


# ------------------------------------------------------------------------------------------------------ the unchanged kernels


def control_key(control: SeededBug, tries: int, seconds: float, root: Path = ROOT) -> str:
    """A hash of the sources of the kernels and of what storms and judges them, and of how they are stormed."""
    story = control.story
    way = [story.storm.model_dump(), story.roles, story.policy, tries, seconds]
    digest = hashlib.sha256(json.dumps(way).encode())
    for path in sorted(path for folder in _SOURCES for path in (root / folder).rglob("*") if path.suffix in (".py", ".toml")):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def remember_control(key: str, tries: list[dict[str, Any]]) -> None:
    """Record that the unchanged kernels were clean just now; records older than an hour are dropped.

    Raises      OSError
    """
    kept = {old: record.model_dump() for old, record in _read_records().items() if _age_s(record) is not None}
    bugs_folder().mkdir(parents=True, exist_ok=True)
    write_json(bugs_folder() / _CONTROLS, kept | {key: {"at": time.time(), "tries": tries}})


def recall_control(key: str) -> tuple[float, list[dict[str, Any]]] | None:
    """How many seconds ago the unchanged kernels were clean, and their storms; None if that was not within the last hour."""
    record = _read_records().get(key)
    age_s = None if record is None else _age_s(record)
    return None if record is None or age_s is None else (age_s, record.model_dump()["tries"])


def _age_s(record: _Record) -> float | None:
    """None if the record is not of the last hour."""
    age_s = time.time() - record.at
    return age_s if 0 <= age_s < REMEMBERED_S else None


def _read_records() -> dict[str, _Record]:
    """All records; none if the file is missing or damaged: then the unchanged kernels are stormed again."""
    try:
        return _RECORDS.validate_python(read_json(bugs_folder() / _CONTROLS, "records of controls"))
    except (UserError, ValidationError):
        return {}
