"""The slow path of an allocation step by step, and folios that are allocated and never published."""

import pytest

from kernels.base.layout import HIST_BUCKETS, WAIT_PAGEBLOCK, WAITS, Type
from tests.kernels.kit import audit, make_machine

UNMOVABLE, MOVABLE = 0, 1


def free_descriptors(m):
    return int(m["desc_top"][0] + m["desc_cached"].sum())


def test_what_is_free_is_allocated_without_reclaim(machine):
    m = machine
    pfn = m.alloc_pages(1, 0, MOVABLE)
    assert pfn >= 256
    assert m.counter("allocstall") == m.counter("lru_add_drain") == m.counter("pcp_drain_remote") == 0
    m.free_frozen_pages(pfn, 0)


def test_frames_on_another_cpus_list_are_drained(machine):
    m = machine
    m["zone_min"][:], m["zone_low"][:] = 0, 0
    taken = m.exhaust()
    m.on(1).free_frozen_pages(taken[0], 0)
    assert m["zone_free"].tolist() == [0, 0]
    assert m.alloc_frozen_pages(0, 0, MOVABLE) == -1
    assert m.alloc_pages(0, 0, MOVABLE) == taken[0]
    assert (m.counter("allocstall"), m.counter("pcp_drain_remote")) == (1, 1)
    m.give_back(taken)


@pytest.mark.parametrize("order", [0, 1])
def test_only_a_larger_block_is_worth_a_compaction(machine, order):
    m = machine
    taken = m.exhaust()
    assert m.alloc_pages(0, order, MOVABLE) == -1
    assert m.counter("compact_stall") == m.counter("compact_fail") == order
    assert m.counter("allocstall") == 1
    m.give_back(taken)


def test_what_does_not_move_is_not_allocated_on_a_movable_node(built):
    m = make_machine(movable_nodes=1)
    desc = m.create_folio(1, 0, 4, 0)
    m.lru_add_drain()
    m.folio_put(desc)
    taken = m.exhaust(0)
    assert m.on(1).alloc_pages(1, 0, UNMOVABLE) == -1
    assert m.load_entry(0, 4) == desc + 1, "reclaim there would not help"
    m.give_back(taken)
    audit(m)


@pytest.mark.parametrize("possible", [True, False])
def test_a_pageblock_is_counted_and_what_succeeds_is_timed(machine, possible):
    m = machine
    taken = [] if possible else m.exhaust()
    pfn = m.alloc_pages(0, 3, MOVABLE)
    assert (pfn >= 0) == possible
    assert (m.counter("pageblock_tried"), m.counter("pageblock_succeeded")) == (1, possible)
    assert m["waits"].reshape(3, len(WAITS), HIST_BUCKETS)[0, WAIT_PAGEBLOCK].sum() == m["waits"].sum() == possible
    if possible:
        assert pfn % 8 == 0
        m.free_frozen_pages(pfn, 3)
    m.give_back(taken)


@pytest.mark.parametrize("order", [0, 2, 3])
def test_a_folio_that_is_discarded_leaves_nothing(machine, order):
    m = machine
    descriptors = free_descriptors(m)
    desc = m.alloc_folio(1, order, Type.ANON, m.anon_mapping(0), 8)
    pfn = int(m["folio_pfn"][desc])
    assert pfn >= 256
    assert (m["folio_order"][desc], m["mapping"][desc], m["folio_index"][desc]) == (order, m.anon_mapping(0), 8)
    assert m.refs(desc) == 0
    assert [m.try_get_pfn(pfn + k) for k in range(1 << order)] == [-1] * (1 << order), "no word leads to it"
    m.discard_folio(desc)
    assert free_descriptors(m) == descriptors
    assert m.free_frames() == 512


def test_no_memory_for_a_folio_takes_no_descriptor(machine):
    m = machine
    taken, descriptors = m.exhaust(), free_descriptors(m)
    assert m.alloc_folio(0, 0, Type.ANON, 0, 0) == -1
    assert free_descriptors(m) == descriptors
    m.give_back(taken)


# ------------------------------------------------------------------------------------------- targets of NUMA balancing


@pytest.fixture
def source(machine):
    """A machine with an anonymous folio of order 2 on node 0; its descriptor."""
    pfn = machine.touch(0, 8, order=2)
    machine.lru_add_drain()
    assert pfn < 256
    return machine, machine.desc_at(pfn)


@pytest.mark.parametrize("put", ["unused", "speculated"])
def test_a_target_has_the_kind_of_its_source_and_is_put_back(source, put):
    m, src = source
    dst = m.alloc_misplaced_dst(src, 1)
    pfn = int(m["folio_pfn"][dst])
    assert pfn >= 256
    assert (m["folio_order"][dst], m["folio_type"][dst], m.refs(dst)) == (2, Type.ANON, 1)
    assert (m["mapping"][dst], m["flags"][dst]) == (0, 0), "nothing of the source before the move"
    assert {m.word(pfn + k) for k in range(4)} == {m.desc_word(Type.ANON, dst)}
    if put == "speculated":
        assert m.on(1).try_get_pfn(pfn + 3) == dst
    m.put_misplaced_dst(dst, 1)
    if put == "speculated":
        assert m.word(pfn) == m.desc_word(Type.ANON, dst), "the speculator frees it"
        assert m.on(1).folio_put(dst)
    assert m.free_frames() == 508


def test_a_node_below_its_high_watermark_gives_no_target(source):
    m, src = source
    m["zone_high"][1] = 257
    assert m.alloc_misplaced_dst(src, 1) == -1
    assert m.counter("allocstall") == m.counter("numa_miss") == 0, "neither reclaim nor another node"


def test_a_node_without_a_block_gives_no_target(source):
    m, src = source
    m["zone_high"][1] = m["zone_low"][1] = m["zone_min"][1] = 0
    taken = m.exhaust(1)
    m.give_back([pfn for pfn in taken if pfn & 1])  # no two of them buddies
    assert m.alloc_misplaced_dst(src, 1) == -1
    m.give_back([pfn for pfn in taken if not pfn & 1])
