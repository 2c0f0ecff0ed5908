"""Recordings: the zone is found, and whatever is wrong with a file is one line."""

import json

import numpy as np
import pytest

from stress.errors import UserError
from stress.snapshot.recording import read_recording
from tests.stress.snapshot.conftest import BLOCKS, BUDDY, NR_FRAMES, START, blocks_of, recorded


def test_zone_normal_is_what_lies_from_4_gib_on(write, zone):
    recording = read_recording(write())
    assert (recording.first_pfn, recording.nr_frames) == (START, NR_FRAMES)
    assert (recording.flags[:-100] == zone[0][:-100]).all()
    assert recording.blocks_not_movable == (1, 1)
    assert recording.buddyinfo_before == blocks_of(zone[0] & BUDDY != 0)
    assert not recording.heads_only
    assert recording.scanned_elsewhere == 3 * 512, "two pageblocks, and the second of a free block of two once more"


@pytest.mark.parametrize("start", [4096, 1 << 18, 300_032])
def test_a_zone_that_begins_elsewhere_is_found_by_its_free_frames(tmp_path, zone, start):
    arrays = recorded(*zone)
    flags = np.zeros(start + NR_FRAMES, np.uint64)
    flags[start:] = zone[0]
    if start == 4096:
        flags[1024:2048] = BUDDY  # zone DMA
    meta = json.loads(arrays["meta"])
    meta["buddyinfo_before"] = meta["buddyinfo_before"].splitlines()[1]
    np.savez(tmp_path / "r.npz", flags_before=flags, meta=json.dumps(meta))
    recording = read_recording(tmp_path / "r.npz")
    assert recording.first_pfn == start
    assert recording.nr_frames >= NR_FRAMES - 512


def test_a_zone_need_not_be_aligned_or_whole(tmp_path, zone):
    flags = np.zeros(START + NR_FRAMES - 300, np.uint64)
    flags[START + 700 :] = zone[0][700:-300]
    np.savez(tmp_path / "r.npz", flags_before=flags)
    recording = read_recording(tmp_path / "r.npz")
    assert recording.first_pfn % 1024 == 0
    assert recording.nr_frames % 512 == 0
    assert recording.flags_after is None
    assert not recording.has_counts
    assert recording.blocks_not_movable is None


def test_heads_alone_are_recognised(write, zone):
    """Older kernels set BUDDY on the first frame of a free block only."""
    flags = heads_only(zone[0])
    recording = read_recording(write(flags_before=np.concatenate((np.zeros(START, np.uint64), flags))))
    assert recording.heads_only
    assert read_recording(
        write(flags_before=np.concatenate((np.zeros(START, np.uint64), flags)), meta={"buddyinfo_before": None})
    ).heads_only


def heads_only(flags):
    from stress.snapshot.flags import free_blocks

    free = flags & BUDDY != 0
    first, _ = free_blocks(free, np.zeros(BLOCKS, np.bool_), 9, 10)
    heads = np.where(free, 0, flags).astype(np.uint64)
    heads[first] = BUDDY
    return heads


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"flags_before": None}, "'flags_before' is missing"),
        ({"flags_before": np.zeros((2, 2), np.uint64)}, "must be one-dimensional integers, is 2-dimensional"),
        ({"flags_before": np.zeros(8)}, "must be one-dimensional integers"),
        ({"flags_before": np.zeros(START + 9, np.uint64)}, "no frame has a flag"),
        ({"count_before": np.array(["x"])}, "'count_before' must be one-dimensional integers"),
        ({"meta": "{"}, "meta is not JSON"),
        ({"meta": json.dumps({"buddyinfo_before": "Node 0, zone DMA32 1 2 3\n"})}, "no zone Normal: buddyinfo has DMA32"),
        ({"meta": json.dumps({"buddyinfo_before": "Node 0, zone Normal 1 2 3\n"})}, "cannot find zone Normal"),
        ({"meta": json.dumps({"pagetypeinfo_before": "Page block order: 13\n"})}, "pageblocks are of order 13"),
        ({"flags_before": np.full(START, BUDDY, np.uint64), "meta": "{}"}, "no zone Normal: no frame beyond 4 GiB"),
        ({"flags_before": np.full(START + 600, BUDDY, np.uint64), "meta": "{}"}, "fewer than 8 pageblocks"),
        ({"flags_before": np.array([None])}, "not a recording"),
    ],
)
def test_what_is_wrong_is_one_line(write, changed, expected):
    with pytest.raises(UserError, match=expected) as caught:
        read_recording(write(**changed))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", ["missing", "folder", "empty", "text", "truncated", "flipped", "npy"])
def test_files_that_are_no_recordings(tmp_path, write, damage):
    path = tmp_path / "bad.npz"
    whole = write().read_bytes()
    if damage == "folder":
        path.mkdir()
    elif damage == "npy":
        np.save(path.with_suffix(".npy"), np.arange(4))
        path = path.with_suffix(".npy")
    elif damage == "flipped":
        path.write_bytes(whole[:5000] + bytes(each ^ 255 for each in whole[5000:9000]) + whole[9000:])
    elif damage != "missing":
        path.write_bytes({"empty": b"", "text": b"hello", "truncated": whole[: len(whole) // 2]}[damage])
    with pytest.raises(UserError, match=r"no such recording|not a recording") as caught:
        read_recording(path)
    assert "\n" not in str(caught.value)
