"""The result of compacting a recording beside what the recorded kernel did: parts of the dict that --json writes and `show` renders."""

from typing import Any

import numpy as np

from kernels.base.layout import NR_ORDERS, PCP_STRIDE, PCP_TOTAL, T_ANON, T_BUDDY, T_FILE, TYPE_MASK
from stress.snapshot.flags import CLASSES, KERNEL, NUMBER, Bools, Ints, classify
from stress.snapshot.frames import Frames
from stress.snapshot.load import Start
from stress.storm.fragmentation import free_frames, read_buddyinfo
from stress.storm.outcome import read_counters

TOLERANCE = 0.15
NR_SLICES = 16
LARGE_ORDER = 9  # compaction is for free blocks of this order and above
#: figures that must be within TOLERANCE of the kernel's
JUDGED = ("frames migrated", "order-9 blocks gained")


def figures(mem: Any, start: Start, elapsed_ns: int) -> dict[str, dict[str, Any]]:
    """Name -> the model's figure, the kernel's or None, their ratio, and whether it is within the tolerance (None: not judged)."""
    recording, counters = start.recording, read_counters(mem)
    vmstat = recording.vmstat
    before = np.bincount(start.frames.free_orders, minlength=NR_ORDERS)
    after = read_buddyinfo(mem)[0]
    theirs = [_large(blocks) for blocks in (recording.buddyinfo_before, recording.buddyinfo_after)]
    gained = None if None in theirs else theirs[1] - theirs[0]  # type: ignore[operator]
    migrated = counters["pgmigrate_success"]
    scanned = vmstat.get("compact_migrate_scanned")
    kernel_migrated = vmstat.get("pgmigrate_success")
    rows: list[tuple[str, float | None, float | None]] = [
        ("frames migrated", migrated, kernel_migrated),
        ("frames not migrated", counters["pgmigrate_fail"], vmstat.get("pgmigrate_fail")),
        ("frames isolated", counters["compact_isolated"], vmstat.get("compact_isolated")),
        ("scanned to migrate", counters["compact_migrate_scanned"], None if scanned is None else scanned - recording.scanned_elsewhere),
        ("scanned for free", counters["compact_free_scanned"], vmstat.get("compact_free_scanned")),
        ("order-9 blocks before", _large(before.tolist()), theirs[0]),
        ("order-9 blocks after", _large(after), theirs[1]),
        ("order-9 blocks gained", (_large(after) or 0) - (_large(before.tolist()) or 0), gained),
        ("on per-CPU lists after", int(mem.arrays["pcp_nr"][PCP_TOTAL::PCP_STRIDE].sum()), _on_pcp_after(start)),
        ("ns per migrated frame", elapsed_ns / migrated if migrated else None, _per(recording.elapsed_ns, kernel_migrated)),
    ]
    table = {}
    for name, ours, kernels in rows:
        ratio = ours / kernels if ours is not None and kernels else None
        within = None if name not in JUDGED or ratio is None else abs(ratio - 1) <= TOLERANCE
        table[name] = {"model": ours, "kernel": kernels, "ratio": ratio, "within": within}
    return table


def _large(blocks: list[int] | None) -> int | None:
    return None if blocks is None else int(sum(blocks[LARGE_ORDER:]))


def _per(total: int | None, count: int | None) -> float | None:
    return total / count if total is not None and count else None


def _on_pcp_after(start: Start) -> int | None:
    """Frames on the recorded kernel's per-CPU lists afterwards: those without a flag that were not kernel memory before."""
    if start.recording.flags_after is None:
        return None
    unflagged = classify(start.recording.flags_after) == NUMBER["unflagged"]
    return int(np.count_nonzero(unflagged & (start.frames.settled != KERNEL)))


def where_frames_went(mem: Any, start: Start) -> list[dict[str, int | None]]:
    """For each slice of the zone: frames that a folio left and free frames that one came to; the kernel's from flags_after."""
    frames, recording = start.frames, start.recording
    was = np.isin(frames.settled, (NUMBER["anon"], NUMBER["file"]))
    free = frames.settled == NUMBER["free"]
    kind = mem.arrays["memdesc"] & TYPE_MASK
    now = (kind == T_ANON) | (kind == T_FILE)
    left, came = _slices(was & ~now), _slices(~was & now)
    kernel_left: list[int] | list[None] = [None] * NR_SLICES
    kernel_came: list[int] | list[None] = [None] * NR_SLICES
    if recording.flags_after is not None:
        after = classify(recording.flags_after)
        is_folio = np.isin(after, (NUMBER["anon"], NUMBER["file"]))
        gone = (after == NUMBER["free"]) | (after == NUMBER["unflagged"])
        was_then = np.isin(classify(recording.flags), (NUMBER["anon"], NUMBER["file"]))
        kernel_left, kernel_came = _slices(was_then & gone), _slices(free & is_folio)
    edges = np.linspace(0, recording.nr_frames, NR_SLICES + 1).astype(np.int64)
    return [
        {
            "first_pfn": recording.first_pfn + int(edges[k]),
            "left_model": left[k],
            "left_kernel": kernel_left[k],
            "came_model": came[k],
            "came_kernel": kernel_came[k],
        }
        for k in range(NR_SLICES)
    ]


def _slices(chosen: Bools) -> list[int]:
    at = np.flatnonzero(chosen)
    return [int(each) for each in np.bincount(at * NR_SLICES // len(chosen), minlength=NR_SLICES)]


def classes(frames: Frames) -> list[dict[str, Any]]:
    """For each class: its frames by their flags alone, its frames once all are settled, and what they are in the model."""
    settled = frames.counted()
    becomes = {each.name: each.becomes for each in CLASSES} | {"on_pcp": "misc.none", "kernel": "misc.unknown"}
    return [
        {"name": name, "flags": frames.by_flags.get(name, 0), "settled": settled.get(name, 0), "becomes": becomes[name]}
        for name in becomes
        if name in settled or name in frames.by_flags
    ]


def words(mem: Any) -> dict[str, int]:
    """How many frames have each memdesc type; all frames of a free block count as Buddy."""
    kind: Ints = mem.arrays["memdesc"] & TYPE_MASK
    counted = {int(value): int(count) for value, count in zip(*np.unique(kind, return_counts=True), strict=True)}
    counted[T_BUDDY] = free_frames(mem) + int(mem.arrays["zone_isolate_free"].sum())
    return {str(value): count for value, count in counted.items()}
