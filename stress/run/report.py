"""A run's result as text. It is rendered only from the dict that --json writes, so that any run can be printed again."""

from collections.abc import Sequence
from typing import Any

from kernels.base.layout import NUMBERS
from stress.io.text import Cell, buddyinfo_lines, section, size_text, table, time_text, verdict_line

_SHOWN_VIOLATIONS = 10


def _default_batch(name: str) -> str | None:
    """The default of a policy that is a number; the report omits such a policy at its default."""
    return str(NUMBERS[name][2]) if name in NUMBERS else None


def _head(result: dict[str, Any]) -> list[str]:
    config, host = result["config"], result["host"]
    memory = f"{size_text(config['memory_bytes'])} in frames of {config['frame_bytes']} bytes"
    lines = [
        f"pfnstorm {config['scenario']}: {config['workers']} workers, {config['nodes']} nodes, {memory}",
        *(f"{what} {config[what]}" for what in ("trace", "snapshot") if config.get(what)),
        f"seed {config['seed']}, check {config['check']}, chaos {config['chaos']:g}, flavour {config['flavour']}, "
        + ", ".join(f"{name}={value}" for name, value in config["policies"].items() if value != _default_batch(name)),
        f"{host['cpu']}, {host['cores']} cores, {host['kernel']}, Python {host['python']}, numba {host['numba']}, numpy {host['numpy']}",
        f"{result['seconds']:.1f} s, of which {result['parked_seconds']:.2f} s parked for {result['checks']} checks at rest",
    ]
    if config["workers"] > host["cores"]:
        lines.append(f"TIMINGS OF AN OVERSUBSCRIBED HOST: {config['workers']} workers on {host['cores']} cores; do not compare them")
    return lines


def _role_lines(roles: dict[str, Any]) -> list[str]:
    rows = []
    for name, role in roles.items():
        ns = role["ns_per_op"]
        rows.append((name, role["operations"], role["failures"], float(role["ops_per_s"]), ns["p50"], ns["p99"], ns["p99.9"]))
    return table(("role", "operations", "failures", "ops/s", "ns/op p50", "p99", "p99.9"), rows) if rows else []


def _migration_lines(migration: dict[str, Any]) -> list[str]:
    causes = sorted({cause for reason in migration.values() for cause, count in reason["causes"].items() if count})
    rows = [
        (name, reason["migrated"], reason["failed"], *(reason["causes"].get(cause, 0) for cause in causes))
        for name, reason in migration.items()
        if reason["migrated"] or reason["failed"] or any(reason["causes"].values())
    ]
    return table(("reason", "migrated", "failed", *causes), rows) if rows else []


def _range_lines(ranges: dict[str, Any]) -> list[str]:
    """Whole ranges: how many attempts succeeded, how long they took, and why the others failed."""
    shown = {name: each for name, each in ranges.items() if each["tried"]}
    rows: list[tuple[Cell, ...]] = []
    for name, each in shown.items():
        share = f"{100 * each['succeeded'] / each['tried']:.1f} %"
        times = [None if each["ns"][at] is None else time_text(each["ns"][at]) for at in ("p50", "p99", "p99.9")]
        rows.append((name, each.get("pageblocks", 1), each["tried"], each["succeeded"], share, *times))
    lines = table(("what", "pageblocks", "tried", "succeeded", "", "p50", "p99", "p99.9"), rows) if rows else []
    for name, each in shown.items():
        failed = {cause: count for cause, count in each.get("failed", {}).items() if count}
        if failed:
            lines.append(f"{name}: failed because of " + ", ".join(f"{cause} {count:,}" for cause, count in failed.items()))
    contig = shown.get("contig")
    if contig is not None:
        refused = ", ".join(f"{cause} {count:,}" for cause, count in contig["refused"].items() if count)
        lines.append(f"contig: {contig['ranges']:,} ranges were tried; refused: {refused or 'none'}")
    return lines


_BARS = " .:-=+*#%@"


