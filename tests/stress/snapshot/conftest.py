"""A small recorded machine, made up: 32 pageblocks of zone Normal at 4 GiB, with every class of frame in it."""

import json
from pathlib import Path

import numpy as np
import pytest

START, BLOCKS, BLOCK = 1 << 20, 32, 512
NR_FRAMES = BLOCKS * BLOCK
RECORDING = Path(__file__).resolve().parents[3] / "stress" / "snapshot" / "recordings" / "compaction.npz"

#: words of /proc/kpageflags, written out here on purpose
LRU, SLAB, BUDDY, MMAP, ANON, HEAD, TAIL = (1 << bit for bit in (5, 7, 10, 11, 12, 15, 16))
HUGE, HWPOISON, NOPAGE, KSM, THP, OFFLINE, PGTABLE, RESERVED = (1 << bit for bit in (17, 19, 20, 21, 22, 23, 26, 32))
UPTODATE, DIRTY, REFERENCED = 1 << 3, 1 << 4, 1 << 2
ANON_PAGE, FILE_PAGE = UPTODATE | LRU | MMAP | ANON, UPTODATE | REFERENCED | LRU


def compound(flags, first, order, bits):
    flags[first] = bits | HEAD
    flags[first + 1 : first + (1 << order)] = bits | TAIL


def made_up(seed=1):
    """Flags and mappings of the zone. Every second frame of most blocks is free, as after a random half of memory was given back."""
    random = np.random.default_rng(seed)
    flags, counts = np.zeros(NR_FRAMES, np.uint64), np.zeros(NR_FRAMES, np.uint64)
    kinds = random.choice([BUDDY, ANON_PAGE, FILE_PAGE], NR_FRAMES, p=[0.5, 0.35, 0.15])
    flags[:] = kinds
    counts[flags == ANON_PAGE] = 1
    counts[np.flatnonzero(flags == ANON_PAGE)[::50]] = 3
    counts[np.flatnonzero(flags == ANON_PAGE)[::77]] = 9  # more often than the model can
    counts[np.flatnonzero(flags == FILE_PAGE)[::10]] = 2
    for block in (3, 17):  # not Movable: slabs, page tables, kernel memory, some free
        begin = block * BLOCK
        counts[begin : begin + BLOCK] = 0
        flags[begin : begin + BLOCK] = random.choice([BUDDY, 0, PGTABLE], BLOCK, p=[0.3, 0.4, 0.3])
        for k in range(0, 256, 8):
            compound(flags, begin + k, 3, SLAB)
    flags[8 * BLOCK : 10 * BLOCK] = BUDDY  # order 10
    flags[11 * BLOCK : 12 * BLOCK] = BUDDY  # order 9
    flags[12 * BLOCK : 13 * BLOCK] = 0  # one large allocation
    counts[8 * BLOCK : 13 * BLOCK] = 0
    for k in range(0, 256, 16):
        compound(flags, 10 * BLOCK + k, 4, FILE_PAGE | THP)
    compound(flags, 20 * BLOCK, 9, ANON_PAGE | THP)
    counts[20 * BLOCK : 21 * BLOCK] = 1
    compound(flags, 21 * BLOCK, 9, HUGE)
    counts[21 * BLOCK : 22 * BLOCK] = 0
    at = 25 * BLOCK
    flags[at : at + 40] = 0  # on per-CPU lists
    flags[at + 40 : at + 44] = 0  # mapped since
    flags[at + 44 : at + 48], flags[at + 48], flags[at + 49] = OFFLINE, HWPOISON, ANON_PAGE | KSM
    counts[at : at + 64] = 0
    counts[at + 40 : at + 44], counts[at + 49] = 1, 2
    flags[at + 50 : at + 60] = RESERVED
    compound(flags, at + 64, 2, 0)
    counts[at + 64 : at + 68] = 0
    flags[-100:] = NOPAGE
    counts[-100:] = 0
    return flags, counts


def blocks_of(free, limit=10):
    """Free blocks by order, found by a buddy that frees frame after frame: slow, and independent of the code under test."""
    lists = [set() for _ in range(limit + 1)]
    for freed in np.flatnonzero(free).tolist():
        pfn, order = freed, 0
        while order < limit and pfn ^ (1 << order) in lists[order]:
            lists[order].remove(pfn ^ (1 << order))
            pfn &= ~(1 << order)
            order += 1
        lists[order].add(pfn)
    return [len(each) for each in lists]


def pagetypeinfo(unmovable, movable, reclaimable):
    return (
        "Page block order: 9\nPages per block:  512\n\nNumber of blocks type     Unmovable      Movable  Reclaimable   HighAtomic\n"
        f"Node 0, zone    DMA32            7           50            1            0\n"
        f"Node 0, zone   Normal {unmovable:12} {movable:12} {reclaimable:12}            0\n"
    )


def recorded(flags, counts, **changed):
    """The arrays of a recording with this zone: DMA32 has one free block, and nothing else below 4 GiB has a flag."""
    before = np.zeros(START + NR_FRAMES, np.uint64)
    before[4096 : 4096 + 1024] = BUDDY
    before[START:] = flags
    mappings = np.zeros(START + NR_FRAMES, np.uint64)
    mappings[START:] = counts
    blocks = blocks_of(flags & BUDDY != 0)
    meta = {
        "buddyinfo_before": "Node 0, zone    DMA32 " + "0 " * 10 + "1\nNode 0, zone   Normal " + " ".join(map(str, blocks)) + "\n",
        "pagetypeinfo_before": pagetypeinfo(1, BLOCKS - 2, 1),
        "vmstat_delta": {},
        "kernel": "made up",
    }
    return {"flags_before": before, "count_before": mappings, "meta": json.dumps(meta)} | changed


@pytest.fixture(scope="session")
def zone():
    return made_up()


@pytest.fixture
def write(tmp_path, zone):
    """A recording's path; arrays are replaced or, by None, left out, and so are keys of meta, unless it is a text."""

    def write(meta=None, **changed):
        arrays = {name: values for name, values in recorded(*zone, **changed).items() if values is not None}
        if isinstance(meta, str):
            arrays["meta"] = meta
        elif meta is not None:
            both = json.loads(arrays["meta"]) | meta
            arrays["meta"] = json.dumps({name: value for name, value in both.items() if value is not None})
        path = tmp_path / "recording.npz"
        np.savez(path, **arrays)
        return path

    return write


@pytest.fixture(scope="session")
def real():
    """The recording of a real machine."""
    return RECORDING
