"""Legacy migration by a list: the same results as migrate_range, for the same windows."""

from kernels.base.layout import FL_ISOLATED, Mode, Reason
from tests.kernels.kit import is_offline
from tests.kernels.map.test_pagecache import cached
from tests.kernels.migrate.test_range import exhaust

FROM_ALLOCATOR, FROM_SCANNER = 1, 0


def migrate_block(m, pfn, mode=Mode.ASYNC):
    block_size = 1 << m.mem.pageblock_order
    left = m.migrate_pages(pfn & -block_size, block_size, mode, Reason.CONTIG_RANGE, FROM_ALLOCATOR)
    assert not m["migrate_list"].any()
    assert not (m["flags"] & FL_ISOLATED).any()
    assert not m["lru_isolated"].any()
    return left


def cached_descs(m):
    """Free descriptors, in the pool and in the caches of CPUs."""
    return int(m["desc_top"][0] + m["desc_cached"].sum())


def test_every_type_of_a_window(machine):
    m = machine
    anon = m.touch(0, 8)
    large = m.touch(4, 8, order=2)
    file = int(m["folio_pfn"][cached(m, 0, 4)])
    offline = m.alloc_frozen_pages(0, 1, 1)
    m.balloon_inflate(0, offline, 1)
    m.lru_add_drain()
    free = cached_descs(m)
    for block in sorted({pfn >> m.mem.pageblock_order for pfn in (anon, large, file, offline)}):
        assert m.isolate_pageblock(block)
        assert migrate_block(m, block << m.mem.pageblock_order) == 0
        m.unisolate_pageblock(block)
    assert m.pte(0, 8) >> 10 != anon
    assert m.pte(4, 8) >> 10 != large
    moved = int(m["balloon_pfn"][0])
    assert moved != offline
    assert is_offline(m.word(moved))
    m.lru_add_drain()
    assert cached_descs(m) == free, "what had no descriptor before has none afterwards"
    assert m.task_access(0, 8, 1) == m.task_access(4, 11, 1) == m.file_read(0, 0, 4, 0) == 0


def test_nothing_to_isolate(machine):
    assert migrate_block(machine, 0) == -1


def test_a_large_folio_without_a_target_is_split(machine):
    m = machine
    large = m.touch(4, 8, order=2)
    exhaust(m, 40)
    m.lru_add_drain()
    assert migrate_block(m, large) == 0
    assert m.counter("thp_migration_split") == 1
    assert m.counter("migrated_contig_range") >= 4
    assert all(m.task_access(4, 8 + k, 1) == 0 for k in range(4))


def test_no_target_at_all(machine):
    m = machine
    pfns = [m.touch(0, vpage) for vpage in range(8, 12)]
    exhaust(m, 2)
    m.lru_add_drain()
    assert sum(migrate_block(m, block) for block in sorted({pfn & -(1 << m.mem.pageblock_order) for pfn in pfns})) > 0
    assert m.counter("cause_contig_range_nomem") >= 1
    assert all(m.task_access(0, vpage, 1) == 0 for vpage in range(8, 12))
