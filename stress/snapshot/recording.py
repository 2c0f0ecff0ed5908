"""A recording is read and checked: an .npz with flags_before, and optionally with count_before, flags_after and meta.

The zones of the machine are not in it. Zone Normal begins at 4 GiB on x86-64 and elsewhere on other machines. Of the likely beginnings
the one is taken from which the number of free frames is that of buddyinfo; the zone ends with the last frame that has a flag.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kernels.base.layout import NR_ORDERS, WINDOW_FRAMES
from stress.errors import UserError
from stress.io.arrays import read_arrays, require_integers
from stress.io.reading import is_file, parse_json
from stress.machine.host import memory_headroom
from stress.snapshot.flags import Ints, Words, has, mask

ZONE = "Normal"
FOUR_GIB_PFN = 1 << 20
#: zone Normal may begin at 16 MiB, 1 GiB or 4 GiB, or with the first frame
_BEGINNINGS = (4096, 1 << 18, FOUR_GIB_PFN)
#: the share by which buddyinfo's free frames may differ: it was read at another instant
_TOLERANCE = 0.1
_FRAME_ARRAYS = ("flags_before", "count_before", "flags_after")
_BYTES_PER_BYTE = 8  # what settling a recording needs beside each byte that was read: copies in 64-bit words, and masks
_NUMBER = r"\d{1,18}"  # of /proc: it fits into a word
_ALIGN = 1 << NR_ORDERS - 1
DEFAULT_PAGEBLOCK_ORDER = 9
MIN_BLOCKS = 8


@dataclass(frozen=True)
class Recording:
    """Zone Normal of a recorded machine. Frame 0 is `first_pfn`, aligned to the largest block; frames outside of the zone are holes."""

    path: Path
    first_pfn: int
    flags: Words
    counts: Ints
    flags_after: Words | None
    pageblock_order: int
    blocks_not_movable: tuple[int, int] | None  # Unmovable and HighAtomic, Reclaimable
    buddyinfo_before: list[int] | None
    buddyinfo_after: list[int] | None
    vmstat: dict[str, int]
    elapsed_ns: int | None
    kernel: str
    has_counts: bool
    scanned_elsewhere: int  # frames below the zone that the migration scanner counts if nothing moves there
    heads_only: bool  # BUDDY is set only on the first frame of a free block

    @property
    def nr_frames(self) -> int:
        return len(self.flags)


def read_recording(path: Path) -> Recording:
    """Read a recording.

    Raises      UserError, one line, if the file is missing, damaged, of another shape, or has no zone Normal
    """
    arrays, meta = _read(path)
    flags = arrays["flags_before"]
    before, after = (_buddyinfo(meta.get(key)) for key in ("buddyinfo_before", "buddyinfo_after"))
    start, end, heads_only = _bounds(path, flags, before)
    pageblock_order = _pageblock_order(path, meta)
    base = start // _ALIGN * _ALIGN
    nr_frames = -(-(end - base) >> pageblock_order) << pageblock_order
    if nr_frames >> pageblock_order < MIN_BLOCKS:
        raise UserError(f"{path}: zone {ZONE} has {end - start:,} frames, fewer than {MIN_BLOCKS} pageblocks")

    def cut(values: Words, beyond: np.uint64) -> Words:
        piece = np.full(nr_frames, beyond, np.uint64)
        piece[start - base : end - base] = 0
        here = values[start:end]
        piece[start - base : start - base + len(here)] = here
        return piece

    hole = mask("NOPAGE")
    zero = np.uint64(0)
    counted = "count_before" in arrays
    counts = cut(arrays["count_before"], zero).astype(np.int64) if counted else has(cut(flags, zero), "MMAP").astype(np.int64)
    return Recording(
        path=path,
        first_pfn=base,
        flags=cut(flags, hole),
        counts=counts,
        flags_after=cut(arrays["flags_after"], hole) if "flags_after" in arrays else None,
        pageblock_order=pageblock_order,
        blocks_not_movable=_blocks_not_movable(meta.get("pagetypeinfo_before")),
        buddyinfo_before=(before or {}).get(ZONE),
        buddyinfo_after=(after or {}).get(ZONE),
        vmstat={name: value for name, value in _dict(meta.get("vmstat_delta")).items() if _is_word(value)},
        elapsed_ns=meta["elapsed_ns"] if _is_word(meta.get("elapsed_ns")) else None,
        kernel=str(meta.get("kernel", "")),
        has_counts=counted,
        scanned_elsewhere=_scanned_below(flags[:base], pageblock_order),
        heads_only=heads_only,
    )


# ------------------------------------------------------------------------------------------------------------------- the file


def _read(path: Path) -> tuple[dict[str, Words], dict[str, Any]]:
    if not is_file(path):
        raise UserError(f"{path}: no such recording")
    most_bytes = memory_headroom().available_bytes // _BYTES_PER_BYTE
    arrays = read_arrays(path, (*_FRAME_ARRAYS, "meta"), "a recording (.npz with flags_before)", most_bytes)
    meta = arrays.pop("meta", np.array("{}"))
    if "flags_before" not in arrays:
        raise UserError(f"{path}: not a recording: array 'flags_before' is missing")
    for name, values in arrays.items():
        require_integers(path, name, values)
        if not len(values):
            raise UserError(f"{path}: array {name!r} is empty")
    try:
        return {name: values.astype(np.uint64) for name, values in arrays.items()}, _dict(parse_json(str(meta[()])))
    except ValueError as error:
        raise UserError(f"{path}: meta is not JSON: {error}") from error


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_word(value: object) -> bool:
    return type(value) is int and abs(value) < 1 << 63


def _buddyinfo(text: object) -> dict[str, list[int]] | None:
    """Free blocks by zone and order, summed over the nodes; None if there is no such text."""
    zones: dict[str, list[int]] = {}
    for name, rest in re.findall(rf"zone\s+(\w+)((?:\s+{_NUMBER})+)", text if isinstance(text, str) else ""):
        blocks = [int(number) for number in rest.split()][:NR_ORDERS]
        blocks += [0] * (NR_ORDERS - len(blocks))
        zones[name] = [a + b for a, b in zip(blocks, zones.get(name, [0] * NR_ORDERS), strict=True)]
    return zones or None


def _pageblock_order(path: Path, meta: dict[str, Any]) -> int:
    found = re.search(rf"Page block order:\s*({_NUMBER})", str(meta.get("pagetypeinfo_before", "")))
    order = int(found[1]) if found else DEFAULT_PAGEBLOCK_ORDER
    if not 1 <= order <= WINDOW_FRAMES.bit_length() - 1:
        raise UserError(f"{path}: pageblocks are of order {order}; the model has windows of at most {WINDOW_FRAMES} frames")
    return order


def _blocks_not_movable(text: object) -> tuple[int, int] | None:
    """How many pageblocks of zone Normal are Unmovable or HighAtomic, and how many Reclaimable; None if pagetypeinfo has no count."""
    lines = text.splitlines() if isinstance(text, str) else []
    headings: list[str] = []
    unmovable = reclaimable = 0
    seen = False
    for line in lines:
        if line.startswith("Number of blocks type"):
            headings = line.removeprefix("Number of blocks type").split()
        found = re.fullmatch(rf"Node\s+\d+,\s*zone\s+{ZONE}((?:\s+{_NUMBER})+)\s*", line)
        if found and headings:
            numbers = dict(zip(headings, map(int, found[1].split()), strict=False))
            unmovable += numbers.get("Unmovable", 0) + numbers.get("HighAtomic", 0)
            reclaimable += numbers.get("Reclaimable", 0)
            seen = True
    return (unmovable, reclaimable) if seen else None


# ------------------------------------------------------------------------------------------------------------------- the zone


def _bounds(path: Path, flags: Words, buddyinfo: dict[str, list[int]] | None) -> tuple[int, int, bool]:
    """(first frame, one past the last, whether BUDDY is on heads only) of zone Normal.

    Raises      UserError if there is none, or if it cannot be found
    """
    present = np.flatnonzero((flags != 0) & ~has(flags, "NOPAGE"))
    if not len(present):
        raise UserError(f"{path}: no frame has a flag")
    first, end = int(present[0]), int(present[-1]) + 1
    if buddyinfo is None:
        if end <= FOUR_GIB_PFN:
            raise UserError(f"{path}: no zone {ZONE}: no frame beyond 4 GiB, and no buddyinfo_before that says where else it begins")
        return FOUR_GIB_PFN, end, _looks_like_heads(flags[FOUR_GIB_PFN:end])
    if ZONE not in buddyinfo:
        raise UserError(f"{path}: no zone {ZONE}: buddyinfo has {', '.join(buddyinfo)}")
    blocks = buddyinfo[ZONE]
    nr_blocks, nr_free = sum(blocks), sum(count << order for order, count in enumerate(blocks))
    # from the end; of two beginnings with the same number of free frames the later one wins
    buddies = np.cumsum(has(flags[:end], "BUDDY")[::-1])[::-1]
    candidates = sorted({begin for begin in (first, *_BEGINNINGS) if first <= begin < end}, reverse=True)
    tried = [(abs(int(buddies[begin]) - wanted) / max(wanted, 1), begin, heads)
             for begin in candidates for wanted, heads in ((nr_free, False), (nr_blocks, True))]  # fmt: skip
    error, begin, heads_only = min(tried, key=lambda each: each[0])
    if error > _TOLERANCE:
        raise UserError(
            f"{path}: cannot find zone {ZONE}: buddyinfo has {nr_free:,} free frames in it, "
            f"{int(buddies[begin]):,} frames from pfn {begin} on have BUDDY"
        )
    return begin, end, heads_only and nr_blocks != nr_free


def _scanned_below(flags: Words, pageblock_order: int) -> int:
    """What compact_migrate_scanned counts below the zone, where hardly anything moves.

    Every present pageblock counts once. In a free block of two pageblocks the second one counts twice: the scanner skips a block whole.
    """
    present = (flags != 0) & ~has(flags, "NOPAGE")
    nr_blocks = int(present[: len(flags) >> pageblock_order << pageblock_order].reshape(-1, 1 << pageblock_order).any(axis=1).sum())
    if pageblock_order == NR_ORDERS - 2:
        free = has(flags[: len(flags) // _ALIGN * _ALIGN], "BUDDY").reshape(-1, _ALIGN)
        nr_blocks += int(free.all(axis=1).sum())
    return nr_blocks << pageblock_order


def _looks_like_heads(flags: Words) -> bool:
    """Whether BUDDY is on heads only, if buddyinfo is missing: then no odd frame after an even one with BUDDY has it."""
    buddy = has(flags, "BUDDY")
    even = np.flatnonzero(buddy[:-1][::2]) * 2
    return len(even) > 0 and not buddy[even + 1].any()
