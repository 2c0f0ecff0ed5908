"""Faults, copy on write, and fork with and without pins."""

import pytest

from kernels.base.layout import PTE_EXCLUSIVE, PTE_WRITE, Bug
from tests.kernels.kit import free_lists, in_child, until, wait


@pytest.mark.parametrize("order", range(4))
def test_a_fault_maps_a_whole_folio(machine, order):
    m = machine
    m.touch(0, 17, order=order)
    first = 17 & ~((1 << order) - 1)
    pfn = m.pte(0, first) >> 10
    assert [m.pte(0, first + k) >> 10 for k in range(1 << order)] == list(range(pfn, pfn + (1 << order)))
    m.lru_add_drain()
    assert m.refs(m.desc_at(pfn)) == m["mapcount"][m.desc_at(pfn)] == 1 << order
    assert m.counter("thp_fault_alloc") == (order > 0)


def test_a_large_folio_that_does_not_fit_falls_back(machine):
    m = machine
    m.touch(0, 18)
    m.touch(0, 17, order=2)
    assert m.counter("thp_fault_fallback") == 1
    assert m["folio_order"][m.desc_at(m.pte(0, 17) >> 10)] == 0


def test_no_memory(machine):
    m = machine
    taken = m.exhaust()
    assert m.handle_fault(0, 3, 1, 0) == -1
    assert m.pte(0, 3) == 0
    assert m.counter("allocstall") == 1
    m.give_back(taken)


def test_fork_shares_and_a_write_copies(machine):
    m = machine
    pfn = m.touch(0, 5)
    m.lru_add_drain()
    assert m.fork_range(0, 2, 5, 1) == 1
    assert m.pte(0, 5) >> 10 == m.pte(2, 5) >> 10 == pfn
    assert not (m.pte(0, 5) | m.pte(2, 5)) & (PTE_WRITE | PTE_EXCLUSIVE)
    assert m.touch(2, 5, write=0) == pfn
    copy = m.touch(2, 5)
    assert copy != pfn
    assert m.counter("cow_fault") == 1
    assert m["contents"][copy * 8 + 1] == m["contents"][pfn * 8 + 1] + 1
    m.lru_add_drain()
    assert m.touch(0, 5) == pfn, "alone again: reused"
    assert m.counter("cow_reuse") == 1
    assert m.pte(0, 5) & PTE_EXCLUSIVE


def test_a_child_sees_what_was_written_before(machine):
    m = machine
    for _ in range(5):
        m.touch(0, 5)
    m.fork_range(0, 1, 5, 1)
    assert m["oracle"][64 + 5] & 0xFFFFFFFF == 5
    m["contents"][(m.pte(1, 5) >> 10) * 8 + 1] -= 1
    m.expect_bug(Bug.LOST_WRITE, lambda: m.task_access(1, 5, 0))


@pytest.mark.meets("cow_on_pinned")
def test_a_pinned_page_stays_the_parents(machine):
    m = machine
    pfn = m.touch(0, 5)
    m.lru_add_drain()
    desc = m.on(1).gup_fast(0, 5, 1)
    assert m.fork_range(0, 1, 5, 1) == 1
    assert m.pte(0, 5) >> 10 == pfn
    assert m.pte(0, 5) & PTE_WRITE, "the pin writes to the page that the parent sees"
    assert m.pte(1, 5) >> 10 != pfn
    assert m.counter("met_cow_on_pinned") == 1
    m.on(1).write_frame(pfn)
    assert m.task_access(1, 5, 0) == 0
    m.on(1).unpin_folio(desc)
    assert m.refs(desc) == 1


def test_a_child_that_has_a_page_there_keeps_it(machine):
    m = machine
    parents, mine = m.touch(0, 5), m.touch(1, 5)
    m.lru_add_drain()
    childs_pte = m.pte(1, 5)
    assert m.fork_range(0, 1, 5, 1) == 0
    assert m.pte(1, 5) == childs_pte
    assert m.pte(0, 5) & PTE_EXCLUSIVE
    assert (m.touch(0, 5), m.touch(1, 5)) == (parents, mine)
    assert m.counter("cow_fault") == 0, "nothing is shared, so nothing is copied"
    assert [m.refs(m.desc_at(pfn)) for pfn in (parents, mine)] == [1, 1]


