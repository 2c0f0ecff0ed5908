"""Accesses that verify what they find, and GUP-fast."""

import pytest

from kernels.base.layout import Bug, Type


def test_writes_are_counted_in_memory_and_oracle(machine):
    m = machine
    pfn = m.touch(0, 5)
    for _ in range(3):
        m.touch(0, 5)
    frame = m["contents"][pfn * 8 : pfn * 8 + 8]
    assert frame[0] == m.owner_stamp(m.anon_mapping(0), 5)
    assert frame[1] == frame[7] == m["oracle"][5] & 0xFFFFFFFF == 4
    assert m.on(1).task_access(0, 5, 0) == 0


def test_an_access_to_an_empty_pte_faults(machine):
    assert machine.task_access(0, 5, 0) == -1
    assert machine.file_access(0, machine.mem.anon_pages) == -1
    assert not (machine["section"] & (1 << 20) - 1).any(), "no section is left behind"


def test_a_frame_of_another_owner_is_a_bug(machine):
    m = machine
    pfn = m.touch(0, 5)
    m["contents"][pfn * 8] += 1
    assert m.expect_bug(Bug.STRANGER, lambda: m.task_access(0, 5, 0))[1] == pfn


@pytest.mark.parametrize("write", [0, 1])
def test_a_lost_write_is_a_bug(machine, write):
    m = machine
    pfn = m.touch(0, 5)
    m.touch(0, 5)
    m["contents"][pfn * 8 + 1] -= 1
    assert m.expect_bug(Bug.LOST_WRITE, lambda: m.task_access(0, 5, write))[1] == pfn


def test_a_lost_file_write_is_a_bug(machine):
    m = machine
    assert m.file_write(0, 0, 3, 0) == 0
    pfn = m.touch(0, m.mem.anon_pages + 3, write=0)
    m["contents"][pfn * 8 + 1] = 0
    m.expect_bug(Bug.LOST_WRITE, lambda: m.file_access(0, m.mem.anon_pages + 3))


def test_the_oracle_of_another_incarnation_is_left_alone(machine):
    m = machine
    m["oracle"][9] = 7 << 32 | 2
    m.raise_oracle(9, 6)
    assert m["oracle"][9] == 7 << 32 | 2
    m.raise_oracle(9, 7)
    assert m["oracle"][9] == 7 << 32 | 3


def test_a_pin(machine):
    m = machine
    assert m.on(1).gup_fast(0, 5, 1) == -1
    pfn = m.touch(0, 5)
    desc = m.on(1).gup_fast(0, 5, 1)
    assert desc == m.desc_at(pfn)
    refs = m.refs(desc)
    m.zap_range(0, 5, 1)
    assert m.word(pfn) == m.desc_word(Type.ANON, desc), "the pin keeps the folio"
    assert m.refs(desc) < refs
    m.lru_add_drain()
    m.on(1).unpin_folio(desc)
    assert m.free_frames() == 512


def test_a_pin_for_reading_needs_no_write_access(machine):
    m = machine
    m.touch(0, 5)
    m.fork_range(0, 1, 5, 1)
    assert m.gup_fast(1, 5, 1) == -1
    desc = m.gup_fast(1, 5, 0)
    assert desc >= 0
    m.folio_put(desc)
