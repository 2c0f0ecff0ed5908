"""From a folio to its PTEs and back; unmapping."""

import pytest

from kernels.base.layout import INCARNATION_SHIFT, MAPPING_ANON, PTE_DIRTY, PTE_EXCLUSIVE, PTE_MIGRATION, PTE_PRESENT, PTE_WRITE, Bug
from tests.kernels.kit import free_lists


def test_tasks_that_may_map_a_mapping(machine):
    m = machine
    family, file = m.anon_mapping(5), m.file_mapping(1)
    assert family & MAPPING_ANON
    assert list(range(m.rmap_first(family), m.rmap_end(family), m.rmap_step(family))) == [4, 5, 6, 7]
    assert list(range(m.rmap_first(file), m.rmap_end(file), m.rmap_step(file))) == [1, 3, 5, 7]
    assert not range(m.rmap_first(0), m.rmap_end(0), m.rmap_step(0))
    assert m.rmap_vpage(family, 7) == 7
    assert m.rmap_vpage(file, 7) == m.mem.anon_pages + 7


def test_locks_follow_tables(machine):
    m = machine
    locks = [m.ptl_of(space, vpage) - m.mem.lock_ptl for space, vpage in ((0, 0), (0, 15), (0, 16), (1, 0), (7, 63))]
    assert locks == [0, 0, 1, 4, 31]


@pytest.mark.parametrize("order", [0, 2])
def test_migration_entries_and_back(machine, order):
    m = machine
    m.touch(1, 4, order=order)
    m.lru_add_drain()
    m.fork_range(1, 2, 4, 1 << order)
    pfn = m.pte(1, 4) >> 10
    desc = m.desc_at(pfn)
    before = m["pte"].copy()
    assert m["mapcount"][desc] == 2 << order
    m.ref_get(desc, 1)
    m.folio_lock(desc)
    pending = m.try_to_migrate(desc, 0)
    assert pending == 2
    assert m["mapcount"][desc] == 0
    assert m.refs(desc) == 1
    for space in (1, 2):
        for k in range(1 << order):
            word = m.pte(space, 4 + k)
            assert word & (PTE_PRESENT | PTE_MIGRATION) == PTE_MIGRATION
            assert word >> 10 == pfn + k
    m.flush_deferred(pending)
    m.remove_migration_ptes(m.anon_mapping(1), 4, pfn, 1 << order, pfn)
    m.folio_unlock(desc)
    m.folio_put(desc)
    assert ((m["pte"] ^ before) & ~(PTE_DIRTY | 4) == 0).all()


def test_write_dirty_and_exclusive_survive(machine):
    m = machine
    pfn = m.touch(0, 4)
    m.lru_add_drain()
    desc = m.desc_at(pfn)
    bits = PTE_WRITE | PTE_DIRTY | PTE_EXCLUSIVE
    assert m.pte(0, 4) & bits == bits
    m.ref_get(desc, 1)
    assert m.unmap_one(desc, 0, 4)
    assert not m.unmap_one(desc, 0, 4)
    m.remap_one(0, 4, pfn, 1, pfn)
    assert m.pte(0, 4) & bits == bits
    m.folio_put(desc)


def test_zap_gives_everything_back(machine):
    m = machine
    for vpage in range(48):
        m.touch(2, vpage)
    incarnations = m["oracle"][128:176] >> INCARNATION_SHIFT
    assert m.zap_range(2, 0, 48) == 48
    assert not m["pte"].any()
    assert (m["oracle"][128:176] >> INCARNATION_SHIFT == incarnations + 1).all()
    assert m.free_frames() == 512
    assert len(free_lists(m)) == 2


def test_zap_of_part_of_a_large_folio(machine):
    m = machine
    pfn = m.touch(0, 0, order=3)
    m.lru_add_drain()
    desc = m.desc_at(pfn)
    assert m.zap_range(0, 2, 3) == 3
    assert (m.refs(desc), m["mapcount"][desc]) == (5, 5)
    assert m.zap_range(0, 0, 64) == 5
    assert m.free_frames() == 512


def test_a_mapcount_below_zero_is_a_bug(machine):
    m = machine
    desc = m.desc_at(m.touch(0, 0))
    m["mapcount"][desc] = 0
    m.expect_bug(Bug.REFCOUNT_UNDERFLOW, lambda: m.remove_rmap(desc))
