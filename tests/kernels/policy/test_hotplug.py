"""Memory blocks taken offline and put online again; a block that cannot be emptied stays as it was."""

import pytest

from kernels.base.layout import M_NOT_ONLINE as NOT_ONLINE
from kernels.base.layout import NONE_WORD, Migratetype, Misc, Refusal

EBUSY = 16


def block_with_memory(m, nr_pages=32):
    """Pageblocks [first, first + 4) of node 0 with pages of a task in them; the pages' frames."""
    pfns = [m.touch(0, vpage) for vpage in range(nr_pages)]
    return min(pfns) >> 3 & ~3, pfns


def test_a_memory_block_goes_offline_and_comes_back(machine):
    m = machine
    first, pfns = block_with_memory(m)
    total, frames = m.free_frames(), slice(first << 3, first + 4 << 3)
    low = int(m["zone_low"][0])
    m["zone_managed"][0] = 2048  # as if the node were large, so that watermarks are above their least
    m.setup_zone_wmarks(0)
    assert m.offline_pages(first, first + 4) == 0
    assert m["zone_managed"][0] == 2048 - 32
    assert m["zone_low"][0] == 2 * ((2048 - 32) >> 7)
    assert {int(word) >> 4 & 127 for word in m["memdesc"][frames]} == {NOT_ONLINE} == {Misc.NOT_ONLINE}
    assert m["block_offline"][first : first + 4].all()
    assert m["zone_nr_isolate"][0] == m["zone_pcp_disabled"][0] == m["lru_disabled"][0] == 0
    assert m.counter("migrated_memory_hotplug") >= sum(frames.start <= pfn < frames.stop for pfn in pfns) > 0
    assert all(m.task_access(0, vpage, 1) == 0 for vpage in range(32))
    assert m.free_frames() == total - 32
    assert m.on(1).offline_pages(first, first + 4) == -EBUSY, "it is offline"
    assert m.on(1).alloc_contig_range(frames.start, frames.stop) == Refusal.UNMOVABLE
    assert m.online_pages(first, first + 4) == 0
    assert m.free_frames() == total
    assert m["zone_managed"][0] == 2048
    assert (m["block_migratetype"][first : first + 4] == Migratetype.MOVABLE).all()
    assert not m["block_offline"].any()
    m["zone_managed"][0] = 256
    m.setup_zone_wmarks(0)
    assert m["zone_low"][0] == low


def test_nothing_is_allocated_from_a_block_that_is_not_online(machine):
    m = machine
    assert m.offline_pages(4, 8) == 0
    taken = []
    while (pfn := m.alloc_frozen_pages(0, 0, 1)) >= 0:
        taken.append(pfn)
    assert len(taken) > 256, "both nodes were used up"
    assert not {pfn >> 3 for pfn in taken} & {4, 5, 6, 7}
    for pfn in taken:
        m.free_frozen_pages(pfn, 0)
    assert m.online_pages(4, 8) == 0
    assert m.free_frames() == 512


@pytest.mark.parametrize("obstacle", ["unmovable", pytest.param("referenced", marks=pytest.mark.slow), "isolated"])
def test_a_block_that_cannot_be_emptied_is_as_it_was(machine, obstacle):
    m = machine
    first, pfns = block_with_memory(m)
    m.drain()
    inside = next(pfn for pfn in pfns if first <= pfn >> 3 < first + 4)
    vpage, kernel, desc = pfns.index(inside), -1, -1
    if obstacle == "unmovable":
        m.zap_range(0, vpage, 1)
        m.drain()
        assert m.alloc_contig_range(inside, inside + 1) == -1
        kernel = inside
        m["memdesc"][kernel] = Misc.KMALLOC_LARGE << 4
    elif obstacle == "referenced":
        desc = m.try_get_pfn(inside)
    else:
        assert m.on(1).isolate_pageblock(first + 3)
    types, total = m["block_migratetype"].copy(), m.free_frames()
    assert m.offline_pages(first, first + 4) == -EBUSY
    assert m.counter(f"offline_failed_{obstacle}") == 1
    assert (m["block_migratetype"] == types).all()
    assert not m["block_offline"].any()
    assert m["zone_managed"][0] == 256
    assert m["zone_pcp_disabled"][0] == (obstacle == "isolated")
    assert m.free_frames() == total
    if obstacle == "isolated":
        m.on(1).unisolate_pageblock(first + 3)
    if kernel >= 0:
        m["memdesc"][kernel] = NONE_WORD
        m.free_contig_range(kernel, 1)
    if desc >= 0:
        assert m.pte(0, vpage) >> 10 == inside
        m.folio_put(desc)
    assert m.offline_pages(first, first + 4) == 0
    assert m.online_pages(first, first + 4) == 0


def test_a_block_that_is_online_is_not_put_online_again(machine):
    machine.offline_pages(4, 6)
    assert machine.online_pages(4, 8) == -EBUSY
    assert machine.online_pages(4, 6) == 0
    assert machine.free_frames() == 512
