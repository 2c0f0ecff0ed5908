"""The state machine of PageOffline frames, every transition of it."""

import pytest

from kernels.base.layout import NONE_WORD, Bug, Offline
from tests.kernels.kit import is_offline


def inflate(m, order=0, balloon=0):
    pfn = m.alloc_frozen_pages(0, order, 1)
    m.balloon_inflate(balloon, pfn, order)
    return pfn


def state(m, pfn):
    assert is_offline(m.word(pfn))
    return Offline(m.offline_state(m.word(pfn)))


def isolate(m, pfn, cpu=1):
    assert m.on(cpu).isolate_offline(pfn, m.word(pfn))
    assert state(m, pfn) == Offline.ISOLATED


@pytest.mark.parametrize("order", [0, 2])
def test_private_then_inflated(machine, order):
    m = machine
    pfn = m.alloc_frozen_pages(0, order, 1)
    word = m.make_offline(pfn, order, 2)
    assert state(m, pfn) == Offline.PRIVATE
    assert not m.on(1).isolate_offline(pfn, word), "only its owner uses a private frame"
    assert (m.offline_owner(word), m.word_order(word)) == (2, order)
    assert all(is_offline(m.word(pfn + k)) and not m.is_offline_head(m.word(pfn + k)) for k in range(1, 1 << order))
    m.publish_offline(pfn, word)
    assert state(m, pfn) == Offline.INFLATED
    m.free_offline(pfn, order)
    assert m.free_frames() == 512


def test_no_reference_is_ever_taken(machine):
    m = machine
    pfn = inflate(m, 2)
    refcounts = m["refcount"].copy()
    assert [m.try_get_pfn(pfn + k) for k in range(4)] == [-1] * 4
    assert (m["refcount"] == refcounts).all()
    assert m.balloon_deflate(0, 0) == 4


def test_deflate_takes_any_place(machine):
    m = machine
    pfns = [inflate(m) for _ in range(4)]
    assert m.balloon_deflate(0, 1) == 1
    assert m.word(pfns[1]) == NONE_WORD
    assert sorted(m["balloon_pfn"][: m["balloon_pages"][0]]) == sorted(pfns[:1] + pfns[2:])
    for _ in range(3):
        assert m.balloon_deflate(0, 7) == 1
    assert m.balloon_deflate(0, 0) == 0
    assert m.free_frames() == 512


def test_the_last_takes_the_place_of_the_removed(machine):
    m = machine
    pfns = [inflate(m) for _ in range(3)]
    links = m["frame_next"].copy()
    m.inventory_remove(0, 0)
    assert m["balloon_pages"][0] == 2
    assert m["balloon_pfn"][:2].tolist() == [pfns[2], pfns[1]]
    links[pfns[2]] = 0
    assert (m["frame_next"] == links).all(), "the removed block is not touched"
    m.inventory_remove(0, 1)
    assert (m["frame_next"] == links).all(), "removing the last one moves no other"
    assert m["balloon_pfn"][0] == pfns[2]
    for pfn in pfns[:2]:
        m.free_offline(pfn, 0)
    assert m.balloon_deflate(0, 0) == 1


@pytest.mark.parametrize(
    ("before", "after", "outcome"),
    [
        (None, Offline.DEFLATING, Offline.DEFLATING),
        (Offline.ISOLATED, Offline.RELEASED, Offline.RELEASED),
        (Offline.TRANSIT, Offline.TRANSIT, Offline.TRANSIT),
    ],
)
def test_the_owner_of_a_block_that_a_deflate_found(machine, before, after, outcome):
    m = machine
    pfn = inflate(m)
    if before is not None:
        isolate(m, pfn)
        assert before == Offline.ISOLATED or m.on(1).move_state(pfn, m.word(pfn), before)
    assert m.take_or_release(0, pfn) == outcome
    assert state(m, pfn) == after
    assert m.counter("met_deflate_on_isolated") == (before == Offline.ISOLATED)
    m["balloon_pages"][0] = 0
    m.free_offline(pfn, 0)


def test_putback(machine):
    m = machine
    pfn = inflate(m)
    isolate(m, pfn)
    assert not m.on(2).isolate_offline(pfn, m.word(pfn)), "one isolator"
    assert m.on(1).putback_offline(pfn)
    assert state(m, pfn) == Offline.INFLATED
    isolate(m, pfn, 2)
    assert m.on(2).putback_offline(pfn)
    m.balloon_deflate(0, 0)


