"""Today's balloon pages: with one reference, and with a count that is always frozen."""

import pytest

from kernels.base.layout import FL_ISOLATED, FL_OFFLINE, NONE_WORD, OFFLINE_COUNTED, OFFLINE_NONE, OFFLINE_ZERO, Bug, Type
from stress.machine.segment import set_param


@pytest.fixture(params=[OFFLINE_COUNTED, OFFLINE_ZERO], ids=["counted", "zero"])
def inflated(machine, request):
    """A machine with one balloon page of CPU 0's; its frame."""
    set_param(machine.mem, "policy_offline", request.param)
    pfn = machine.alloc_frozen_pages(0, 0, 1)
    machine.inflate(0, pfn, 0)
    return machine, pfn


def refs(m, pfn):
    return m.refs(m.desc_at(pfn))


def is_counted(m):
    return m.mem.policy_offline == OFFLINE_COUNTED


def test_inflate_and_deflate(inflated):
    m, pfn = inflated
    assert m.word(pfn) & 15 == Type.COUNTED
    assert m["flags"][m.desc_at(pfn)] == FL_OFFLINE
    assert refs(m, pfn) == is_counted(m)
    assert m.deflate(0, 0) == 1
    assert m.word(pfn) == NONE_WORD
    assert m.deflate(0, 0) == 0
    assert m["balloon_pages"][0] == 0


def test_a_speculator_gets_only_what_has_a_count(inflated):
    m, pfn = inflated
    desc = m.try_get_pfn(pfn)
    assert (desc >= 0) == is_counted(m)
    m.deflate(0, 0)
    if is_counted(m):
        assert m.word(pfn) != NONE_WORD, "the last put frees it"
        assert m.folio_put(desc)
    assert m.word(pfn) == NONE_WORD


def test_isolate_and_put_back(inflated):
    m, pfn = inflated
    word = m.word(pfn)
    assert m.is_movable(word)
    assert m.on(1).isolate_movable(pfn, word)
    assert not m.on(2).isolate_movable(pfn, word), "one isolator"
    assert not m.on(2).movable_is_idle(pfn, word)
    assert refs(m, pfn) == 2 * is_counted(m)
    assert m.deflate(0, 0) == 0, "an isolated page waits"
    assert m.counter("met_deflate_on_isolated") == 1
    assert m.on(1).putback_movable(pfn, word)
    assert refs(m, pfn) == is_counted(m)
    assert m.deflate(0, 0) == 1


def test_migrate(inflated):
    m, pfn = inflated
    word, dst = m.word(pfn), m.alloc_frozen_pages(0, 0, 1)
    assert m.on(1).isolate_movable(pfn, word)
    assert m.on(1).migrate_movable(pfn, dst, word) == 1
    assert m["balloon_pfn"][0] == dst
    assert m.word(pfn) == NONE_WORD
    assert refs(m, dst) == is_counted(m)
    assert not m["flags"][m.desc_at(dst)] & FL_ISOLATED
    assert m.deflate(0, 0) == 1
    assert m.word(dst) == NONE_WORD


def test_a_speculator_keeps_the_frame_that_a_counted_page_has_left(machine):
    m = machine
    set_param(m.mem, "policy_offline", OFFLINE_COUNTED)
    pfn, dst = m.alloc_frozen_pages(0, 0, 1), m.alloc_frozen_pages(0, 0, 1)
    m.inflate(0, pfn, 0)
    word = m.word(pfn)
    assert m.on(1).isolate_movable(pfn, word)
    held = m.on(2).try_get_pfn(pfn)
    assert m.on(1).migrate_movable(pfn, dst, word) == 1
    assert m.word(pfn) == word, "the race that a frozen count does not have"
    assert m.on(2).folio_put(held)
    assert m.word(pfn) == NONE_WORD
    m.deflate(0, 0)


def test_what_was_deflated_since_is_not_isolated(inflated):
    m, pfn = inflated
    word = m.word(pfn)
    m.deflate(0, 0)
    assert not m.on(1).isolate_movable(pfn, word)


def test_a_page_of_another_balloon_is_a_bug(inflated):
    m, pfn = inflated
    m["cpupid"][m.desc_at(pfn)] = 1
    assert m.expect_bug(Bug.BALLOON_LOST, lambda: m.deflate(0, 0))[1] == pfn


def test_only_frames_without_a_descriptor_come_in_larger_blocks(machine):
    m = machine
    assert m.max_balloon_order() == (2 if m.mem.pageblock_order > 2 else 0)
    set_param(m.mem, "policy_offline", OFFLINE_ZERO)
    assert m.max_balloon_order() == 0
    set_param(m.mem, "policy_offline", OFFLINE_NONE)


@pytest.mark.parametrize("policy", [OFFLINE_NONE, OFFLINE_COUNTED, OFFLINE_ZERO], ids=["none", "counted", "zero"])
def test_a_whole_pageblock_is_inflated(machine, policy):
    m = machine
    set_param(m.mem, "policy_offline", policy)
    pfn = m.alloc_frozen_pages(0, 3, 1)
    m.inflate_pageblock(0, pfn)
    blocks = 1 if policy == OFFLINE_NONE else 8
    assert m["balloon_pages"][0] == blocks
    assert m.counter("balloon_inflate") == 8
    assert all(m.is_movable(m.word(head)) for head in m["balloon_pfn"][:blocks])
    assert sum(m.deflate(0, 0) for _ in range(blocks)) == 8
    assert m.free_frames() == 512
