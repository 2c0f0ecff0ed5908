"""Poisoned frames: taken off the buddy wherever they are, and never allocated."""

import pytest

from kernels.base.layout import EBUSY, MT_ISOLATE, Bug, Type


def test_taken_out_of_the_middle_of_a_block(machine):
    m = machine
    free = m.free_frames()
    assert m.soft_offline_page(37) == 0
    assert m.word(37) == Type.HWPOISON
    assert m.free_frames() == free - 1
    assert m.try_get_pfn(37) == -1
    taken = m.exhaust()
    assert len(taken) == free - 1
    assert 37 not in taken
    for pfn in taken:
        m.free_frozen_pages(pfn, 0)
    m.unpoison_memory(37)
    assert m.free_frames() == free
    assert m.counter("hwpoison_pages") == m.counter("unpoison_pages") == 1


def test_on_a_per_cpu_list(machine):
    m = machine
    pfn = m.on(2).alloc_frozen_pages(0, 0, 1)
    m.on(2).free_frozen_pages(pfn, 0)
    assert m.soft_offline_page(pfn) == 0
    m.unpoison_memory(pfn)


def test_in_use_it_is_moved_out_of_first(machine):
    m = machine
    pfn = m.touch(0, 3)
    m.lru_add_drain()
    assert m.soft_offline_page(pfn) == 0
    assert m.pte(0, 3) >> 10 != pfn
    assert m.task_access(0, 3, 1) == 0
    assert m.counter("migrated_memory_failure") == 1
    m.unpoison_memory(pfn)


@pytest.mark.meets("poison_raced_allocation")
def test_what_cannot_move_stays(machine):
    m = machine
    pfn = m.alloc_frozen_pages(0, 0, 0)
    assert m.soft_offline_page(pfn) == -EBUSY
    m.free_frozen_pages(pfn, 0)


def test_a_poisoned_frame_is_not_poisoned_twice(machine):
    m = machine
    assert m.soft_offline_page(9) == 0
    assert m.soft_offline_page(9) == -EBUSY
    m.unpoison_memory(9)
    m.expect_bug(Bug.WORD_CHANGED, lambda: m.unpoison_memory(9))


def test_an_isolated_block_is_left_alone(machine):
    m = machine
    assert m.isolate_pageblock(2)
    assert m["block_migratetype"][2] == MT_ISOLATE
    assert m.soft_offline_page(17) == -EBUSY
    m.unisolate_pageblock(2)


@pytest.mark.parametrize("order", [0, 3])
def test_a_free_of_a_poisoned_frame_is_a_bug(machine, order):
    m = machine
    pfn = m.alloc_frozen_pages(0, order, 1)
    m["memdesc"][pfn] = Type.HWPOISON
    m.expect_bug(Bug.WORD_CHANGED, lambda: m.free_frozen_pages(pfn, order))
