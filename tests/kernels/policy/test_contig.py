"""A pageblock, isolated and evacuated."""

from tests.kernels.map.test_pagecache import cached


def test_a_mixed_block_is_emptied(machine):
    m = machine
    pfns = [m.touch(0, 8), int(m["folio_pfn"][cached(m, 0, 4)]), m.alloc_frozen_pages(0, 0, 1)]
    m.balloon_inflate(0, pfns[2], 0)
    m.touch(4, 8, order=2)
    m.lru_add_drain()
    block = pfns[0] >> 3
    assert m.isolate_and_evacuate(block) == 0
    assert m.on(1).isolate_and_evacuate(block) == -1
    assert m["zone_isolate_free"][0] == 8
    m.unisolate_pageblock(block)
    assert m.task_access(0, 8, 1) == m.task_access(4, 8, 1) == m.file_read(0, 0, 4, 0) == 0


def test_what_cannot_move_is_counted(machine):
    m = machine
    kernel = m.alloc_frozen_pages(0, 0, 1)
    pfn = m.touch(0, 8)
    m.lru_add_drain()
    assert kernel >> 3 == pfn >> 3
    assert m.isolate_and_evacuate(pfn >> 3) == 1
    assert m.pte(0, 8) >> 13 != pfn >> 3
    m.unisolate_pageblock(pfn >> 3)
    m.free_frozen_pages(kernel, 0)
