"""The kernel's two indices, and the state that a scenario begins with: a pure function of the seed, of the shares that were asked for."""

import numpy as np
import pytest

from kernels.base.layout import ALLOCATOR_BUDDY, MT_MOVABLE, NR_ORDERS, T_ANON, T_FILE, TYPE_MASK, Geometry
from stress.checkers import check_all
from stress.errors import UserError
from stress.storm.fragmentation import (
    NR_SAMPLES_MAX,
    Series,
    blocks_of,
    check_fragmentation,
    extfrag_index,
    prepare_machine,
    unusable_index,
)
from stress.storm.scenario import Fragmentation

GEOMETRY = Geometry(
    nr_cpus=4, nr_nodes=2, frames_per_node=2048, pageblock_order=5, words_per_frame=8, nr_tasks=8, task_pages=512, table_pages=128,
    nr_files=4, file_pages=256,
)  # fmt: skip
SHARES = Fragmentation(movable=0.6, unmovable=0.08, reclaimable=0.04, pinned=0.01)


def blocks(**by_order):
    """Free blocks by order: blocks(o0=5, o3=1)."""
    return [by_order.get(f"o{order}", 0) for order in range(NR_ORDERS)]


@pytest.mark.parametrize(
    ("free", "order", "expected"),
    [
        (blocks(), 3, 0),  # nothing is free
        (blocks(o3=1), 3, -1000),  # one will do
        (blocks(o9=1), 3, -1000),
        (blocks(o0=1000), 9, 998),  # 1000 - (1000 + 1000 * 1000 / 512) / 1000: all fragmentation
        (blocks(o0=1), 9, 0 - 1),  # 1000 - (1000 + 1000 / 512) / 1: all want of memory, and the kernel's integers pass zero
        (blocks(o8=3), 9, 167),  # 1000 - (1000 + 768 * 1000 / 512) / 3
    ],
)
def test_extfrag_index_is_the_kernels(free, order, expected):
    assert extfrag_index(free, order) == expected


@pytest.mark.parametrize(
    ("free", "order", "expected"),
    [(blocks(), 0, 1000), (blocks(o0=7), 0, 0), (blocks(o0=7), 1, 1000), (blocks(o0=1, o1=1), 1, 333), (blocks(o0=512, o9=1), 9, 500)],
)
def test_unusable_index_is_the_kernels(free, order, expected):
    assert unusable_index(free, order) == expected


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (range(0), blocks()),
        (range(3, 4), blocks(o0=1)),
        (range(1, 3), blocks(o0=2)),  # neighbours, and no buddies
        (range(4, 11), blocks(o2=1, o1=1, o0=1)),
        (range(2048), blocks(o10=2)),
        (range(1, 2047), blocks(**{f"o{order}": 2 for order in range(10)})),
    ],
)
def test_free_bits_make_the_blocks_that_a_buddy_would(frames, expected):
    free = np.zeros(2048 if len(frames) > 100 else 11, np.bool_)
    free[list(frames)] = True
    assert blocks_of(free) == expected


class Booted:
    """As much of a Memory as a series looks at."""

    def __init__(self):
        self.policy_allocator = ALLOCATOR_BUDDY
        self.arrays = {"nr_free": np.zeros(2 * NR_ORDERS * 4, np.int64), "memdesc": np.zeros(64, np.int64)}
        self.arrays["nr_free"][9 * 4 + MT_MOVABLE] = 2


def test_a_series_tells_nodes_apart_and_stays_short():
    mem, series = Booted(), Series()
    mem.arrays["memdesc"][:8], mem.arrays["memdesc"][32:34] = T_ANON, T_FILE
    for second in range(3 * NR_SAMPLES_MAX):
        series.sample(second, mem)
    samples = series.to_json()
    assert samples[0]["free_frames"] == [1024, 0]
    assert samples[0]["movable_frames"] == [8, 2]
    assert [node[9] for node in samples[0]["extfrag_index"]] == [-1000, 0]
    assert [node[9] for node in samples[0]["unusable_index"]] == [0, 1000]
    assert len(samples) <= NR_SAMPLES_MAX
    assert samples[0]["seconds"] == 0
    assert samples[-1]["seconds"] > 2.9 * NR_SAMPLES_MAX


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"movable": 0.95}, "fragmentation.movable = 0.95: tasks and files of this machine can hold at most"),
        ({"movable": 0.1, "unmovable": 0.8}, "fragmentation.unmovable .* 1 workers can hold"),
        ({"movable": 0.4, "pinned": 0.4}, "fragmentation.pinned = 0.4: 1 workers can pin"),
    ],
)
def test_shares_that_cannot_be_had_are_refused_in_one_line(wanted, expected):
    geometry = Geometry(nr_cpus=1, frames_per_node=8192, nr_tasks=4, task_pages=1024, nr_files=4, file_pages=1024)
    with pytest.raises(UserError, match=expected) as caught:
        check_fragmentation(Fragmentation(**wanted), geometry)
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def prepared():
    """A function from a seed to a machine that was brought to SHARES."""
    from kernels.policy.boot import boot
    from stress.machine.segment import create_machine
    from stress.machine.sizes import derived_params
    from stress.roles._prepare import prepare

    def make(seed):
        mem = create_machine(GEOMETRY, derived_params(GEOMETRY) | {"seed": seed})
        boot(mem, 0)
        prepare_machine(mem, SHARES, prepare)
        return mem

    return make


@pytest.mark.slow  # compiles kernels
def test_the_state_is_a_function_of_the_seed(prepared):
    first, second, other = (prepared(seed).arrays for seed in (3, 3, 4))
    timed = {"ring_cycles", "waits", "lock_spins"}
    assert [name for name in first if name not in timed and not np.array_equal(first[name], second[name])] == []
    assert not np.array_equal(first["memdesc"], other["memdesc"])


@pytest.mark.slow
def test_the_shares_are_those_that_were_asked_for_and_free_memory_has_holes(prepared):
    mem = prepared(5)
    at, nr_frames = mem.arrays, GEOMETRY.nr_frames
    kinds = at["memdesc"] & TYPE_MASK
    assert (np.isin(kinds, (T_ANON, T_FILE)).sum()) == pytest.approx(SHARES.movable * nr_frames, rel=0.02)
    assert (kinds == T_FILE).sum() == pytest.approx(SHARES.movable * nr_frames / 4, rel=0.1)
    held = sum((1 << at["held_order"][cpu * 4096 : cpu * 4096 + count]).sum() for cpu, count in enumerate(at["held_count"]))
    assert held == pytest.approx((SHARES.unmovable + SHARES.reclaimable) * nr_frames, rel=0.02)
    assert at["pin_count"].sum() == int(SHARES.pinned * nr_frames)
    assert mem.kernel_target == round(at["held_count"].sum() / 4)
    series = Series()
    series.sample(0, mem)
    assert all(node[GEOMETRY.pageblock_order] > 500 for node in series.to_json()[0]["unusable_index"])
    assert check_all(mem) == []
