"""What `make bench` measures: new commits, and again what is suspected. asv does it; repetitions go to a folder beside its own.

A repetition measures both commits of a comparison, in the reverse order each time, so that a drift of the host favours neither.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from stress.errors import HostError, UserError
from stress.history.asv_files import BenchmarkCell, repeats_folder, repetitions
from stress.history.commits import first_parents, top_folder
from stress.io.reading import checked, read_json

CONFIG = "asv.conf.json"
_CONFIG_WHAT = "a configuration of asv"
_CONFIG: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])
#: keys of the configuration that are paths, and asv's defaults; asv takes them from the folder of the configuration
_PATHS = {"repo": ".", "benchmark_dir": "benchmarks", "env_dir": "env", "html_dir": "html"}
#: asv run has stored its results, but some benchmarks failed
BENCHMARKS_FAILED = 2


def run_asv(words: Sequence[str]) -> int:
    """asv's exit code; it writes to this terminal."""
    sys.stdout.flush()
    return subprocess.run((sys.executable, "-m", "asv", *words), check=False).returncode


def machine_of_host() -> str:
    """How asv calls this machine."""
    from asv.machine import Machine

    name: str = Machine.get_unique_machine_name()
    return name


@dataclass(frozen=True)
class AsvBench:
    """asv on one machine.

    Fields      results: asv's folder
    """

    machine: str
    results: Path

    def prepare(self) -> None:
        """Let asv know the machine: `asv machine --machine NAME` would keep the name alone, and none of the host's facts.

        Raises      HostError if its file cannot be read or written
        """
        from asv.machine import Machine, MachineCollection
        from asv.util import UserError as AsvError

        try:
            MachineCollection.save(self.machine, {**Machine.get_defaults(), "machine": self.machine})
        except (AsvError, OSError) as error:
            raise HostError(f"{MachineCollection.get_machine_file_path()}: {' '.join(str(error).split())}") from error

    def measure(self, commits: Sequence[str], cells: Sequence[BenchmarkCell] = (), *, again: bool = False) -> None:
        """Measure commits in this order.

        Parameters  cells: only these; none: all
                    again: as the next repetition
        Raises      HostError if asv cannot
        """
        with tempfile.TemporaryDirectory(prefix="pfnstorm-asv-") as folder:
            config = self._config(Path(folder), self._next_repetition() if again else self.results)
            hashes = Path(folder) / "commits"
            hashes.write_text("".join(f"{commit}\n" for commit in commits), encoding="utf-8")
            chosen = [word for cell in cells for word in ("--bench", pattern_of(cell))]
            words = ("--config", str(config), "run", "--machine", self.machine, "--no-pull", f"HASHFILE:{hashes}", *chosen)
            if run_asv(words) not in (0, BENCHMARKS_FAILED):
                raise HostError("asv run has failed: its message is above")

    def _next_repetition(self) -> Path:
        found = repetitions(self.results)
        return repeats_folder(self.results) / f"{found[-1][0] + 1 if found else 1:03d}"

    def _config(self, folder: Path, results: Path) -> Path:
        """A configuration that stores results elsewhere."""
        top = Path(top_folder())
        config = checked(_CONFIG, read_json(top / CONFIG, _CONFIG_WHAT), top / CONFIG, _CONFIG_WHAT, "see git log for one that was")
        for key, default in _PATHS.items():
            value = str(config.get(key, default))
            config[key] = value if "://" in value else str((top / value).resolve())
        config["results_dir"] = str(results.resolve())
        path = folder / CONFIG
        path.write_text(json.dumps(config), encoding="utf-8")
        return path


def pattern_of(cell: BenchmarkCell) -> str:
    """What asv's --bench takes for one cell."""
    params = f"({', '.join(cell.params)})" if cell.params else ""
    return f"^{re.escape(cell.benchmark + params)}$"


def new_commits(measured: Sequence[str], most: int | None) -> list[str]:
    """The commits of this branch since the newest measured one, oldest first; HEAD alone if none is measured.

    Parameters  measured: commits that have results; most: only so many of the newest
    """
    branch = first_parents("HEAD")
    known = [at for at, commit in enumerate(branch) if commit in set(measured)]
    found = branch[: known[0]] if known else branch[:1]
    if most is not None:
        if most < 1:
            raise UserError(f"--most {most}: must be at least 1")
        found = found[:most]
    return found[::-1]
