"""Per-CPU lists, watermarks and node fallback."""

import itertools

import pytest

from kernels.base.layout import LC_PCP, NONE_WORD, NR_PCPTYPES, PCP_HIGH, PCP_STRIDE, PCP_TOTAL, Bug, Migratetype

UNMOVABLE, MOVABLE, RECLAIMABLE, ISOLATE = map(int, Migratetype)


def held(m, cpu, nid, order=0, migratetype=MOVABLE):
    return int(m["pcp_nr"][(cpu * 2 + nid) * PCP_STRIDE + order * NR_PCPTYPES + migratetype])


def total(m, cpu, nid):
    return int(m["pcp_nr"][(cpu * 2 + nid) * PCP_STRIDE + PCP_TOTAL])


def test_a_miss_refills_a_batch(machine):
    m = machine
    pfn = m.alloc_on_node(0, 0, MOVABLE)
    assert held(m, 0, 0) == total(m, 0, 0) == m.mem.pcp_batch - 1
    assert m.counter("pcp_refill") == 1
    again = m.alloc_on_node(0, 0, MOVABLE)
    assert again != pfn
    assert m.counter("pcp_refill") == 1
    m.free_frozen_pages(pfn, 0)
    assert m.alloc_on_node(0, 0, MOVABLE) == pfn, "the hottest first"
    for each in (pfn, again):
        m.free_frozen_pages(each, 0)
    assert m.free_frames() == 512


@pytest.mark.parametrize("order", range(4))
def test_lists_overflow_into_the_zone(machine, order):
    m = machine
    taken = [m.alloc_on_node(0, order, MOVABLE) for _ in range(20)]
    for pfn in taken:
        m.free_frozen_pages(pfn, order)
    assert 0 < total(m, 0, 0) <= m.mem.pcp_high
    assert m.counter("pcp_drain") > 0
    assert m.free_frames() == 512


def fill(m, migratetype, nr_frames):
    """Put frames on a list of this CPU; the frames, coldest first."""
    pfns = [m.buddy_alloc(0, 0, migratetype) for _ in range(nr_frames)]
    for pfn in pfns:
        assert m.pcp_free(0, pfn, 0, migratetype)
    assert m.counter("pcp_drain") == 0
    return pfns


def test_a_batch_is_drained_from_the_other_lists_first(machine):
    m = machine
    mine, others = fill(m, MOVABLE, 8), fill(m, RECLAIMABLE, 8)
    m.pcp_make_room(0, 0, MOVABLE)
    assert (held(m, 0, 0, 0, MOVABLE), held(m, 0, 0, 0, RECLAIMABLE)) == (8, 4)
    assert total(m, 0, 0) + m.mem.pcp_batch == m.mem.pcp_high
    assert {m.pcp_alloc(0, 0, RECLAIMABLE) for _ in range(4)} == set(others[4:]), "the coldest are drained"
    assert {m.pcp_alloc(0, 0, MOVABLE) for _ in range(8)} == set(mine)
    for pfn in (*mine, *others[4:]):
        m.free_frozen_pages(pfn, 0)


def test_a_batch_is_drained_from_the_same_list_if_the_others_are_empty(machine):
    m = machine
    fill(m, MOVABLE, 16)
    m.pcp_make_room(0, 0, MOVABLE)
    assert held(m, 0, 0) == total(m, 0, 0) == 12


def test_orders_above_costly_go_to_the_zone(machine):
    m = machine
    pfn = m.alloc_on_node(0, 4, MOVABLE)
    m.free_frozen_pages(pfn, 4)
    assert total(m, 0, 0) == 0


def test_a_remote_drain(machine):
    m = machine
    pfn = m.alloc_on_node(1, 0, MOVABLE)
    m.on(2).drain_all_pages(1)
    assert total(m, 0, 1) == 0
    assert m.counter("pcp_drain_remote") == 1
    m.on(1).free_frozen_pages(pfn, 0)
    assert held(m, 1, 1) == 1, "on the freeing CPU's list"


def test_disabled_lists_stay_empty_and_nest(machine):
    m = machine
    pfns = [m.alloc_on_node(0, 0, MOVABLE) for _ in range(3)]
    m.on(1).zone_pcp_disable(0)
    m.on(2).zone_pcp_disable(0)
    assert total(m, 0, 0) == 0
    again = m.alloc_on_node(0, 0, MOVABLE)
    assert total(m, 0, 0) == 0, "nothing is refilled"
    m.free_frozen_pages(again, 0)
    m.free_frozen_pages(pfns.pop(), 0)
    m.on(1).zone_pcp_enable(0)
    m.free_frozen_pages(pfns.pop(), 0)
    assert total(m, 0, 0) == 0
    m.on(2).zone_pcp_enable(0)
    m.free_frozen_pages(pfns.pop(), 0)
    assert total(m, 0, 0) == 1


def test_an_enable_does_not_undo_a_disable_that_comes_between(machine):
    m = machine
    m.on(1).zone_pcp_disable(0)
    m["zone_pcp_disabled"][0] += 1  # the next disabler has raised the count before the first one enables
    m.on(1).zone_pcp_enable(0)
    m.pcp_update_high(0)
    assert [m["pcp_nr"][(cpu * 2) * PCP_STRIDE + PCP_HIGH] for cpu in range(3)] == [0, 0, 0]


@pytest.mark.meets("pcp_lock_contended")
def test_a_list_whose_lock_is_taken_is_bypassed(machine):
    m = machine
    m.on(1).spin_lock(m.mem.lock_pcp, LC_PCP)
    pfn = m.alloc_on_node(0, 0, MOVABLE)
    m.free_frozen_pages(pfn, 0)
    assert m.counter("met_pcp_lock_contended") == 2
    assert total(m, 0, 0) == 0
    m.on(1).spin_unlock(m.mem.lock_pcp)


def test_nodes_fall_back_and_watermarks_hold(machine):
    m = machine
    taken = []
    while (pfn := m.alloc_frozen_pages(1, 0, MOVABLE)) >= 0:
        taken.append(pfn)
    nodes = [pfn // 256 for pfn in taken]
    assert [nid for nid, _ in itertools.groupby(nodes)] == [1, 0, 1, 0], "down to the low watermarks, then to the min ones"
    assert m.counter("numa_hit") == nodes.count(1)
    assert m.counter("numa_miss") == nodes.count(0)
    m.drain()
    assert (m["zone_free"] >= m["zone_min"]).all(), "the min watermark is kept"
    for pfn in taken:
        m.free_frozen_pages(pfn, 0)
    assert m.free_frames() == 512


def test_frames_of_an_isolated_block_bypass_the_lists(machine):
    m = machine
    pfn = m.alloc_on_node(0, 0, MOVABLE)
    assert m.isolate_pageblock(pfn >> 3)
    m.zone_pcp_enable(0)  # even with the lists in use
    m.free_frozen_pages(pfn, 0)
    assert total(m, 0, 0) == 0
    assert m["zone_isolate_free"][0] == 8
    m["zone_pcp_disabled"][0] += 1
    m.unisolate_pageblock(pfn >> 3)


def test_a_word_left_behind_is_a_bug(machine):
    m = machine
    pfn = m.alloc_frozen_pages(0, 1, MOVABLE)
    m["memdesc"][pfn + 1] = NONE_WORD | 1 << 40
    assert m.expect_bug(Bug.WORD_CHANGED, lambda: m.free_frozen_pages(pfn, 1))[1] == pfn + 1


def test_cpus_are_on_the_nodes_in_turn(machine):
    assert [machine.on(cpu).cpu_node() for cpu in range(3)] == [0, 1, 0]
