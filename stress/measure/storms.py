"""The group `storms`: short storms as the command runs them, between calibrations of all their processors.

A role's cost is its mean time per operation, without the time in which its worker had no processor: the share of CPU time in the wall
time of all workers. The other figures are no timings: shares and counts of the storms together.
"""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kernels.policy import boot
from stress.machine.host import usable_cpus
from stress.measure import calibration, machines
from stress.measure.bare import run_module
from stress.measure.crew import Crew, TimedCell
from stress.measure.effort import Effort
from stress.measure.grid import CellSpec
from stress.process.build import build_entries

SCENARIO, SECONDS = "storm", 1.5
MEMORY = "64M"
CALIBRATIONS = 4  # slices before and after each storm


def slices_of(specs: list[CellSpec], effort: Effort) -> dict[str, Any]:
    """As stress.measure.alternation.slices_of()."""
    taken: dict[str, Any] = {spec.name: {"slices": [], "counts": {}} for spec in specs}
    build_entries([entry.name for entry in (calibration.list_pair, boot.boot, boot.read_cycles)])
    workers = max(spec.workers for spec in specs)
    mem = machines.calibration_machine(workers)
    cell = TimedCell("calibration", workers, _list_pair, mem, _list_pair, mem)
    settings = list(dict.fromkeys(spec.settings for spec in specs))
    with Crew([cell], usable_cpus()) as crew:
        crew.size(0)
        for number in range(effort.repeats):
            for chosen in settings:
                before = _calibrate(crew)
                result = run_storm(workers, chosen, number)
                calibration_ns = (before + _calibrate(crew)) / 2
                ran = min(1.0, result["cpu_seconds"] / (result["seconds"] * workers))
                for spec in specs:
                    if spec.settings == chosen and spec.operation in result["roles"]:
                        ns = result["roles"][spec.operation]["ns_per_op"]["mean"] * ran
                        taken[spec.name]["slices"].append((ns, calibration_ns))
    return {name: row if row["slices"] else {"error": "the role did nothing"} for name, row in taken.items()}


def figures(effort: Effort) -> dict[str, float]:
    """Shares and counts of some storms under the defaults, by name."""
    workers = len(usable_cpus())
    return dict(shares(_summed([run_storm(workers, (), 100 + number) for number in range(min(3, effort.repeats))])))


def run_storm(workers: int, settings: tuple[tuple[str, str], ...], seed: int) -> dict[str, Any]:
    """The result of one storm.

    Raises      RuntimeError
    """
    with tempfile.TemporaryDirectory(prefix="pfnstorm-") as folder:
        file = Path(folder) / "run.json"
        words = ["run", SCENARIO, "--seconds", f"{SECONDS:g}", "--workers", str(workers), "--memory", MEMORY, "--check", "none"]
        words += ["--frame-bytes", "512", "--seed", str(seed), "--json", str(file)]
        words += [word for name, value in settings for word in ("--set", f"{name}={value}")]
        try:
            run_module("stress", *words, PFNSTORM_FLAVOUR="fast", PFNSTORM_RESULTS_DIR=folder)
        except RuntimeError:
            if not file.exists():  # a vacuous storm is short, not wrong
                raise
        result: dict[str, Any] = json.loads(file.read_text())
    if result["verdict"] not in ("clean", "vacuous"):
        raise RuntimeError(f"storm: {result['verdict']}: {result['reason']}")
    return result


def _list_pair(mem: Any, cpu: int, nr_ops: int) -> int:
    return int(calibration.list_pair(mem, cpu, nr_ops))


def _calibrate(crew: Crew) -> float:
    return float(np.median([crew.slice(0).calibration_ns for _ in range(CALIBRATIONS)]))


def _summed(results: list[dict[str, Any]]) -> dict[str, Any]:
    """The counts of several results added up."""
    first = results[0]
    return {
        "contention": {row: {column: sum(each["contention"][row][column] for each in results) for column in columns}
                       for row, columns in first["contention"].items()},
        "migration": {reason: {column: sum(each["migration"][reason][column] for each in results) for column in ("migrated", "failed")}
                      for reason in first["migration"]},
        "pageblock": {column: sum(each["ranges"]["pageblock"][column] for each in results) for column in ("tried", "succeeded")},
        "flushes": sum(each["vmstat"].get("nr_tlb_remote_flush", 0) for each in results),
        "waited": sum(each["meetings"]["shootdown_waited"]["count"] for each in results),
        "operations": sum(role["operations"] for each in results for role in each["roles"].values()),
    }  # fmt: skip


def shares(sums: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """The figures of a summed result, by name; what did not occur is left out."""
    for name, row in sums["contention"].items():
        if name == "cmpxchg":
            yield "compare-exchange failures per operation", row["failed"] / max(1, sums["operations"])
        elif row["acquisitions"]:
            yield f"lock waiting, {name}", row["contended"] / row["acquisitions"]
    for reason, row in sums["migration"].items():
        if row["migrated"] + row["failed"]:
            yield f"migration failures per frame, {reason}", row["failed"] / (row["migrated"] + row["failed"])
    if sums["pageblock"]["tried"]:
        yield "order-9 failures", 1 - sums["pageblock"]["succeeded"] / sums["pageblock"]["tried"]
    if sums["flushes"]:
        yield "shootdown waits per flush", sums["waited"] / sums["flushes"]
