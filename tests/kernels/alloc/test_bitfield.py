"""The words of a bitfield against loops over bits; frees of what is free; three processes that take and free frames of one zone."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.base.flavour import INTERPRETED
from kernels.base.layout import ALLOCATOR_BITFIELD, CHUNK_ISOLATED, MT_MOVABLE, SH_OWNED, Bug
from stress.errors import UserError
from stress.machine.segment import create_machine
from tests.kernels import kit

WORDS = st.integers(-(1 << 63), (1 << 63) - 1) | st.sampled_from([0, -1, 1 << 62, -(1 << 63), ~1])


@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=100)
@given(word=WORDS, order=st.integers(0, 6))
def test_a_run_is_the_first_aligned_one(bits_of_a_module, word, order):
    size = 1 << order
    runs = [at for at in range(0, 64, size) if all(not word >> k & 1 for k in range(at, at + size))]
    found = bits_of_a_module.find_clear_run(word, order)
    assert found == min(runs, default=-1)
    if found >= 0:
        mask = bits_of_a_module.run_mask(found, order)
        assert mask & word == 0
        assert mask & ((1 << 64) - 1) == sum(1 << k for k in range(found, found + size))


@pytest.fixture(scope="module")
def bits_of_a_module(built):
    return kit.make_machine(policy_allocator=ALLOCATOR_BITFIELD)


@pytest.mark.parametrize(
    ("word", "nr_frames", "isolated", "after"),
    [
        (8, 1, 0, 7),
        (8, 8, 0, 0),
        (7, 8, 0, -1),
        (8 | CHUNK_ISOLATED, 1, 0, -1),
        (8 | CHUNK_ISOLATED, 3, CHUNK_ISOLATED, 5 | CHUNK_ISOLATED),
        (8, 1, CHUNK_ISOLATED, -1),
    ],
)
def test_a_claim_needs_frames_and_the_isolation_that_it_names(bits, word, nr_frames, isolated, after):
    assert bits.claimed(word, nr_frames, isolated) == after


def test_a_second_free_stops_the_run(bits):
    pfn = bits.buddy_alloc(0, 1, MT_MOVABLE)
    bits.trees_give(pfn, 1)
    bits["shadow"][pfn : pfn + 2] = 0
    assert bits.expect_bug(Bug.BITFIELD, lambda: bits.clear_bits(pfn, 1))[1] == pfn


def test_two_pageblocks_are_taken_together_or_not_at_all(bits):
    taken = [bits.buddy_alloc(0, 4, MT_MOVABLE) for _ in range(16)]
    assert sorted(taken) == list(range(0, 256, 16))
    bits.free_to_zone(taken[3], 3, SH_OWNED)
    assert bits.buddy_alloc(0, 4, MT_MOVABLE) == -1
    bits.free_to_zone(taken[3] + 8, 3, SH_OWNED)
    assert bits.buddy_alloc(0, 4, MT_MOVABLE) == taken[3]
    for pfn in taken:
        bits.free_to_zone(pfn, 4, SH_OWNED)


@pytest.mark.meets("tree_lost")
def test_a_tree_is_stolen_when_no_other_has_frames(bits):
    """CPU 1 takes the last free pageblock's tree from CPU 0, which steals it back."""
    taken = [bits.buddy_alloc(0, 3, MT_MOVABLE) for _ in range(31)]
    mine = bits.buddy_alloc(0, 0, MT_MOVABLE)
    stolen = bits.on(1).buddy_alloc(0, 0, MT_MOVABLE)
    assert mine >> 3 == stolen >> 3
    assert bits.counter("tree_stolen") == 1
    again = bits.buddy_alloc(0, 0, MT_MOVABLE)
    assert bits.counter("met_tree_lost") == 1
    for pfn in (mine, stolen, again):
        bits.free_to_zone(pfn, 0, SH_OWNED)
    for pfn in taken:
        bits.free_to_zone(pfn, 3, SH_OWNED)


def test_a_large_block_shows_that_its_first_word_is_none(bits):
    pfn = bits.alloc_frozen_pages(0, 5, MT_MOVABLE)
    assert bits.word(pfn) == bits.word(pfn + 31)
    assert bits.free_order(pfn, bits.word(pfn)) == -1
    bits.free_frozen_pages(pfn, 5)
    assert bits.free_order(pfn, bits.word(pfn)) == 3


@pytest.mark.meets("isolation_met_claim")
def test_a_drain_waits_for_a_claim_that_was_made_before_the_isolation(bits):
    assert bits.claim_frames(0, 1, 0)
    isolator = kit.in_child(lambda: bits.on(1).isolate_pageblock(0))
    kit.until(lambda: bits.counter("met_isolation_met_claim") > 0)
    assert not bits["block_drained"][0]
    pfn = bits.set_bits_in(0, 0, 0)
    bits.account(0, -1)
    assert kit.wait(isolator) == 0
    assert bits["block_drained"][0]
    assert bits["block_allocated"][0] == 1
    bits.trees_give(pfn, 0)
    bits.unisolate_pageblock(0)


def test_larger_pageblocks_than_a_bitfield_are_refused():
    with pytest.raises(UserError, match="pageblock_order is 9 at most"):
        create_machine(replace(kit.SMALL, pageblock_order=10, frames_per_node=2048), {"policy_allocator": ALLOCATOR_BITFIELD})


def take_and_free(m, rounds):
    for turn in range(rounds):
        order = turn % 4
        held = [m.buddy_alloc(0, order, turn % 3) for _ in range(3)]
        for pfn in held:
            if pfn >= 0:
                m.free_to_zone(pfn, order, SH_OWNED)


@pytest.mark.slow
@pytest.mark.skipif(INTERPRETED, reason="interpreted atomics are not atomic between processes")
def test_processes_share_a_zone(bits):
    """Shadow words are on: a frame that two of them get ends the run."""
    children = [kit.in_child(lambda cpu=cpu: take_and_free(bits.on(cpu), 2000)) for cpu in range(3)]
    assert [kit.wait(pid) for pid in children] == [0, 0, 0]
    assert bits.zone_free()[0] == 256
