"""Per-CPU lists and the zone: the size of batches, and blocks that are taken or given back as one."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.base.layout import LC_ZONE, NR_PCPTYPES, PCP_STREAK, PCP_TOTAL, Bug, Migratetype
from tests.kernels import kit

MOVABLE, ISOLATE = int(Migratetype.MOVABLE), int(Migratetype.ISOLATE)
FEW = settings(derandomize=True, deadline=None, max_examples=20)


def refill_sizes(m, nr_frames):
    """Frames that each refill took, while so many are allocated."""
    sizes = []
    for _ in range(nr_frames):
        before = int(m["zone_free"][0])
        assert m.alloc_on_node(0, 0, MOVABLE) >= 0
        if int(m["zone_free"][0]) != before:
            sizes.append(before - int(m["zone_free"][0]))
    return sizes


def test_refills_in_a_row_double_until_the_lists_would_hold_all_but_a_batch_of_the_high_mark(machine):
    assert (machine.mem.pcp_high, machine.mem.pcp_batch) == (16, 4)
    assert refill_sizes(machine, 50) == [4, 8, 12, 12, 12, 12]


def test_drains_in_a_row_double_and_leave_a_batch(machine):
    m = machine
    taken = [m.buddy_alloc(0, 0, MOVABLE) for _ in range(60)]
    sizes = []
    for pfn in taken[::2]:
        before = int(m["pcp_nr"][PCP_TOTAL])
        m.free_frozen_pages(pfn, 0)
        if int(m["pcp_nr"][PCP_TOTAL]) != before + 1:
            sizes.append(before + 1 - int(m["pcp_nr"][PCP_TOTAL]))
    assert sizes == [4, 8, 12, 12][: len(sizes)]
    assert len(sizes) >= 3
    m.give_back(taken[1::2])


def test_a_drain_ends_a_streak_of_refills_and_the_other_way_round(machine):
    m = machine
    m["pcp_nr"][PCP_STREAK] = 5
    assert m.nr_pcp_free(0, 16) == 4
    assert m["pcp_nr"][PCP_STREAK] == -1
    assert m.nr_pcp_free(0, 16) == 8
    assert m.nr_pcp_alloc(0, 0, 0) == 4
    assert m["pcp_nr"][PCP_STREAK] == 1


def test_refills_do_not_grow_into_the_high_watermark(machine):
    m = machine
    m["pcp_nr"][PCP_STREAK] = 2
    m["zone_high"][0] = m["zone_free"][0] - 15
    assert m.nr_pcp_alloc(0, 0, 0) == 4
    m["pcp_nr"][PCP_STREAK] = 2
    m["zone_high"][0] = m["zone_free"][0] - 16
    assert m.nr_pcp_alloc(0, 0, 0) == 12


@pytest.mark.parametrize(("order", "blocks"), [(1, 2), (2, 1), (3, 1)])
def test_larger_blocks_are_refilled_a_batch_at_a_time(machine, order, blocks):
    machine["pcp_nr"][PCP_STREAK] = 3
    assert machine.nr_pcp_alloc(0, 0, order) == blocks


def test_a_refill_that_finds_too_little_is_what_it_found(machine):
    m = machine
    m["pcp_nr"][PCP_STREAK] = 2
    taken = m.exhaust(0)
    m.give_back(taken[:3])
    m.exhaust(1)
    assert sorted(m.alloc_on_node(0, 0, MOVABLE) for _ in range(3)) == sorted(taken[:3])
    assert m.alloc_on_node(0, 0, MOVABLE) == -1
    assert m["pcp_nr"][PCP_TOTAL] == 0


def test_a_list_hands_out_a_run_in_physical_order(machine):
    first, *rest = [machine.alloc_on_node(0, 0, MOVABLE) for _ in range(30)]
    assert rest == [first + 1 + k for k in range(29)]


# ------------------------------------------------------------------------------------------------------ blocks as one


@pytest.mark.parametrize(
    ("pfns", "order", "found"),
    [
        ([0], 0, 0),
        ([0, 1], 0, 1),
        ([1, 0], 0, 1),
        ([1, 2], 0, 0),
        ([2, 3, 4, 5], 0, 1),
        ([0, 1, 2, 3, 4, 5, 6], 0, 2),
        ([7, 6, 5, 4, 3, 2, 1, 0], 0, 3),
        ([8, 9, 10, 12], 0, 1),
        ([*range(16)], 0, 3),  # a pageblock is the most
        ([4, 6], 1, 2),
        ([6, 4], 1, 2),
        ([2, 4], 1, 1),
        ([8, 16], 3, 3),
    ],
)
def test_a_run_is_the_largest_block_that_its_first_slots_make_up(machine, pfns, order, found):
    machine["pcp_frames"][: len(pfns)] = pfns
    assert machine.order_of_run(0, len(pfns), order) == found
    assert machine.order_of_run(0, 1, order) == order, "slots that do not count are not looked at"


@FEW
@given(st.integers(0, 1 << 30), st.booleans())
def test_a_drain_leaves_what_single_frees_leave(seed, reverse):
    """Frames in runs and alone, drained at once, and freed one by one on another machine."""
    shuffler, machines = random.Random(seed), [kit.make_machine(), kit.make_machine()]
    for m in machines:
        assert sorted(m.exhaust(0)) == list(range(256))
    start = shuffler.randrange(200)
    freed = [pfn for pfn in range(start, start + 24) if shuffler.random() < 0.9][:16]
    if reverse:
        freed.reverse()
    together, alone = machines
    for pfn in freed:
        assert together.pcp_free(0, pfn, 0, MOVABLE)
    together.drain_all_pages(0)
    alone.give_back(freed)
    assert kit.free_lists(together) == kit.free_lists(alone)
    assert together["zone_free"][0] == alone["zone_free"][0] == len(freed)
    kit.audit(together)


@FEW
@given(st.integers(0, 1 << 30), st.integers(0, 3), st.integers(1, 24))
def test_a_run_is_what_single_takes_would_take(seed, order, wanted):
    """The same blocks in the same order, and the same free lists, from a zone with holes."""
    shuffler, machines = random.Random(seed), [kit.make_machine(), kit.make_machine()]
    holes = shuffler.sample(range(256), shuffler.randrange(1, 256))
    for m in machines:
        m.exhaust(0)
        m.give_back(holes)
        m.spin_lock(0, LC_ZONE)
    together, alone = machines
    taken, slot = 0, 40
    while taken < wanted and (found := together.take_run(0, order, MOVABLE, slot - taken, wanted - taken)):
        taken += found
    pfns = together["pcp_frames"][slot - taken + 1 : slot + 1][::-1].tolist()
    singles = [pfn for _ in range(wanted) if (pfn := alone.take_smallest(0, order, MOVABLE)) >= 0]
    assert pfns == singles
    for field in ("memdesc", "free_head", "nr_free", "zone_free"):
        assert (together[field] == alone[field]).all(), field
    assert kit.free_lists(together) == kit.free_lists(alone)


def test_a_run_from_an_isolated_pageblock_is_a_bug(machine):
    m = machine
    m["block_migratetype"][1] = ISOLATE  # of the second eight frames only: each pageblock of a run is looked at
    m.expect_bug(Bug.ISOLATED_ALLOC, lambda: m.rmqueue_bulk(0, 0, MOVABLE, 40, 12))


def test_lists_are_numbered_by_order_and_migratetype(machine):
    m = machine
    m.alloc_on_node(0, 2, MOVABLE)
    assert m["pcp_nr"][2 * NR_PCPTYPES + MOVABLE] == 0, "a batch of four frames is one block, which was handed out"
    assert m["pcp_nr"][PCP_TOTAL] == 0
