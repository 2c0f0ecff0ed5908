"""The result of a storm as one plain dict: read from the segment's counters, written by --json, rendered by run/report.py."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.base.layout import (
    COUNTER,
    COUNTER_STRIDE,
    HIST_BUCKETS,
    MEETINGS,
    NR_LOCK_CLASSES,
    NR_ROLES_MAX,
    SPECULATION,
    VMSTAT,
    WAITS,
    Cause,
    LockClass,
    Reason,
    Refusal,
)
from stress.storm.fragmentation import free_frames, read_buddyinfo
from stress.storm.latency import percentiles
from stress.storm.supervisor import Ending

FLOOR_WORKERS = 4  # for each processor: the most for which a scenario's floor holds as it is
SCHEMA = "pfnstorm-run/1"


@dataclass(frozen=True)
class Totals:
    """Cheap sums over all CPUs, for a live line or a sample."""

    operations: list[int]  # by role index
    failures: list[int]
    free_frames: int
    migrated: int
    migration_failed: int


def read_totals(mem: Any, nr_roles: int) -> Totals:
    """Sum what the workers have counted so far. They continue to count, so the sums are not of one instant."""
    arrays = mem.arrays
    operations = arrays["role_ops"].reshape(-1, NR_ROLES_MAX).sum(axis=0)
    failures = arrays["role_fails"].reshape(-1, NR_ROLES_MAX).sum(axis=0)
    counters = read_counters(mem)
    return Totals(
        operations=[int(value) for value in operations[:nr_roles]],
        failures=[int(value) for value in failures[:nr_roles]],
        free_frames=free_frames(mem),
        migrated=sum(counters[f"migrated_{reason.name.lower()}"] for reason in Reason),
        migration_failed=sum(counters[f"failed_{reason.name.lower()}"] for reason in Reason),
    )


def read_counters(mem: Any) -> dict[str, int]:
    """Every counter of layout.COUNTERS, summed over the CPUs."""
    sums = mem.arrays["counters"].reshape(-1, COUNTER_STRIDE).sum(axis=0)
    return {name: int(sums[index]) for name, index in COUNTER.items()}


def _roles(mem: Any, names: list[str], seconds: float) -> dict[str, Any]:
    arrays = mem.arrays
    rows = {field: arrays[field].reshape(-1, NR_ROLES_MAX).sum(axis=0) for field in ("role_ops", "role_fails", "role_cycles")}
    histograms = arrays["hist"].reshape(-1, NR_ROLES_MAX, HIST_BUCKETS).sum(axis=0)
    roles = {}
    for index, name in enumerate(names):
        operations = int(rows["role_ops"][index])
        if operations == 0:
            continue
        mean_ns = float(rows["role_cycles"][index]) * 1000 / mem.cycles_per_us / operations
        roles[name] = {
            "operations": operations,
            "failures": int(rows["role_fails"][index]),
            "ops_per_s": operations / seconds if seconds > 0 else 0.0,
            "ns_per_op": {"mean": mean_ns, **percentiles(histograms[index])},
        }
    return roles


def _migration(counters: dict[str, int]) -> dict[str, Any]:
    return {
        reason.name.lower(): {
            "migrated": counters[f"migrated_{reason.name.lower()}"],
            "failed": counters[f"failed_{reason.name.lower()}"],
            "causes": {cause.name.lower(): counters[f"cause_{reason.name.lower()}_{cause.name.lower()}"] for cause in Cause},
        }
        for reason in Reason
    }


def _contention(mem: Any, counters: dict[str, int]) -> dict[str, Any]:
    fields = {"acquisitions": "lock_acquired", "contended": "lock_contended", "spins": "lock_spins"}
    sums = {name: mem.arrays[field].reshape(-1, NR_LOCK_CLASSES).sum(axis=0) for name, field in fields.items()}
    table: dict[str, Any] = {klass.name.lower(): {name: int(values[klass]) for name, values in sums.items()} for klass in LockClass}
    # of reference counts: a speculative get that does not find zero tries once, and once more for each failure; freezes count their own
    tried = counters["cmpxchg_tried"] + counters["spec_tried"] - counters["spec_failed_on_zero"] + counters["cmpxchg_failed"]
    table["cmpxchg"] = {"tried": tried, "failed": counters["cmpxchg_failed"]}
    return table


def least_count(floor_per_minute: float, cpu_seconds: float) -> float:
    """The count below which a meeting is too rare: three standard deviations under what its floor gives in this CPU time.

    A short run, or one on few processors, is not called vacuous for what it had no time to show.
    """
    expected = floor_per_minute * cpu_seconds / 60
    return max(0.0, expected - 3 * math.sqrt(expected))


def effective_floor(floor_per_minute: float, nr_workers: int, nr_processors: int) -> float:
    """The floor on a host with few processors for its workers.

    With more than FLOOR_WORKERS for each processor it falls in proportion: two workers meet while both are in the middle of an operation,
    and one that waits for a processor for a second finds the frames that it had looked at long reused. On a single processor, where
    only preemption makes two workers meet, it is a tenth.
    """
    alone = 0.1 if nr_processors == 1 else 1.0
    return alone * floor_per_minute * min(1.0, FLOOR_WORKERS * nr_processors / max(1, nr_workers))


def _meetings(
    counters: dict[str, int], required: tuple[str, ...], floor_per_minute: float, seconds: float, cpu_seconds: float
) -> dict[str, Any]:
    table = {}
    for name in MEETINGS:
        count = counters[f"met_{name}"]
        per_minute = count * 60 / seconds if seconds > 0 else 0.0
        floor = floor_per_minute if name in required else 0
        table[name] = {
            "count": count,
            "per_minute": per_minute,
            "per_cpu_minute": count * 60 / cpu_seconds if cpu_seconds > 0 else 0.0,
            "floor": floor,
            "required": name in required,
            "met": count >= least_count(floor, cpu_seconds),
        }
    return table


def _ranges(mem: Any, counters: dict[str, int]) -> dict[str, Any]:
    """Attempts on whole ranges (contiguous ones, memory blocks, single pageblocks): successes, causes of failure, durations."""
    histograms = mem.arrays["waits"].reshape(-1, len(WAITS), HIST_BUCKETS).sum(axis=0)
    ranges: dict[str, Any] = {}
    for index, name in enumerate(WAITS):
        succeeded = counters[f"{name}_succeeded"]
        tried = counters.get(f"{name}_tried", succeeded)
        ranges[name] = {"tried": tried, "succeeded": succeeded, "ns": percentiles(histograms[index])}
        if f"{name}_failed_{Refusal.ISOLATED.name.lower()}" in counters:
            ranges[name]["failed"] = {each.name.lower(): counters[f"{name}_failed_{each.name.lower()}"] for each in Refusal}
    ranges["contig"] |= {
        "pageblocks": int(mem.contig_blocks),
        "ranges": counters["contig_ranges"],
        "refused": {each.name.lower(): counters[f"contig_refused_{each.name.lower()}"] for each in Refusal},
    }
    ranges["offline"]["pageblocks"] = int(mem.memory_block_blocks)
    return ranges


def judge(ending: Ending, meetings: dict[str, Any]) -> tuple[str, str]:
    """The verdict, and the reason in one line."""
    loss = ending.loss
    if ending.verdict == "violated":
        first = ending.violations[0]
        more = f" (and {len(ending.violations) - 1} more)" if len(ending.violations) > 1 else ""
        return "violated", f"{first.invariant} broke, found by {first.checker}: pfn {first.pfn}, {first.message}{more}"
    if loss is not None:
        return ending.verdict, loss.summary()
    if ending.verdict == "interrupted":
        return "interrupted", f"interrupted after {ending.seconds:.1f} s; no invariant broke until then"
    missed = [name for name, meeting in meetings.items() if not meeting["met"]]
    if missed:
        return "vacuous", "required meetings stayed below their floor: " + ", ".join(
            f"{name} {meetings[name]['per_cpu_minute']:.0f} per CPU minute of {meetings[name]['floor']}" for name in missed
        )
    return "clean", f"no invariant broke in {ending.seconds:.1f} s and {ending.nr_checks} checks at rest"


def collect(
    mem: Any,
    ending: Ending,
    *,
    role_names: list[str],
    required_meetings: tuple[str, ...],
    floor_per_minute: float,
    config: dict[str, Any],
    host: dict[str, Any],
    buddyinfo_before: list[list[int]],
    fragmentation: list[dict[str, Any]],
) -> dict[str, Any]:
    """The object that --json writes."""
    storm_seconds = ending.seconds - ending.parked_seconds
    counters = read_counters(mem)
    meetings = _meetings(counters, required_meetings, floor_per_minute, storm_seconds, ending.cpu_seconds)
    verdict, reason = judge(ending, meetings)
    return {
        "schema": SCHEMA,
        "verdict": verdict,
        "reason": reason,
        "diagnosis": ending.loss.details if ending.loss else [],
        "violations": [violation.to_json() for violation in ending.violations],
        "config": config,
        "host": host,
        "seconds": ending.seconds,
        "parked_seconds": ending.parked_seconds,
        "cpu_seconds": ending.cpu_seconds,
        "checks": ending.nr_checks,
        "roles": _roles(mem, role_names, storm_seconds),
        "vmstat": {name: counters[name] for name in VMSTAT if counters[name]},
        "meetings": meetings,
        "speculation": {name: counters[f"spec_{name}"] for name in SPECULATION},
        "migration": _migration(counters),
        "ranges": _ranges(mem, counters),
        "fragmentation": fragmentation,
        "contention": _contention(mem, counters),
        "buddyinfo_before": buddyinfo_before,
        "buddyinfo_after": read_buddyinfo(mem),
        "chaos_points_hit": int(np.sum(mem.arrays["cpu_chaos"])),
    }
