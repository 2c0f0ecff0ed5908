"""Page pools: fragments, and frames that are recycled or freed by the last of them."""

import pytest

from kernels.base.layout import NET_CACHE, Bug, Type

SLOT = 5


def receive(m, nr_fragments, slot=SLOT):
    pfn = m.netpool_cached()
    if pfn < 0:
        pfn = m.alloc_frozen_pages(0, 0, 0)
        assert m.netpool_add(pfn)
    m.netpool_receive(pfn, nr_fragments, slot)
    return pfn


def inuse(m, pfn):
    return m["u_inuse"][m.desc_at(pfn)]


@pytest.mark.meets("net_fragment_put_by_other")
def test_the_last_fragment_recycles(machine):
    m = machine
    pfn = receive(m, 3)
    assert m.word(pfn) & 15 == Type.NETPOOL
    assert m.try_get_pfn(pfn) == -1
    assert not m.is_movable(m.word(pfn))
    for left in (2, 1, 0):
        assert inuse(m, pfn) == left + 1
        assert m.on(1).netpool_consume(SLOT + left)
    assert not m.netpool_consume(SLOT)
    assert inuse(m, pfn) == 0
    assert m.netpool_cached() == -1
    assert m.on(1).netpool_cached() == pfn, "the CPU that puts last keeps it in its pool"
    assert m.counter("met_net_fragment_put_by_other") == 3
    m.on(1).netpool_receive(pfn, 1, SLOT)
    m.netpool_consume(SLOT)


def test_fragments_without_a_slot_are_put(machine):
    m = machine
    m["net_slot"][SLOT + 1] = receive(m, 1, SLOT + 2) + 1  # occupies the slot
    pfn = receive(m, 3)
    assert inuse(m, pfn) == 1
    m["net_slot"][SLOT + 1] = 0


def test_a_full_cache_frees(machine):
    m = machine
    pfn = receive(m, 1)
    m["net_cached"][0] = NET_CACHE
    m.netpool_consume(SLOT)
    m["net_cached"][0] = 0
    assert m.word(pfn) & 15 != Type.NETPOOL
    assert m["udesc_top"][0] == m.mem.nr_udesc
    assert m.free_frames() == 512


@pytest.mark.parametrize("code", [Bug.NET_FRAGMENTS, Bug.STRANGER])
def test_a_wrong_put_is_a_bug(machine, code):
    m = machine
    pfn = receive(m, 1)
    if code == Bug.STRANGER:
        m["contents"][pfn * m.mem.words_per_frame] += 1
    else:
        m["u_inuse"][m.desc_at(pfn)] = 0
    m.expect_bug(code, lambda: m.netpool_put(pfn))


def test_out_of_descriptors(machine):
    m = machine
    top, m["udesc_top"][0] = int(m["udesc_top"][0]), 0
    pfn = m.alloc_frozen_pages(0, 0, 0)
    assert not m.netpool_add(pfn)
    m["udesc_top"][0] = top
    m.free_frozen_pages(pfn, 0)
