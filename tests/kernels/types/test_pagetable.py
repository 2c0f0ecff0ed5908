"""Page tables that are frames: walked, moved, and freed when no walker is in them."""

import pytest

from kernels.base.layout import Bug, Type, Udesc
from tests.kernels import kit

SLOT = 3


def populate(m, slot=SLOT):
    pfn = m.alloc_frozen_pages(0, 0, 1)
    assert m.table_populate(slot, pfn)
    return pfn


def end(m):
    assert m.table_zap(SLOT)
    assert m["udesc_top"][0] == m.mem.nr_udesc
    assert not (m["rcu_seq"] & 1).any()
    assert m.free_frames() == 512


def test_populate_walk_write_zap(machine):
    m = machine
    assert not m.table_walk(SLOT, 1)
    assert not m.table_write(SLOT)
    assert not m.table_zap(SLOT)
    pfn = populate(m)
    assert m.word(pfn) & 15 == Type.PAGETABLE
    assert m.try_get_pfn(pfn) == -1
    for _ in range(3):
        assert m.table_write(SLOT)
        assert m.table_walk(SLOT, 1)
    assert m["upper_oracle"][SLOT] == 3
    other = m.alloc_frozen_pages(0, 0, 1)
    assert not m.table_populate(SLOT, other), "another table was installed first"
    m.free_frozen_pages(other, 0)
    end(m)
    assert m["upper_oracle"][SLOT] == 1 << 32, "another incarnation"


def test_moved_by_its_upper_entry(machine):
    m = machine
    pfn = populate(m)
    m.table_write(SLOT)
    word, to = m.word(pfn), m.alloc_frozen_pages(1, 0, 1)
    assert m.on(1).isolate_pagetable(pfn, word)
    assert m.on(1).migrate_pagetable(pfn, to, word) == 1
    assert m["upper"][SLOT] == to + 1
    assert m.word(to) == word
    assert m.table_walk(SLOT, 1)
    assert m.table_write(SLOT)
    end(m)


@pytest.mark.parametrize("ending", ["migrate", "putback"])
@pytest.mark.meets("table_gone_while_isolated")
def test_zapped_while_isolated_is_freed_by_the_isolator(machine, ending):
    m = machine
    pfn = populate(m)
    word = m.word(pfn)
    assert m.on(1).isolate_pagetable(pfn, word)
    assert m.table_zap(SLOT)
    assert m["u_word"][m.desc_at(pfn)] & 7 == Udesc.RELEASED
    if ending == "migrate":
        to = m.alloc_frozen_pages(1, 0, 1)
        assert m.on(1).migrate_pagetable(pfn, to, word) == 0
        m.free_frozen_pages(to, 0)
    else:
        assert not m.on(1).putback_pagetable(pfn, word)
    populate(m)
    end(m)


def test_putback(machine):
    m = machine
    pfn = populate(m)
    assert m.on(1).isolate_pagetable(pfn, m.word(pfn))
    assert m.on(1).putback_pagetable(pfn, m.word(pfn))
    end(m)


@pytest.mark.parametrize("what", ["zap", "migrate"])
def test_a_walker_keeps_the_frame(machine, what):
    """CPU 2 is in a section: until it leaves, the old frame keeps its word."""
    m = machine
    pfn = populate(m)
    word = m.word(pfn)
    m.on(2).rcu_read_lock()
    to = m.alloc_frozen_pages(1, 0, 1)
    assert m.on(1).isolate_pagetable(pfn, word) or what == "zap"

    def act():
        if what == "zap":
            m.on(1).putback_pagetable(pfn, word)
            m.on(1).table_zap(SLOT)
        else:
            m.on(1).migrate_pagetable(pfn, to, word)

    child = kit.in_child(act)
    kit.until(lambda: m.counter("met_rcu_waited_for_reader") > 0)
    assert m.word(pfn) == word, "the frame is not free while CPU 2 may read it"
    m.on(2).rcu_read_unlock()
    assert kit.wait(child) == 0
    assert m.word(pfn) != word
    if what == "zap":
        m.free_frozen_pages(to, 0)
        populate(m)
    end(m)


def test_a_walk_of_a_frame_of_another_owner_is_a_bug(machine):
    m = machine
    pfn = populate(m)
    m["contents"][pfn * m.mem.words_per_frame] += 1
    m.expect_bug(Bug.STRANGER, lambda: m.table_walk(SLOT, 1))


def test_a_table_that_lost_a_write_is_a_bug(machine):
    m = machine
    pfn = populate(m)
    m.table_write(SLOT)
    m["contents"][pfn * m.mem.words_per_frame + 1] -= 1
    m.expect_bug(Bug.LOST_WRITE, lambda: m.table_walk(SLOT, 1))


def test_out_of_descriptors(machine):
    m = machine
    top, m["udesc_top"][0] = int(m["udesc_top"][0]), 0
    pfn = m.alloc_frozen_pages(0, 0, 1)
    assert not m.table_populate(SLOT, pfn)
    assert m["upper"][SLOT] == 0
    m["udesc_top"][0] = top
    m.free_frozen_pages(pfn, 0)