def _spark(values: Sequence[int], width: int = 60) -> str:
    """Thousandths as one line of at most `width` characters."""
    step = max(1, -(-len(values) // width))
    kept = [max(values[at : at + step]) for at in range(0, len(values), step)]
    return "".join(_BARS[min(max(value, 0) * len(_BARS) // 1001, len(_BARS) - 1)] for value in kept)


def _fragmentation_lines(result: dict[str, Any]) -> list[str]:
    """The kernel's two indices by order at the start and the end; movable, free and unusable memory over time."""
    samples = result.get("fragmentation")
    if not samples:
        return []
    pageblock_order, frames_per_node = (result["config"]["geometry"][name] for name in ("pageblock_order", "frames_per_node"))
    rows: list[tuple[Cell, ...]] = []
    nr_nodes = len(samples[-1]["unusable_index"])
    for index in ("extfrag_index", "unusable_index"):
        for nid in range(nr_nodes):
            for when, sample in (("start", samples[0]), ("end", samples[-1])):
                rows.append((f"node {nid} {index} {when}", *(f"{value / 1000:.3f}" for value in sample[index][nid])))
    lines = table(("order", *map(str, range(len(samples[-1]["unusable_index"][0])))), rows)
    for nid in range(nr_nodes):
        for what in ("movable", "free"):
            shares = [sample[f"{what}_frames"][nid] / frames_per_node for sample in samples]
            span = f"{100 * min(shares):.0f} to {100 * max(shares):.0f} %, mean {100 * sum(shares) / len(shares):.0f} %"
            lines.append(f"node {nid} {what} memory over time: {span}")
        values = [sample["unusable_index"][nid][pageblock_order] for sample in samples]
        span = f"{min(values) / 1000:.3f} to {max(values) / 1000:.3f}"
        lines.append(f"node {nid} unusable at order {pageblock_order} over time, {span}: [{_spark(values)}]")
    return lines


def _contention_lines(contention: dict[str, Any]) -> list[str]:
    locks = {name: row for name, row in contention.items() if name != "cmpxchg" and row["acquisitions"]}
    rows = [
        (name, row["acquisitions"], row["contended"], f"{100 * row['contended'] / row['acquisitions']:.2f} %", row["spins"])
        for name, row in locks.items()
    ]
    lines = table(("lock", "acquisitions", "contended", "share", "spins"), rows) if rows else []
    tries = contention["cmpxchg"]
    return [*lines, f"compare-exchange: {tries['tried']:,} tried, {tries['failed']:,} failed"] if tries["tried"] else lines


def _rate(meeting: dict[str, Any]) -> float:
    """Per minute of CPU time; results of before 0.2.1 have it per minute of the clock only."""
    return float(meeting.get("per_cpu_minute", meeting["per_minute"]))


def _meeting_lines(meetings: dict[str, Any]) -> list[str]:
    rows = [
        (name, row["count"], _rate(row), row["floor"] if row["required"] else None, "" if row["met"] else "MISSED")
        for name, row in meetings.items()
        if row["count"] or row["required"]
    ]
    return table(("meeting", "count", "per CPU minute", "floor", ""), rows) if rows else []


def _violation_lines(result: dict[str, Any]) -> list[str]:
    violations, lines = result["violations"], []
    for violation in violations[:_SHOWN_VIOLATIONS]:
        words = ", ".join(f"{name} {word:#x}" for name, word in violation["words"].items())
        where = f"pfn {violation['pfn']}, cpus {violation['cpus']}"
        lines.append(f"{violation['invariant']} by {violation['checker']}: {where}: {violation['message']}")
        if words:
            lines.append(f"    {words}")
        lines += [f"    {line}" for line in violation.get("scene", ())]
    if len(violations) > _SHOWN_VIOLATIONS:
        lines.append(f"and {len(violations) - _SHOWN_VIOLATIONS} more")
    command = result["config"].get("command")
    return [*lines, f"the same storm again: {command}"] if violations and command else lines


def render(result: dict[str, Any]) -> str:
    """The whole report of a result that a storm returned, or that read_run() checked."""
    spec = result["speculation"]
    lines = [
        *_head(result),
        *section("roles", _role_lines(result["roles"])),
        *section("counters that moved", table(("vmstat", "count"), list(result["vmstat"].items())) if result["vmstat"] else []),
        *section("buddyinfo before", buddyinfo_lines(result["buddyinfo_before"])),
        *section("buddyinfo after", buddyinfo_lines(result["buddyinfo_after"])),
        *section("speculative references", table(tuple(name.replace("_", " ") for name in spec), [tuple(spec.values())])),
        *section(
            "migrations by reason, in frames (failed: put back), and attempts that failed by cause", _migration_lines(result["migration"])
        ),
        *section("whole ranges, and blocks of pageblock order", _range_lines(result.get("ranges", {}))),
        *section(
            "fragmentation, as /sys/kernel/debug/extfrag prints it (-1.000: there is such a block)",
            _fragmentation_lines(result),
        ),
        *section("lock contention", _contention_lines(result["contention"])),
        *section("meetings", _meeting_lines(result["meetings"])),
        *section("violations", _violation_lines(result)),
        *section("diagnosis", result["diagnosis"]),
        "",
        verdict_line(result),
    ]
    return "\n".join(line.rstrip() for line in lines)
