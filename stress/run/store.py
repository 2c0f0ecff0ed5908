"""What a run leaves on disk: results/runs/<id>/ with run.json, and samples.sqlite with one row for each second and role.

run.json is written at the start with the verdict "running" and replaced at the end: however the run ends, its configuration and
all samples until then are on disk. The supervisor alone writes samples, to SQLite in WAL mode.
"""

import os
import sqlite3
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter

from stress.errors import HostError, UserError
from stress.io.json_report import write_json
from stress.io.reading import checked, is_file, is_folder, read_json
from stress.io.text import one_line, shortened
from stress.run.result import RunResult
from stress.storm.outcome import SCHEMA, Totals

_RESULT = TypeAdapter(RunResult)
_SAMPLES = TypeAdapter(list[tuple[float, str, int, int]], config=ConfigDict(strict=True))

TABLES = """
CREATE TABLE role_samples (seconds REAL NOT NULL, role TEXT NOT NULL, operations INTEGER NOT NULL, failures INTEGER NOT NULL);
CREATE TABLE machine_samples (seconds REAL NOT NULL, free_frames INTEGER NOT NULL, migrated INTEGER NOT NULL,
                              migration_failed INTEGER NOT NULL, parked_seconds REAL NOT NULL, supervisor_rss_bytes INTEGER NOT NULL);
"""


def runs_folder() -> Path:
    """The folder of all runs: in PFNSTORM_RESULTS_DIR, else in results/ of the current folder."""
    return Path(os.environ.get("PFNSTORM_RESULTS_DIR") or "results") / "runs"


def own_rss_bytes() -> int:
    """The resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class RunStore:
    """The folder of one run. Each sample is committed, so that a kill at any moment loses at most the last second."""

    def __init__(self, scenario: str, config: dict[str, Any], host: dict[str, Any]) -> None:
        """Make the folder and write run.json.

        Raises      HostError if results cannot be written
        """
        self._lost_samples = False
        self.run_id = f"{time.strftime('%Y%m%d-%H%M%S')}-{scenario}-{os.getpid()}"
        self.folder = runs_folder() / self.run_id
        try:
            self.folder.mkdir(parents=True)
            write_json(self.folder / "run.json", {"verdict": "running", "config": config, "host": host})
            self._database = sqlite3.connect(self.folder / "samples.sqlite", isolation_level=None)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.executescript(TABLES)
        except (OSError, sqlite3.Error) as error:
            raise HostError(f"cannot write results to {self.folder}: {error}; use --no-save or set PFNSTORM_RESULTS_DIR") from error

    def append(self, elapsed_s: float, parked_s: float, role_names: list[str], totals: Totals) -> None:
        """Keep one sample. A full or missing disk is reported once, and the run continues without samples."""
        if self._lost_samples:
            return
        rows = list(zip([elapsed_s] * len(role_names), role_names, totals.operations, totals.failures, strict=True))
        machine = (elapsed_s, totals.free_frames, totals.migrated, totals.migration_failed, parked_s, own_rss_bytes())
        try:
            self._database.execute("BEGIN")
            self._database.executemany("INSERT INTO role_samples VALUES (?, ?, ?, ?)", rows)
            self._database.execute("INSERT INTO machine_samples VALUES (?, ?, ?, ?, ?, ?)", machine)
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            self._lost_samples = True
            print(f"pfnstorm: no more samples: {self.folder / 'samples.sqlite'}: {error}", file=sys.stderr)

    def finish(self, result: dict[str, Any]) -> None:
        """Close the samples and replace run.json by the whole result.

        Raises      HostError
        """
        try:
            self.close()
            write_json(self.folder / "run.json", result)
        except (OSError, sqlite3.Error) as error:
            raise HostError(f"cannot write results to {self.folder}: {error}") from error

    def close(self) -> None:
        """Close the database, which removes its -wal and -shm files."""
        with suppress(sqlite3.Error):  # on a full disk the samples stay in the -wal file, where SQLite finds them
            self._database.close()


def read_run(text: str) -> dict[str, Any]:
    """The result of a finished run, given by id, "last", its folder, or a JSON file.

    Raises      UserError if there is none, or if it is unfinished, damaged or of another schema
    """
    path = _find_run(text)
    result = read_json(path, "a result")
    if not isinstance(result, dict) or "verdict" not in result:
        raise UserError(f"{path}: not a result of pfnstorm run")
    if result["verdict"] == "running":
        raise UserError(
            f"{path}: this run has no result: it is still running, or its supervisor was killed; its samples are in samples.sqlite"
        )
    if (schema := result.get("schema")) != SCHEMA:
        raise UserError(f"{path}: this result has schema {shortened(repr(schema))}; this version reads {SCHEMA!r}")
    checked(_RESULT, result, path, "a result", "the file was damaged or edited: run again")
    return result


def _find_run(text: str) -> Path:
    if text == "last":
        found = sorted(runs_folder().glob("*/run.json"), key=lambda path: path.stat().st_mtime)
        if not found:
            raise UserError(f"no runs in {runs_folder()}")
        return found[-1]
    for candidate in (Path(text), runs_folder() / text):
        if is_folder(candidate):
            return candidate / "run.json"
        if is_file(candidate):
            return candidate
    raise UserError(f"no run {shortened(text)!r} in {runs_folder()}, and no such file")


def read_samples(folder: Path) -> list[tuple[float, str, int, int]]:
    """(seconds, role, operations, failures) of all samples of a run, in order.

    Raises      UserError if there are none, or if the database is damaged
    """
    path = folder / "samples.sqlite"
    try:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            rows = database.execute("SELECT seconds, role, operations, failures FROM role_samples ORDER BY rowid").fetchall()
        finally:
            database.close()
    except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter for an error whose text quotes a damaged schema
        raise UserError(f"{path}: no samples of pfnstorm run: {shortened(one_line(str(error)), 200)}") from error
    return checked(_SAMPLES, rows, path, "samples of pfnstorm run", "the file was damaged or edited: run again")
