"""`pfnstorm compact`: a whole recorded zone is compacted and compared with what the recorded kernel did.

Nothing is random and one CPU does all of it, so a recording gives the same figures every time, except for durations.
"""

import gc
import mmap
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kernels.base import flavour
from kernels.base.cache import source_hash
from kernels.base.layout import EXIT_BUG
from kernels.policy import boot
from stress import checkers, roles
from stress.checkers import Violation
from stress.errors import EXIT_OF_VERDICT
from stress.io.json_report import check_json_path, write_report
from stress.io.output import StageLine
from stress.machine.host import describe_host, usable_cpus
from stress.machine.segment import calibrate_cycles, create_machine, segment_bytes, set_param
from stress.process.child import fork_child
from stress.snapshot import compare
from stress.snapshot.load import Start, load, start_from
from stress.snapshot.show import render
from stress.storm.entries import build_storm_entries
from stress.storm.fragmentation import read_buddyinfo
from stress.storm.outcome import read_counters
from stress.storm.scenario import chosen_values, parse_policies, policy_params
from stress.storm.scene import read_bugs

SCHEMA = "pfnstorm-compact/1"
ROLE = "compact_memory"
_POLL_S, _PLAIN_INTERVAL_S = 0.02, 2.0


@dataclass(frozen=True)
class CompactOptions:
    """The command line of `pfnstorm compact`."""

    snapshot: Path
    settings: tuple[str, ...]
    check: str
    frame_bytes: int | None
    move_page_tables: bool
    json: Path | None


def execute(options: CompactOptions) -> int:
    """Compact, print and save.

    Returns     the exit code
    Raises      UserError, HostError
    """
    if options.json is not None:
        check_json_path(options.json)
    policies = parse_policies(options.settings)
    progress = StageLine("compact", sys.stderr, plain_every_s=_PLAIN_INTERVAL_S)
    progress(f"reading {options.snapshot}")
    chosen = policy_params(policies)
    start = start_from(options.snapshot, 1, options.frame_bytes, chosen["window_blocks"])
    params = start.params | chosen | {"seed": 1, "shadow_on": int(options.check == "full")}
    params["tables_stay"] = int(not options.move_page_tables)
    build_storm_entries()
    progress(f"loading {start.recording.nr_frames:,} frames")
    mem = machine_of(start, params)
    result = _run(mem, start, options, policies, progress)
    progress.clear()
    print(render(result), flush=True)
    unwritten = write_report(options.json, result)
    return EXIT_OF_VERDICT[result["verdict"]] or unwritten


def machine_of(start: Start, params: dict[str, int]) -> Any:
    """A machine in the state of a recording."""
    mem = create_machine(start.geometry, params)
    set_param(mem, "cycles_per_us", calibrate_cycles(mem, boot.read_cycles))
    boot.boot(mem, 0)
    load(mem, start)
    return mem


# ------------------------------------------------------------------------------------------------------------------ the run


def _run(mem: Any, start: Start, options: CompactOptions, policies: dict[str, str], progress: StageLine) -> dict[str, Any]:
    before = read_buddyinfo(mem)[0]
    words = compare.words(mem)
    verdict, reason, violations = _check(mem, options, progress, "the loaded machine")
    elapsed_ns, figures, went = 0, {}, []
    if verdict == "clean":
        verdict, reason, violations, elapsed_ns = _compact(mem, progress)
    if verdict == "clean":
        verdict, reason, violations = _check(mem, options, progress, "the compacted machine")
    if elapsed_ns:
        figures, went = compare.figures(mem, start, elapsed_ns), compare.where_frames_went(mem, start)
    if verdict == "clean":
        reason = _judge(figures)
    recording = start.recording
    return {
        "schema": SCHEMA,
        "verdict": verdict,
        "reason": reason,
        "violations": [violation.to_json() for violation in violations],
        "recording": {
            "path": str(recording.path),
            "first_pfn": recording.first_pfn,
            "frames": recording.nr_frames,
            "pageblocks": recording.nr_frames >> recording.pageblock_order,
            "kernel": recording.kernel,
            "elapsed_ns": recording.elapsed_ns,
        },
        "config": {
            "check": options.check,
            "frame_bytes": start.frame_bytes,
            "segment_bytes": segment_bytes(start.geometry),
            "policies": chosen_values(policies),
            "page_tables": "move" if options.move_page_tables else "stay",
            "flavour": flavour.FLAVOUR + (" interpreted" if flavour.INTERPRETED else ""),
            "source_hash": source_hash(),
        },
        "host": describe_host(),
        "notes": _notes(start),
        "classes": compare.classes(start.frames),
        "words": words,
        "elapsed_ns": elapsed_ns,
        "figures": figures,
        "went": went,
        "vmstat": {name: value for name, value in read_counters(mem).items() if value},
        "buddyinfo_before": {"model": before, "kernel": recording.buddyinfo_before},
        "buddyinfo_after": {"model": read_buddyinfo(mem)[0], "kernel": recording.buddyinfo_after},
    }