def test_a_stale_word_isolates_nothing(machine):
    m = machine
    pfn = inflate(m)
    word = m.word(pfn)
    m.balloon_deflate(0, 0)
    assert not m.on(1).isolate_offline(pfn, word)
    m.alloc_frozen_pages(0, 0, 1)
    m.balloon_inflate(2, pfn, 0)
    assert not m.on(1).isolate_offline(pfn, word), "of another owner now"
    m.balloon_deflate(2, 0)


@pytest.mark.parametrize("order", [0, 2])
@pytest.mark.meets("deflate_on_isolated", "release_found_by_isolator")
def test_deflate_on_isolated_releases_and_the_isolator_frees(machine, order):
    m = machine
    pfn = inflate(m, order)
    isolate(m, pfn)
    assert m.balloon_deflate(0, 0) == 1 << order
    assert state(m, pfn) == Offline.RELEASED
    assert m["balloon_pages"][0] == 0
    assert m.on(1).putback_offline(pfn) == 0
    assert (m.counter("met_deflate_on_isolated"), m.counter("met_release_found_by_isolator")) == (1, 1)
    assert m.free_frames() == 512


def test_migration_takes_the_place_in_the_inventory(machine):
    m = machine
    pfns = [inflate(m, 2) for _ in range(3)]
    isolate(m, pfns[1])
    target = m.on(1).alloc_frozen_pages(1, 2, 1)
    contents = m["contents"].copy()
    assert m.on(1).migrate_offline(pfns[1], target) == 1
    assert m["balloon_pfn"][:3].tolist() == [pfns[0], target, pfns[2]]
    assert state(m, target) == Offline.INFLATED
    assert not is_offline(m.word(pfns[1]))
    assert (m["contents"] == contents).all(), "nothing is copied"
    for _ in range(3):
        assert m.balloon_deflate(0, 0) == 4
    assert m.free_frames() == 512


def test_migration_of_a_released_frame_is_a_free(machine):
    m = machine
    pfn = inflate(m)
    isolate(m, pfn)
    m.balloon_deflate(0, 0)
    target = m.on(1).alloc_frozen_pages(1, 0, 1)
    assert m.on(1).migrate_offline(pfn, target) == 0
    m.on(1).free_frozen_pages(target, 0)
    assert m.free_frames() == 512


def test_in_transit_the_owner_waits(machine):
    m = machine
    pfn = inflate(m)
    isolate(m, pfn)
    assert m.on(1).move_state(pfn, m.word(pfn), Offline.TRANSIT)
    assert m.balloon_deflate(0, 0) == 0
    assert m["balloon_pages"][0] == 1
    assert m.on(1).move_state(pfn, m.word(pfn), Offline.INFLATED)
    m.balloon_deflate(0, 0)


def test_an_inventory_that_lost_a_frame_is_a_bug(machine):
    m = machine
    pfn = inflate(m)
    m["balloon_pfn"][0] = pfn ^ 1
    assert m.expect_bug(Bug.BALLOON_LOST, lambda: m.balloon_deflate(0, 0))[1:] == (pfn ^ 1, m.word(pfn ^ 1), 0)


def test_a_frame_that_another_balloon_owns_is_a_bug(machine):
    m = machine
    pfn = inflate(m, balloon=1)
    assert m.expect_bug(Bug.BALLOON_LOST, lambda: m.take_or_release(0, pfn))[1:] == (pfn, m.word(pfn), 0)


def test_a_frame_that_lost_its_place_is_a_bug_to_its_migration(machine):
    m = machine
    pfns = [inflate(m) for _ in range(2)]
    isolate(m, pfns[0])
    m["frame_next"][pfns[0]] = 1
    target = m.on(1).alloc_frozen_pages(1, 0, 1)
    assert m.expect_bug(Bug.BALLOON_LOST, lambda: m.on(1).migrate_offline(pfns[0], target))[1:] == (pfns[0], 1, pfns[1])


def test_migrating_what_is_not_isolated_is_a_bug(machine):
    m = machine
    pfn = inflate(m)
    m.expect_bug(Bug.OFFLINE_STATE, lambda: m.migrate_offline(pfn, 0))
