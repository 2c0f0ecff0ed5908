"""Compaction: the blocks that it gains, its scanners, skip bits and deferral."""

import pytest

from kernels.base.layout import Mode, Reason
from tests.kernels.kit import free_lists

COMPLETE, SUCCESS, CONTINUE = 2, 0, 1


def fragmented(m, step=2):
    """Fill node 0 with anonymous pages of order 0 and keep every `step`-th; all pages as (pfn, space, vpage)."""
    m["zone_min"][:], m["zone_low"][:], m["zone_high"][:] = 1, 1, 1
    pages = []
    for space in range(8):
        for vpage in range(48):
            pfn = m.touch(space, vpage) if m["zone_free"][0] > 2 else 256
            if pfn >= 256:
                break
            pages.append((pfn, space, vpage))
    m.drain()
    for pfn, space, vpage in sorted(pages):
        if pfn % step:
            m.zap_range(space, vpage, 1)
    m.drain()
    return pages


def largest(m, nid=0):
    return max(order for pfn, order, _ in free_lists(m) if pfn // 256 == nid)


@pytest.mark.parametrize("order", [3, 4])
def test_a_block_of_the_wanted_order_is_gained(machine, order):
    m = machine
    fragmented(m)
    assert largest(m) < order
    assert m.compact_zone(0, order, Mode.ASYNC, 64) == SUCCESS
    assert largest(m) >= order
    assert m.counter("pgmigrate_success") > 0
    assert m["cc_pages"][0] == 0, "what was captured and not used goes back"
    for space in range(8):
        for vpage in range(48):
            if m.pte(space, vpage):
                assert m.task_access(space, vpage, 1) == 0


def test_until_the_scanners_meet(machine):
    m = machine
    fragmented(m)
    assert m.compact_zone(0, -1, Mode.ASYNC, 1000) == COMPLETE
    assert largest(m) >= 5
    assert m["zone_migrate_pfn"][0] == 0
    assert m["zone_free_pfn"][0] == 248


def test_max_blocks_bounds_a_call(machine):
    m = machine
    fragmented(m)
    assert m.compact_zone(0, -1, Mode.ASYNC, 2) == CONTINUE
    assert m["zone_migrate_pfn"][0] == 16


def test_direct_compaction_serves_an_allocation(machine):
    m = machine
    fragmented(m)
    taken = m.exhaust(1)
    pfn = m.alloc_pages(0, 3, 1)
    assert 0 <= pfn < 256
    assert (m.counter("compact_stall"), m.counter("compact_success")) == (1, 1)
    m.free_frozen_pages(pfn, 3)
    m.give_back(taken)


def test_failures_defer(machine):
    m = machine
    assert not m.compaction_deferred(0, 3)
    m.note_outcome(0, 3, False)
    assert m["zone_defer_shift"][0] == 1
    assert [bool(m.compaction_deferred(0, 3)) for _ in range(3)] == [True, False, False]
    assert not m.compaction_deferred(0, 2), "smaller orders are not deferred"
    for _ in range(9):
        m.note_outcome(0, 3, False)
    assert m["zone_defer_shift"][0] == 6
    m.note_outcome(0, 3, True)
    assert m["zone_defer_shift"][0] == 0
    assert m["zone_order_failed"][0] == 4, "the next order that may fail"


@pytest.mark.meets("two_scanners_one_block")
def test_one_scanner_a_block(machine):
    m = machine
    assert m.claim_block(3)
    assert not m.on(1).claim_block(3)
    assert m.counter("met_two_scanners_one_block") == 1
    m.reset_scanners(0)
    assert not m.on(1).claim_block(3), "a block that is being scanned keeps its scanner"
    m["block_skip"][3] = 1 << 16
    assert not m.claim_block(3)
    m.reset_scanners(0)
    assert m.on(1).claim_block(3)
    m["block_skip"][3] = 0


def fill(m, targets):
    """Take what is left of node 0, but for these frames; what was taken."""
    m["zone_min"][0] = 0
    taken = set(m.exhaust(0)) - targets
    m.give_back(targets)
    return taken


def release(m, taken):
    m.cc_release()
    m.give_back(taken)


def test_a_fruitless_block_is_skipped(machine):
    m = machine
    taken = fill(m, {250, 252})
    assert m.compact_block(0, 31, Mode.ASYNC, Reason.COMPACTION) == 1
    assert m["cc_pages"][0] == 2, "there are targets, and nothing that moves"
    assert m["block_skip"][:2].tolist() == [1 << 16, 0]
    release(m, taken)


def test_a_block_that_something_has_left_is_not_skipped(machine):
    m = machine
    pfn = m.touch(0, 8)
    m.drain()
    taken = fill(m, {250, 252})
    assert m.compact_block(pfn >> 3, 31, Mode.ASYNC, Reason.COMPACTION) == 1
    assert m.pte(0, 8) >> 10 in (250, 252)
    assert not m["block_skip"].any()
    release(m, taken)


@pytest.mark.parametrize("kind", ["anon", "offline", "file"])
def test_candidates(machine, kind):
    m = machine
    if kind == "anon":
        pfn = m.touch(0, 8, order=2)
    elif kind == "file":
        m.file_read(0, 0, 4, 2)
        pfn = int(m["folio_pfn"][m.load_entry(0, 4) - 1])
    else:
        pfn = m.alloc_frozen_pages(0, 2, 1)
        m.balloon_inflate(0, pfn, 2)
    assert m.fill_candidates(pfn & ~7, 8) == 1
    assert m.find_next_bit(m.bitmap_base(0), 0) == pfn & 7


def test_the_whole_zone_whatever_its_skip_bits_say(machine):
    m = machine
    fragmented(m)
    m["block_skip"][:32] = 1 << 16
    assert m.compact_zone(0, -1, Mode.ASYNC, 1000) == COMPLETE
    assert m.counter("pgmigrate_success") == 0
    m["block_skip"][:32] = 1 << 16
    assert m.compact_memory(0) == COMPLETE
    assert largest(m) >= 5


def test_an_allocation_does_not_compact_while_it_is_deferred(machine):
    m = machine
    fragmented(m)
    taken = m.exhaust(1)
    for _ in range(3):
        m.note_outcome(0, 3, False)
    assert m.alloc_pages(0, 3, 1) == -1
    assert (m.counter("compact_deferred"), m.counter("compact_stall")) == (1, 0)
    m.give_back(taken)


@pytest.mark.parametrize(("why", "modes"), [("isolated", Mode), ("one folio", Mode), ("unmovable", [Mode.ASYNC])])
def test_a_pageblock_that_is_not_worth_a_scan(machine, why, modes):
    m = machine
    pfn = m.touch(0, 8, order=3 if why == "one folio" else 0)
    m.drain()
    block = pfn >> 3
    if why == "isolated":
        assert m.isolate_pageblock(block)
    if why == "unmovable":
        m["block_migratetype"][block] = 0
    assert [m.claim_window(block, 32, mode) for mode in modes] == [0] * len(modes)
    assert m["block_skip"][block] == 0
    if why == "isolated":
        m.unisolate_pageblock(block)
    if why == "unmovable":
        assert m.claim_window(block, 32, Mode.SYNC_LIGHT) == 1
        m["block_migratetype"][block], m["block_skip"][block] = 1, 0
