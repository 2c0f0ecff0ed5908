"""Range migration: (base_pfn, bitmap) in, leftovers out."""

from kernels.base.layout import BITMAP_WORDS, CANDIDATES, FL_ISOLATED, ISOLATED, Mode, Reason, Type
from tests.kernels.kit import is_offline
from tests.kernels.map.test_pagecache import cached

FROM_ALLOCATOR = 1


def migrate_range(m, pfns, mode=Mode.ASYNC, base_pfn=0):
    candidates = m.bitmap_base(CANDIDATES)
    m.clear_bitmap(candidates)
    for pfn in pfns:
        m.set_bit(candidates, pfn - base_pfn)
    left = m.migrate_range(base_pfn, mode, Reason.CONTIG_RANGE, FROM_ALLOCATOR)
    assert m.bitmap_weight(m.bitmap_base(ISOLATED)) == 0
    assert not (m["flags"] & FL_ISOLATED).any()
    assert not m["lru_isolated"].any()
    assert (m["bitmap"].reshape(-1, BITMAP_WORDS)[4:] == 0).all(), "the bitmaps of other CPUs are not written"
    return left


def test_every_type_in_one_window(machine):
    m = machine
    anon = m.touch(0, 8)
    large = m.touch(4, 8, order=2)
    file = int(m["folio_pfn"][cached(m, 0, 4)])
    offline = m.alloc_frozen_pages(0, 1, 1)
    m.balloon_inflate(0, offline, 1)
    kernel = m.alloc_frozen_pages(0, 0, 0)
    m.lru_add_drain()
    assert migrate_range(m, [anon, large, large + 1, file, offline, kernel, 255]) == 0
    assert m.pte(0, 8) >> 10 not in (anon, large)
    assert m.pte(4, 9) >> 10 == (m.pte(4, 8) >> 10) + 1 != large + 1
    assert m.counter("migrated_contig_range") == 1 + 4 + 1 + 2
    moved = int(m["balloon_pfn"][0])
    assert moved != offline
    assert is_offline(m.word(moved))
    assert m.task_access(0, 8, 1) == m.task_access(4, 11, 1) == m.file_read(0, 0, 4, 0) == 0
    m.free_frozen_pages(kernel, 0)


def test_candidates_are_hints(machine):
    m = machine
    assert migrate_range(m, range(0, 512, 7)) == 0
    assert m.counter("compact_isolated") == 0


def exhaust(m, keep):
    """Leave `keep` single frames free on both nodes, no two of them buddies."""
    m["zone_min"][:] = m["zone_low"][:] = m["zone_high"][:] = 0
    m.drain()
    taken = m.exhaust()
    m.give_back([pfn for pfn in sorted(taken) if pfn & 1][-keep:])


def test_a_large_folio_without_a_target_is_split(machine):
    m = machine
    large = m.touch(4, 8, order=2)
    exhaust(m, 40)
    assert migrate_range(m, [large]) == 0
    assert m.counter("thp_migration_split") == 1
    assert m.counter("migrated_contig_range") == 4
    assert all(m.task_access(4, 8 + k, 1) == 0 for k in range(4))


def test_no_target_at_all(machine):
    m = machine
    pfns = [m.touch(0, vpage) for vpage in range(8, 12)]
    exhaust(m, 2)
    m.lru_add_drain()
    left = migrate_range(m, pfns)
    assert left == 4 - m.counter("migrated_contig_range") > 0
    assert m.counter("cause_contig_range_nomem") >= 1
    assert all(m.task_access(0, vpage, 1) == 0 for vpage in range(8, 12))


def test_a_split_between_unmap_and_flush_keeps_the_flush(machine):
    """Space 0's page is unmapped, its flush deferred; then space 4's folio is split, which flushes by itself."""
    m = machine
    small = m.touch(0, 8)
    large = m.touch(4, 8, order=3)
    assert small < large
    exhaust(m, 40)
    m.lru_add_drain()
    assert m.on(1).task_access(0, 8, 1) == 0  # CPU 1 has the translation, writable and dirty
    assert migrate_range(m, [small, large]) == 0
    assert m.counter("thp_migration_split") == 1
    moved = m.pte(0, 8) >> 10
    assert moved != small
    m.on(1).section_enter(0)
    seen = m.on(1).translate(0, 8, 1)
    m.on(1).section_exit()
    assert seen == moved, "CPU 1 still writes to the frame that the page has left"


def test_a_window_that_ends_inside_a_large_folio(machine):
    m = machine
    large = m.touch(4, 8, order=2)
    m.lru_add_drain()
    assert migrate_range(m, [large], base_pfn=large) == 0
    assert m.word(large) & 15 != Type.ANON