def _check(mem: Any, options: CompactOptions, progress: StageLine, what: str) -> tuple[str, str, list[Violation]]:
    if options.check == "none":
        return "clean", "", []
    progress(f"checking {what}")
    violations = checkers.check_all(mem)
    if not violations:
        return "clean", "", []
    first = violations[0]
    return "violated", f"{first.invariant} broke in {what}, found by {first.checker}: pfn {first.pfn}, {first.message}", violations


def _judge(figures: dict[str, dict[str, Any]]) -> str:
    """The result of the comparison in one line."""
    outside = [name for name, row in figures.items() if row["within"] is False]
    judged = [name for name, row in figures.items() if row["within"] is not None]
    if outside:
        return f"no invariant broke; {' and '.join(outside)} outside of {compare.TOLERANCE:.0%} of the kernel's"
    if not judged:
        return "no invariant broke; the recording does not say what the kernel did"
    return f"no invariant broke; {' and '.join(judged)} within {compare.TOLERANCE:.0%} of the kernel's"


def _notes(start: Start) -> list[str]:
    """What the recording does not have and had to be guessed, and what the model cannot hold."""
    recording, frames = start.recording, start.frames
    notes = []
    if recording.heads_only:
        notes.append("BUDDY is set only on the first frame of a free block: sizes follow from buddyinfo and from the frames after it")
    if not recording.has_counts:
        notes.append("no count_before: every frame with MMAP is taken to be mapped once")
    if recording.blocks_not_movable is None:
        notes.append("no pagetypeinfo_before: every pageblock with memory that never moves is taken to be Unmovable")
    if frames.nr_clipped:
        notes.append(f"{frames.nr_clipped:,} frames are mapped more or less often than the model can map them")
    return notes


def _compact(mem: Any, progress: StageLine) -> tuple[str, str, list[Violation], int]:
    """Compact in a child process, since a kernel that finds a broken invariant exits.

    Returns     (verdict, reason, violations, ns of CPU time)
    """
    elapsed = np.frombuffer(mmap.mmap(-1, mmap.PAGESIZE), np.int64, count=1)
    gc.collect()
    gc.freeze()
    pid = fork_child(lambda: _run_role(mem, elapsed), "the process that compacts", pin_to=usable_cpus()[0])
    status = _await(pid, mem, progress)
    if status == 0:
        return "clean", "", [], int(elapsed[0])
    violations = read_bugs(mem)
    if status == EXIT_BUG and violations:
        first = violations[0]
        return "violated", f"{first.invariant} broke during compaction, found by {first.checker}: pfn {first.pfn}", violations, 0
    how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"exited with status {status}"
    return "died", f"the process that compacted {how}", violations, 0


def _await(pid: int, mem: Any, progress: StageLine) -> int:
    """Wait for the child and show how far it is; on an exception the child is killed."""
    reaped = False
    try:
        while True:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                reaped = True
                return os.waitstatus_to_exitcode(status)
            if progress.is_due:
                scanners = (int(mem.arrays[name][0]) >> mem.pageblock_order for name in ("zone_migrate_pfn", "zone_free_pfn"))
                progress("compacting: the scanners are at pageblocks {} and {}".format(*scanners))
            time.sleep(_POLL_S)
    finally:
        if not reaped:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _touch(mem: Any) -> None:
    """Map every page of the segment, so that no page fault of the host is timed."""
    for array in mem.arrays.values():
        array[:: max(1, mmap.PAGESIZE // array.strides[0])].sum()


def _run_role(mem: Any, elapsed: Any) -> None:
    _touch(mem)
    begin_ns = time.thread_time_ns()
    roles.run_batch(mem, 0, roles.ROLE_INDEX[ROLE], 1)
    elapsed[0] = time.thread_time_ns() - begin_ns