def test_fork_of_a_large_folio(machine):
    m = machine
    pfn = m.touch(0, 8, order=2)
    m.lru_add_drain()
    assert m.fork_range(0, 1, 6, 8) == 4
    assert m.refs(m.desc_at(pfn)) == 8
    m.touch(1, 9)
    assert m.refs(m.desc_at(pfn)) == 7
    for space in (0, 1):
        m.zap_range(space, 0, 48)
    assert m.free_frames() == 512
    assert len(free_lists(m)) == 2


def test_a_file_page_is_mapped_where_it_belongs(machine):
    m = machine
    vpage = m.mem.anon_pages + 6
    pfn = m.touch(3, vpage, write=0, order=2)
    desc = m.desc_at(pfn)
    assert m["folio_index"][desc] == 4
    assert pfn == m["folio_pfn"][desc] + 2
    assert m["contents"][pfn * 8] == m.owner_stamp(m.file_mapping(1), 6)
    assert m.pte(3, vpage) & PTE_WRITE == 0


@pytest.mark.meets("fault_on_migration_entry")
def test_waiting_for_a_migration_ends_with_it(machine):
    m = machine
    pfn = m.touch(0, 5)
    m.lru_add_drain()
    desc = m.try_get_pfn(pfn)
    m.unmap_one(desc, 0, 5)
    pid = in_child(lambda: m.on(1).handle_fault(0, 5, 1, 0))
    until(lambda: m.counter("met_fault_on_migration_entry") > 0)
    m.remap_one(0, 5, pfn, 1, pfn)
    assert wait(pid) == 0
    m.folio_put(desc)


def no_memory(m):
    m["zone_min"][:] = m["zone_low"][:] = 0
    m.drain()
    return m.exhaust()


def test_no_memory_for_a_copy_leaves_the_page_shared(machine):
    m = machine
    pfn = m.touch(0, 5)
    m.lru_add_drain()
    m.fork_range(0, 1, 5, 1)
    taken = no_memory(m)
    assert m.handle_fault(1, 5, 1, 0) == -1
    assert m.pte(0, 5) >> 10 == m.pte(1, 5) >> 10 == pfn
    assert m.refs(m.desc_at(pfn)) == 2
    assert not m.pte(1, 5) & PTE_WRITE
    m.give_back(taken)
    assert m.touch(1, 5) != pfn


def test_no_memory_for_the_copy_of_a_pinned_page(machine):
    m = machine
    pfn = m.touch(0, 5)
    m.lru_add_drain()
    desc = m.on(1).gup_fast(0, 5, 1)
    taken = no_memory(m)
    assert m.fork_range(0, 1, 5, 1) == 0
    assert m.pte(1, 5) == 0
    assert m.pte(0, 5) & PTE_WRITE
    assert m.refs(desc) == 2, "the mapping's, and the pin's"
    m.on(1).unpin_folio(desc)
    m.give_back(taken)
    assert m.touch(0, 5) == pfn


def test_a_write_fault_on_what_is_gone_or_writable_does_nothing(machine):
    m = machine
    assert m.do_wp_page(0, 5) == 0
    pfn = m.touch(0, 5)
    before = m.pte(0, 5)
    assert m.do_wp_page(0, 5) == 0
    assert m.pte(0, 5) == before
    assert m.counter("cow_fault") == m.counter("cow_reuse") == 0
    assert m.refs(m.desc_at(pfn)) == 2, "the mapping's, and the batch's"


def test_no_memory_for_a_file_page(machine):
    m = machine
    taken = no_memory(m)
    vpage = m.mem.anon_pages + 6
    assert m.handle_fault(0, vpage, 0, 0) == -1
    assert m.file_read(0, 0, 6, 0) == m.file_write(0, 0, 6, 0) == -1
    assert m.pte(0, vpage) == 0
    assert not m["cache"].any()
    assert m["file_oracle"][6] & 0xFFFFFFFF == 0, "nothing was written"
    m.give_back(taken)
