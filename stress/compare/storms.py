"""A scenario stormed under each value of a policy: the same seeds, short rounds in random order, a new machine for each."""

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stress.compare.turns import in_turn
from stress.errors import EXIT_CLEAN, EXIT_VACUOUS, PfnstormError, UserError
from stress.measure.ratio import Figure, in_order
from stress.process import itself
from stress.process.scratch import scratch_folder

FIRST_SEED = 1
SHORTEST_S = 2.0  # a storm starts with free memory and cold caches: a shorter one measures mostly how it fills the machine


class StormFailedError(PfnstormError):
    """A storm of a comparison did not end clean: its measurements are invalid."""


@dataclass(frozen=True)
class ComparedStorm:
    """One storm of a comparison. `memory` None: the scenario's."""

    scenario: str
    seconds: float
    workers: int
    memory: str | None

    def check(self, policies: Mapping[str, str]) -> None:
        """Raise now what would end a storm before it begins, instead of after minutes of measuring.

        Raises      UserError, HostError
        """
        from stress.run import command as run

        settings = tuple(f"{name}={value}" for name, value in policies.items())
        words = (self.scenario, self.seconds, self.workers, None, self.memory, None, FIRST_SEED, "none", settings, 0.0)
        run.prepare(run.RunOptions(*words, trace=None, snapshot=None, json=None, save=False))


def storm(which: ComparedStorm, seed: int, policies: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """Run one storm in a separate process; its result.

    Raises      UserError, StormFailedError
    """
    path = folder / "result.json"
    path.unlink(missing_ok=True)
    words = ["run", which.scenario, "--seconds", f"{which.seconds:g}", "--workers", str(which.workers), "--seed", str(seed)]
    words += ["--check", "none", "--no-save", *(["--memory", which.memory] if which.memory else [])]
    words += [word for name, value in policies.items() for word in ("--set", f"{name}={value}")]
    words += ["--json", str(path)]
    done = subprocess.run(itself.command(*words), env=itself.environment(), capture_output=True, text=True, check=False)
    if done.returncode in (EXIT_CLEAN, EXIT_VACUOUS) and path.is_file():
        return dict(json.loads(path.read_text()))
    said = (done.stderr.strip().splitlines() or ["no message"])[-1]
    if done.returncode == UserError.exit_code:
        raise UserError(said.removeprefix("pfnstorm: "))
    raise StormFailedError(f"{which.scenario} with {policies}, seed {seed}, ended with {done.returncode}: {said}")


def _measured(result: dict[str, Any]) -> dict[tuple[str, str, bool], float]:
    """(name, unit, more is better) -> figure."""
    seconds = result["seconds"]
    figures = {(f"role {name}", "ops/s", True): role["operations"] / seconds for name, role in result["roles"].items()}
    vmstat, speculation = result["vmstat"], result["speculation"]
    figures["frames migrated", "1/s", True] = vmstat.get("pgmigrate_success", 0) / seconds
    # NUMA balancing migrates folio by folio under every policy, and its failures would hide the rest
    ranges = [row for reason, row in result["migration"].items() if reason != "numa_misplaced"]
    migrated, failed = sum(row["migrated"] for row in ranges), sum(row["failed"] for row in ranges)
    figures["frames migrated out of ranges", "1/s", True] = migrated / seconds
    figures["frames given up per frame migrated out of ranges", "", False] = failed / max(1, migrated)
    figures["speculative references that failed", "%", False] = 100 * speculation["failed_on_zero"] / max(1, speculation["tried"])
    for name, each in result["ranges"].items():
        if each["tried"]:
            figures[f"{name} succeeded", "%", True] = 100 * each["succeeded"] / each["tried"]
            figures[f"{name}, time to one, p50", "us", False] = each["ns"]["p50"] / 1000
    for lock, counts in result["contention"].items():
        if isinstance(counts, dict) and counts.get("acquisitions"):
            figures[f"{lock} lock contended", "%", False] = 100 * counts["contended"] / counts["acquisitions"]
    return figures


def figures(values: Mapping[str, dict[str, str]], which: ComparedStorm, nr_rounds: int, tick: Callable[[str], None]) -> list[Figure]:
    """The throughput of the roles and the success of migration, under each value.

    Parameters  values: the name of each value, and the policies that it sets
    """
    names = tuple(values)
    taken: dict[tuple[str, str, bool], dict[str, list[float]]] = {}
    with scratch_folder("pfnstorm-compare-") as folder:
        for number in range(nr_rounds):
            for value in in_turn(names):
                tick(f"{which.scenario}, {value}, round {number + 1} of {nr_rounds}")
                result = storm(which, FIRST_SEED + number, values[value], folder)
                for key, figure in _measured(result).items():
                    taken.setdefault(key, {}).setdefault(value, []).append(figure)
    whole = {key: rounds for key, rounds in taken.items() if all(len(each) == nr_rounds for each in rounds.values())}
    return [Figure(f"{which.scenario}: {name}", unit, in_order(rounds, names), better) for (name, unit, better), rounds in whole.items()]
