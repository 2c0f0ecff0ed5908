"""KSM: two pages become one, and a write makes them two again."""

import pytest

from kernels.base.layout import Reason, Type

PAGE = 5


def two_alike(m, writes=1):
    """Tasks 0 and 1 of a family, with a page each at the same place, written equally often."""
    for space in (0, 1):
        for _ in range(writes):
            m.touch(space, PAGE)
    m.lru_add_drain()
    return frame(m, 0), frame(m, 1)


def frame(m, space):
    return m.pte(space, PAGE) >> 10


def kind(m, space):
    return m.word(frame(m, space)) & 15


def test_two_become_one(machine):
    m = machine
    first, second = two_alike(m)
    assert first != second
    assert m.ksm_merge(0, 1, PAGE) == 2
    m.lru_add_drain()
    assert frame(m, 0) == frame(m, 1) not in (first, second)
    assert kind(m, 0) == Type.KSM
    desc = m.desc_at(frame(m, 0))
    assert (m.refs(desc), m["mapcount"][desc]) == (2, 2)
    assert m.word(first) & 15 != Type.ANON
    for space in (0, 1):
        assert m.task_access(space, PAGE, 0) == 0
    assert m.counter("ksm_merged") == 1


@pytest.mark.meets("ksm_broken_by_write")
def test_a_write_breaks_it_even_if_one_mapping_is_left(machine):
    m = machine
    two_alike(m)
    m.ksm_merge(0, 1, PAGE)
    m.lru_add_drain()
    shared = frame(m, 0)
    assert m.touch(0, PAGE) != shared
    assert kind(m, 0) == Type.ANON
    assert frame(m, 1) == shared
    assert m.touch(1, PAGE) != shared, "its last mapping copies too"
    assert m.counter("met_ksm_broken_by_write") == 2
    assert m.counter("cow_reuse") == 0
    assert m["oracle"][PAGE] & 0xFF == m["oracle"][m.mem.task_pages + PAGE] & 0xFF == 2


def test_what_differs_is_left_alone(machine):
    m = machine
    first, second = two_alike(m)
    m.touch(0, PAGE)
    assert m.ksm_merge(0, 1, PAGE) == 0
    assert (frame(m, 0), frame(m, 1)) == (first, second)


@pytest.mark.meets("ksm_refused_by_reference")
def test_a_pin_refuses(machine):
    m = machine
    first, second = two_alike(m)
    desc = m.gup_fast(1, PAGE, 1)
    assert m.ksm_merge(0, 1, PAGE) == 1, "the first could be replaced"
    assert frame(m, 1) == second
    assert m.task_access(1, PAGE, 1) == 0, "it may write as before"
    m.unpin_folio(desc)
    assert m.ksm_merge(1, 0, PAGE) == 0, "which is a KSM page already"
    desc = m.gup_fast(1, PAGE, 1)
    assert m.ksm_merge(1, 2, PAGE) == 0
    m.unpin_folio(desc)
    assert m.counter("met_ksm_refused_by_reference") == 1
    assert first != frame(m, 0)


def test_nothing_is_mapped(machine):
    assert machine.ksm_merge(0, 1, PAGE) == 0


def test_it_migrates_as_a_folio(machine):
    m = machine
    two_alike(m)
    m.ksm_merge(0, 1, PAGE)
    m.lru_add_drain()
    pfn = frame(m, 0)
    m.clear_bitmap(0)
    m.set_bit(0, pfn)
    assert m.migrate_range(0, 0, Reason.CONTIG_RANGE, 1) == 0
    assert frame(m, 0) == frame(m, 1) != pfn
    assert kind(m, 0) == Type.KSM
    assert m.task_access(0, PAGE, 0) == m.task_access(1, PAGE, 0) == 0


def test_a_fork_shares_it(machine):
    m = machine
    two_alike(m)
    m.ksm_merge(0, 1, PAGE)
    m.lru_add_drain()
    assert m.fork_range(1, 2, PAGE, 1) == 1
    assert frame(m, 2) == frame(m, 0)
    assert m["mapcount"][m.desc_at(frame(m, 0))] == 3


def test_no_memory_for_the_merged_page(machine):
    m = machine
    pages = two_alike(m)
    m["zone_min"][:] = m["zone_low"][:] = 0
    m.drain()
    taken, descriptors = m.exhaust(), m["desc_top"][0] + m["desc_cached"].sum()
    assert m.ksm_merge(0, 1, PAGE) == 0
    assert (frame(m, 0), frame(m, 1)) == pages
    assert m["desc_top"][0] + m["desc_cached"].sum() == descriptors
    m.give_back(taken)


def test_a_pin_of_the_first_leaves_both_as_they_were(machine):
    m = machine
    pages = two_alike(m)
    desc = m.gup_fast(0, PAGE, 1)
    assert m.ksm_merge(0, 1, PAGE) == 0
    assert (frame(m, 0), frame(m, 1)) == pages
    assert m.task_access(0, PAGE, 1) == 0, "the owner of the pin may write as before"
    m.unpin_folio(desc)
    for space in (0, 1):
        m.zap_range(space, PAGE, 1)
    assert m.free_frames() == 512, "what was allocated for the merged page is discarded"
