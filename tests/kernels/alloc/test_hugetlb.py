"""The hugetlb pool: dequeued, filled by the last put, surplus, dissolved."""

import pytest

from kernels.base.layout import FL_HUGE_FREE, FL_HUGETLB, Bug, Type

ORDER = 3  # of a pageblock of the small machine


def fresh(m):
    return m.huge_add_surplus(0, m.alloc_frozen_pages(0, ORDER, 1))


def counts(m):
    return m["huge_nr"][0], m["huge_free"][0], m["huge_surplus"][0]


def end(m):
    while m["huge_free"][0]:
        desc = m["huge_desc"][m["huge_free"][0] - 1]
        m.dissolve_free_huge_page(m["folio_pfn"][desc] >> ORDER)
    assert counts(m) == (0, 0, 0)
    assert not (m["flags"] & (FL_HUGETLB | FL_HUGE_FREE)).any()
    assert m.free_frames() == 512


def test_a_put_fills_the_pool_and_then_the_buddy(machine):
    m = machine
    held = [fresh(m) for _ in range(3)]
    assert counts(m) == (3, 0, 3)
    for desc in held:
        m.folio_put(desc)
    assert counts(m) == (2, 2, 0), "the pool wants two, the third was surplus"
    desc = m.huge_dequeue(0)
    assert desc == held[1]
    assert m.refs(desc) == 1
    assert m["flags"][desc] & (FL_HUGETLB | FL_HUGE_FREE) == FL_HUGETLB
    m.folio_put(desc)
    assert counts(m) == (2, 2, 0)
    end(m)


def test_no_reference_is_taken_on_a_folio_in_the_pool(machine):
    m = machine
    desc = fresh(m)
    pfn = m["folio_pfn"][desc]
    assert m.on(1).try_get_pfn(pfn + 5) == desc
    m.folio_put(desc)
    assert counts(m) == (1, 0, 1), "a speculator holds it"
    m.on(1).folio_put(desc)
    assert counts(m) == (1, 1, 0), "the speculator's put gives it to the pool"
    assert m.word(pfn) & 15 == Type.COUNTED
    assert m.try_get_pfn(pfn) == -1
    assert not m.is_movable(m.word(pfn))
    end(m)


@pytest.mark.meets("dissolve_met_freeing")
def test_what_is_in_use_or_being_freed_is_not_dissolved(machine):
    """C16: a count of zero does not say that it is in the pool."""
    m = machine
    desc = fresh(m)
    pfn = int(m["folio_pfn"][desc])
    assert not m.huge_dissolve(0, pfn)
    assert m.ref_put_testzero(desc, 1)
    assert not m.huge_dissolve(0, pfn)
    assert m.counter("met_dissolve_met_freeing") == 1
    assert m.huge_enqueue(desc, 0)
    assert not m.huge_dissolve(0, pfn + 8)
    assert m.huge_dissolve(0, pfn)
    m.free_frozen_pages(pfn, ORDER)
    end(m)


def test_evacuation_dissolves(machine):
    m = machine
    desc = fresh(m)
    block = int(m["folio_pfn"][desc]) >> ORDER
    m.folio_put(desc)
    assert m.isolate_and_evacuate(block) == 0
    m.unisolate_pageblock(block)
    end(m)


@pytest.mark.parametrize("how", ["lost", "full"])
def test_a_pool_whose_counts_are_wrong_is_a_bug(machine, how):
    m = machine
    desc = fresh(m)
    pfn = m["folio_pfn"][desc]
    if how == "lost":
        m.folio_put(desc)
        m["huge_free"][0] = 0
        m.expect_bug(Bug.HUGE_LOST, lambda: m.huge_dissolve(0, pfn))
    else:
        m["huge_free"][0] = len(m["huge_desc"]) // 2
        m["huge_surplus"][0] = 0
        m.expect_bug(Bug.OVERFLOW, lambda: m.folio_put(desc))
    m["halt"][0] = 1
