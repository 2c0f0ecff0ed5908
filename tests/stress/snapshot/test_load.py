"""A recording put into a machine: every checker at rest finds nothing, and the words are what the frames were settled to be."""

import io

import numpy as np
import pytest

from kernels.base.layout import NR_ORDERS, T_ANON, T_FILE, T_PAGETABLE, T_SLAB, TYPE_MASK
from stress import checkers
from stress.errors import HostError, UserError
from stress.machine.segment import segment_bytes
from stress.snapshot.flags import NAMES
from stress.snapshot.frames import settle
from stress.snapshot.load import MAX_FRAME_BYTES, load, plan, start_from
from stress.snapshot.recording import read_recording
from stress.storm.outcome import read_buddyinfo
from stress.storm.scenario import policy_params
from tests.stress.snapshot import conftest as at


@pytest.fixture(scope="session")
def built():
    from stress.process.build import build_entries

    build_entries(["kernels.policy.boot.boot"], out=io.StringIO())


@pytest.fixture
def loaded(built, write):
    """A machine in the state of the recording, and that state."""

    def loaded(nr_cpus=1, frame_bytes=64, policies=None, **changed):
        from kernels.policy import boot
        from stress.machine.segment import create_machine

        recording = read_recording(write(**changed))
        start = plan(recording, settle(recording), nr_cpus, frame_bytes)
        mem = create_machine(start.geometry, start.params | policy_params(policies or {}) | {"seed": 1, "cycles_per_us": 1000})
        boot.boot(mem, 0)
        load(mem, start)
        return mem, start

    return loaded


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"nr_cpus": 3, "frame_bytes": 256},
        {"policies": {"refcount": "frozen-bit", "migration": "list"}},
        {"policies": {"allocator": "bitfield"}},
        {"count_before": None},
        {"meta": {"buddyinfo_before": None, "pagetypeinfo_before": None}},
    ],
    ids=["plain", "three CPUs", "frozen bit", "bitfield", "no counts", "no meta"],
)
def test_it_is_a_machine(loaded, how):
    mem, _ = loaded(**how)
    assert checkers.check_all(mem) == []


def test_words_are_those_of_the_classes(loaded, zone):
    mem, start = loaded()
    counted = start.frames.counted()
    kind = mem.arrays["memdesc"] & TYPE_MASK
    for number, name in ((T_ANON, "anon"), (T_FILE, "file"), (T_SLAB, "slab"), (T_PAGETABLE, "page_table")):
        assert (kind == number).sum() == counted[name]
    assert read_buddyinfo(mem)[0] == at.blocks_of(zone[0] & at.BUDDY != 0)
    assert mem.arrays["zone_free"][0] == counted["free"]
    assert mem.arrays["pcp_nr"][12] == counted["on_pcp"] == 40
    assert len(mem.arrays["ev_pfn"]) == counted["kernel"] + 1 + 1, "a compound block and a huge page hold many frames each"
    assert mem.arrays["balloon_pages"][0] == 4
    live = mem.arrays["refcount"] > 0
    orders = mem.arrays["folio_order"][live]
    assert np.left_shift(1, orders).sum() == counted["anon"] + counted["file"]
    assert np.bincount(orders, minlength=NR_ORDERS)[[4, 9]].tolist() == [16, 1]
    assert mem.arrays["mapcount"].sum() == start.frames.mapped.sum()


def test_frames_stand_where_they_stood(loaded, zone):
    mem, start = loaded()
    for name, number in (("slab", T_SLAB), ("anon", T_ANON)):
        assert np.array_equal(np.flatnonzero(mem.arrays["memdesc"] & TYPE_MASK == number), start.frames.of(name))
    assert np.array_equal(start.frames.of("slab"), np.flatnonzero(zone[0] & at.SLAB != 0))


def test_a_wrong_number_of_reserved_frames_is_found(loaded):
    mem, start = loaded()
    pfn = start.frames.of("reserved")[0]
    mem.arrays["memdesc"][pfn] = mem.arrays["memdesc"][start.frames.of("kernel")[0]]
    found = checkers.check_all(mem)
    assert "number of reserved frames differs from the recorded number" in {each.message for each in found}


def test_offline_frames_need_their_policy(loaded):
    with pytest.raises(UserError, match="needs offline=none"):
        loaded(policies={"offline": "counted"})


def test_contents_shrink_until_the_machine_fits(write, monkeypatch):
    from stress.snapshot import load as module

    recording = read_recording(write())
    frames = settle(recording)
    assert plan(recording, frames, 1, None).frame_bytes == MAX_FRAME_BYTES
    monkeypatch.setattr(module, "SEGMENT_MAX_BYTES", 32 << 20)
    small = plan(recording, frames, 1, None)
    assert 64 <= small.frame_bytes < MAX_FRAME_BYTES
    assert segment_bytes(small.geometry) <= 32 << 20
    assert plan(recording, frames, 1, 128).frame_bytes == 128


def test_a_zone_too_large_for_the_host_is_one_line(write, monkeypatch):
    from stress.snapshot import load as module

    monkeypatch.setattr(module, "NUMPY_BYTES", 1 << 40)
    with pytest.raises(HostError) as caught:
        start_from(write(), 1, None, 1)
    assert "\n" not in str(caught.value)


def test_more_of_a_type_than_the_model_has_room_for_stays_as_kernel_memory(loaded, zone):
    """Slabs in more than a quarter of the zone, page tables in more than a sixty-fourth of it, more Offline frames than a balloon holds."""
    flags = zone[0].copy()
    flags[: 9 * 512] = at.SLAB
    flags[16 * 512 : 18 * 512] = at.PGTABLE
    flags[22 * 512 : 32 * 512] = at.OFFLINE
    mem, start = loaded(flags_before=np.concatenate((np.zeros(at.START, np.uint64), flags)), meta={"buddyinfo_before": None})
    assert checkers.check_all(mem) == []
    assert len(start.frames.of("page_table")) == mem.nr_uppers
    assert (start.frames.settled == NAMES.index("kernel")).sum() > 512
