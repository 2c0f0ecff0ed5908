"""What each net said of each mutant, on disk as soon as it is known: results/mutants/<hash of the sources>.jsonl, one line each.

A run that was interrupted continues where it stopped. An edit of the kernels, or of what judges them, begins a new file; an edit of a
model voids the results of that model.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from stress.errors import HostError, UserError
from stress.io.reading import first_mistake, parse_json, read_text
from stress.mutate.operators import Mutant

KILLED, SURVIVED, UNREACHED, UNTRIED = "killed", "survived", "reached by no net", "not tried"


@dataclass(frozen=True)
class Trial:
    """One net's answer about one mutant, by name. `found` None: nothing was found. `sources`: the hash of the net's own sources."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    mutant: str
    net: str
    found: str | None
    by: str
    number: int
    seconds: float
    sources: str = ""


_TRIAL = TypeAdapter(Trial)
_WHAT = "a result of pfnstorm mutate"


class Results:
    """The results file, and what it holds.

    Parameters  sources: by net, as in Trial; results from other sources are ignored
    Raises      HostError, UserError if it cannot be written or read
    """

    def __init__(self, path: Path, sources: Mapping[str, str] | None = None) -> None:
        self.path, self._sources = path, sources or {}
        self.trials: dict[str, dict[str, Trial]] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_file():
                self._read(read_text(path, _WHAT).splitlines(keepends=True))
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise HostError(f"{path}: {error.strerror}; set PFNSTORM_RESULTS_DIR") from error

    def _read(self, lines: list[str]) -> None:
        for number, line in enumerate(lines, 1):
            if not line.endswith("\n"):  # the run was killed while it wrote this line
                self.path.write_text("".join(lines[:-1]), encoding="utf-8")
                return
            try:
                self._note(_TRIAL.validate_python(parse_json(line)))
            except ValidationError as error:
                raise UserError(f"{self.path}:{number}: not {_WHAT}: {first_mistake(error)}; remove the file") from error
            except ValueError as error:
                raise UserError(f"{self.path}:{number}: not {_WHAT}: {error}; remove the file") from error

    def _note(self, trial: Trial) -> None:
        if trial.sources == self._sources.get(trial.net, trial.sources):
            self.trials.setdefault(trial.mutant, {})[trial.net] = trial

    def add(self, trial: Trial) -> None:
        """Record one answer, on disk first."""
        try:
            self._file.write(json.dumps(asdict(trial)) + "\n")
            self._file.flush()
        except OSError as error:
            raise HostError(f"{self.path}: {error.strerror}") from error
        self._note(trial)

    def close(self) -> None:
        self._file.close()

    def tried(self, mutant: Mutant, net: str) -> bool:
        return net in self.trials.get(mutant.name, {})

    def killer(self, mutant: Mutant) -> Trial | None:
        """The first answer with a finding."""
        return next((trial for trial in self.trials.get(mutant.name, {}).values() if trial.found is not None), None)

    def verdict(self, mutant: Mutant, nets: list[str]) -> str:
        """KILLED; SURVIVED if each of these nets tried and found nothing; UNREACHED if there are no nets; else UNTRIED."""
        if self.killer(mutant) is not None:
            return KILLED
        if not nets:
            return UNREACHED
        return SURVIVED if all(self.tried(mutant, net) for net in nets) else UNTRIED
