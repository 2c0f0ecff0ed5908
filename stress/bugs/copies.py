"""Copies of the project with a seeded bug in each: built and stormed by child processes, with kernels and results of their own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stress.bugs.patches import PatchError, apply_patch
from stress.bugs.story import SeededBug, Story, scenario_text
from stress.errors import HostError
from stress.process.child import die_with

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT_S = 60.0  # what a storm may take beyond its seconds: to start, to load its kernels, to end
_COPIED = ("kernels", "stress", "pfnstorm.py")
_TICK_S = 0.05
_STOP_LIMIT_S = 5.0
#: where the copy's bug() is made to ignore the codes that a story silences
_BUG_FILE, _BUG_FIRST_LINE = "kernels/base/bug.py", "    slot = fetch_add_seq_cst(mem.bug_count, 0, 1)\n"


class Child:
    """A subprocess in a session of its own, with its messages in a file. It ends when this process ends."""

    def __init__(self, copy: "Copy", words: Sequence[str], log: str) -> None:
        self.log = copy.folder / log
        supervisor_pid = os.getpid()
        with self.log.open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "stress", *words],
                cwd=copy.folder,
                env=copy.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=lambda: die_with(supervisor_pid),  # noqa: PLW1509  # there are no threads here
            )

    @property
    def status(self) -> int | None:
        return self._process.poll()

    def last_line(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "no message"

    def wait(self, limit_s: float) -> int | None:
        """The exit status, or None after so many seconds."""
        deadline = time.monotonic() + limit_s
        while self.status is None and time.monotonic() < deadline:
            time.sleep(_TICK_S)
        return self.status

    def stop(self) -> None:
        if self.status is None:
            self._process.terminate()
            if self.wait(_STOP_LIMIT_S) is None:
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


class Copy:
    """The project in a new folder, with the bug's patch applied if it has one; its build is running.

    Raises      PatchError
    """

    def __init__(self, folder: Path, bug: SeededBug) -> None:
        self.folder, self.bug = folder, bug
        folder.mkdir()
        for name in _COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, folder / name)
        if bug.patch is not None:
            apply_patch(bug.patch, folder)
        if bug.story.silence:
            silence(folder / _BUG_FILE, bug.story)
        if bug.story.roles:
            (folder / "seeded.toml").write_text(scenario_text(bug.story))
        self.build = Child(self, ["build"], "build.log")

    @property
    def environment(self) -> dict[str, str]:
        own = {
            "PYTHONPATH": str(self.folder),
            "PFNSTORM_CACHE_DIR": str(self.folder / "cache"),
            "PFNSTORM_RESULTS_DIR": str(self.folder / "results"),
            "PFNSTORM_FLAVOUR": self.bug.story.storm.flavour,
        }
        return {**os.environ, **own}

    def storm(self, seconds: float, number: int, *, save: bool) -> dict[str, Any] | None:
        """The result of one storm, from the JSON that every ending writes; None if it did not end.

        Parameters  save: the storm leaves saved_run()
        Raises      HostError
        """
        story, path = self.bug.story, self.folder / f"try-{number}.json"
        storm = story.storm
        shutil.rmtree(self.folder / "results", ignore_errors=True)
        words = ["run", str(self.folder / "seeded.toml") if story.roles else storm.scenario, "--save" if save else "--no-save"]
        words += ["--seconds", f"{seconds:g}", "--workers", str(storm.workers), "--memory", storm.memory]
        words += ["--frame-bytes", str(storm.frame_bytes)]
        words += [word for name, value in story.policy.items() for word in ("--set", f"{name}={value}")]
        words += ["--check", storm.check, "--chaos", f"{storm.chaos:g}", "--json", str(path)]
        child = Child(self, words, f"try-{number}.log")
        try:
            ended = child.wait(seconds + START_LIMIT_S) is not None
        finally:
            child.stop()
        if not ended:
            return None
        if not path.is_file():
            raise HostError(f"{self.bug.name}: the storm could not run: {child.last_line()}")
        return dict(json.loads(path.read_text()))

    def saved_run(self) -> Path:
        """The folder of run.json, and of machine.npz if an invariant broke, of the last storm."""
        (folder,) = (self.folder / "results" / "runs").iterdir()
        return folder


def silence(path: Path, story: Story) -> None:
    """Remove the assertions in the act that a story silences from a copy's bug().

    Raises      PatchError
    """
    from kernels.base.layout import Bug

    text = path.read_text()
    if text.count(_BUG_FIRST_LINE) != 1:
        raise PatchError(f"{path.name}: bug() no longer begins with {_BUG_FIRST_LINE.strip()!r}: update stress/bugs/copies.py")
    codes = " or ".join(f"code == {int(Bug[code])}" for code in story.silence)
    path.write_text(text.replace(_BUG_FIRST_LINE, f"    if {codes}:\n        return\n{_BUG_FIRST_LINE}"))
