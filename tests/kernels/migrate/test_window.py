"""What both interfaces of migration have in common: leftovers, and batches of a size, which may span windows."""

from dataclasses import replace

import pytest

from kernels.base.layout import FL_ISOLATED, LC_LRU, NR_LOCK_CLASSES, POLICIES, Mode, Reason, Type
from stress.machine.segment import set_param
from tests.kernels import kit
from tests.kernels.map.test_pagecache import cached

FROM_ALLOCATOR = 1
INTERFACES = range(len(POLICIES["migration"]))


def migrate_window(m, first_block, nr_blocks=1, mode=Mode.ASYNC):
    order = m.mem.pageblock_order
    left = m.migrate_window(first_block << order, nr_blocks << order, mode, Reason.CONTIG_RANGE, FROM_ALLOCATOR)
    assert not m["migrate_list"].any()
    assert not (m["flags"] & FL_ISOLATED).any()
    assert not m["lru_isolated"].any()
    return left


@pytest.fixture
def filled(built):
    """Machines with anonymous folios in most frames of four neighbouring pageblocks, and next to nothing else that moves."""
    made = []

    def fill(interface, **policies):
        m = kit.make_machine(replace(kit.SMALL, window_blocks=policies.pop("window_blocks", 1)), policy_migration=interface, **policies)
        order, wanted = m.mem.pageblock_order, 4 << m.mem.pageblock_order
        pfns = [m.touch(space, vpage) for space in range(4) for vpage in range(8, 32)]
        m.lru_add_drain()
        first = max(
            range(min(pfns) >> order, (max(pfns) >> order) - 2), key=lambda block: sum(p >> order in range(block, block + 4) for p in pfns)
        )
        inside = [pfn for pfn in pfns if first <= pfn >> order < first + 4]
        assert len(inside) > wanted // 2
        for block in range(first, first + 4):
            assert m.isolate_pageblock(block)  # so that no target is beside its source
        made.append((m, first))
        return m, first, len(inside)

    yield fill
    for m, first in made:
        for block in range(first, first + 4):
            m.unisolate_pageblock(block)
        kit.audit(m)


def flushes(m):
    return m.counter("nr_tlb_remote_flush")


def lru_locked(m):
    return int(m["lock_acquired"][LC_LRU::NR_LOCK_CLASSES].sum())


@pytest.mark.parametrize("interface", INTERFACES)
@pytest.mark.parametrize("mode", Mode)
def test_what_cannot_move_goes_back(machine, interface, mode):
    m = machine
    set_param(m.mem, "policy_migration", interface)
    pfn = m.touch(0, 8)
    m.lru_add_drain()
    m.fork_range(0, 1, 8, 1)
    desc = m.desc_at(pfn)
    m["mapcount"][desc] += 1  # the racy test for pins is passed, the exact one is not
    m.ref_get(desc, 1)
    left = migrate_window(m, pfn >> m.mem.pageblock_order, mode=mode)
    m["mapcount"][desc] -= 1
    m.folio_put(desc)
    assert left == 1
    m.lru_add_drain()
    assert m.pte(0, 8) >> 10 == m.pte(1, 8) >> 10 == pfn
    assert m.refs(desc) == 2
    assert m.counter("failed_contig_range") == 1


@pytest.mark.parametrize("interface", INTERFACES)
@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("batch", [1, 5, 512])
def test_one_flush_a_batch(filled, interface, mode, batch):
    m, first, nr_folios = filled(interface, migrate_batch=batch, window_blocks=4)
    before = flushes(m)
    assert migrate_window(m, first, 4, mode) == 0
    assert m.counter("migrated_contig_range") == nr_folios
    assert flushes(m) - before == -(-nr_folios // batch)


@pytest.mark.parametrize("interface", INTERFACES)
def test_one_flush_a_window_if_batches_may_not_span_them(filled, interface):
    m, first, nr_folios = filled(interface)
    before = flushes(m)
    assert all(migrate_window(m, first + k) == 0 for k in range(4))
    assert m.counter("migrated_contig_range") == nr_folios
    assert flushes(m) - before == 4


@pytest.mark.parametrize("interface", INTERFACES)
def test_folios_leave_the_lru_by_the_batch(filled, interface):
    taken = {}
    for batch in (1, 7, 512):
        m, first, nr_folios = filled(interface, isolate_batch=batch, window_blocks=4)
        before = lru_locked(m)
        assert migrate_window(m, first, 4) == 0
        taken[batch] = lru_locked(m) - before
    assert taken[1] - taken[512] == nr_folios - 1
    assert taken[7] - taken[512] == -(-nr_folios // 7) - 1


@pytest.mark.parametrize("interface", INTERFACES)
def test_batches_that_fail_half_way_put_everything_back(filled, interface):
    m, first, nr_folios = filled(interface, migrate_batch=3, window_blocks=4)
    m["zone_min"][:] = m["zone_low"][:] = m["zone_high"][:] = 0
    m.drain()
    free = m.exhaust()
    m.give_back(free[:5])
    left = migrate_window(m, first, 4)
    assert m.counter("migrated_contig_range") == 5
    assert left == nr_folios - 5
    assert m.counter("failed_contig_range") == 1, "the one that got no target; those after it were not tried"
    m.give_back(free[5:])


def test_the_policy_chooses(machine):
    m = machine
    pfn = m.touch(0, 8)
    m.lru_add_drain()
    set_param(m.mem, "policy_migration", 1)
    set_param(m.mem, "timing", 1)
    before = m["bitmap"].copy()
    assert migrate_window(m, pfn >> m.mem.pageblock_order) == 0
    assert (m["bitmap"] == before).all()
    assert m["stage_cycles"].sum() > 0


@pytest.mark.parametrize("interface", INTERFACES)
@pytest.mark.parametrize("mode", Mode)
def test_a_file_folio_with_a_reference_goes_back_after_its_unmap(machine, interface, mode):
    m = machine
    set_param(m.mem, "policy_migration", interface)
    desc = cached(m, 0, 4, 2)
    vpage = m.mem.anon_pages + 5
    pfn = m.touch(0, vpage, write=0)
    descriptors = m["desc_top"][0] + m["desc_cached"].sum()
    assert m.on(1).try_get_pfn(pfn) == desc
    assert migrate_window(m, pfn >> m.mem.pageblock_order, mode=mode) == 4
    assert m.counter("cause_contig_range_refcount") > 0
    assert (m.counter("failed_contig_range"), m.counter("thp_migration_fail")) == (4, 1)
    assert m.pte(0, vpage) >> 10 == pfn
    m.on(1).folio_put(desc)
    m.lru_add_drain()
    assert m.refs(desc) == 4 + 1
    assert m["desc_top"][0] + m["desc_cached"].sum() == descriptors, "its targets were freed"


@pytest.mark.parametrize("interface", INTERFACES)
@pytest.mark.parametrize("mode", Mode)
def test_a_zspage_that_is_read_goes_back(machine, interface, mode):
    m = machine
    set_param(m.mem, "policy_migration", interface)
    pfn = m.alloc_frozen_pages(0, 0, 1)
    assert m.zs_malloc_new(0, 0, pfn)
    m["u_lock"][m.desc_at(pfn)] = 1
    assert migrate_window(m, pfn >> m.mem.pageblock_order, mode=mode) == 1
    m["u_lock"][m.desc_at(pfn)] = 0
    assert m.counter("cause_contig_range_lock") > 0
    assert m.counter("failed_contig_range") == 1
    assert m.movable_is_idle(pfn, m.word(pfn))
    m.zs_free(0)
    assert m["desc_top"][0] + m["desc_cached"].sum() == m.mem.nr_desc
    assert m.free_frames() == 512


@pytest.mark.parametrize("interface", INTERFACES)
@pytest.mark.parametrize("obstacle", ["lock", "reference"])
def test_a_large_folio_that_has_no_target_and_cannot_be_split_goes_back(machine, interface, obstacle):
    m = machine
    set_param(m.mem, "policy_migration", interface)
    desc = cached(m, 0, 4, 2)
    pfn = int(m["folio_pfn"][desc])
    m["zone_min"][:] = m["zone_low"][:] = m["zone_high"][:] = 0
    m.drain()
    taken = m.exhaust()
    m.give_back(taken[1::2])  # no two of them buddies
    if obstacle == "lock":
        m.on(1).folio_lock(desc)
    else:
        m.on(1).try_get_pfn(pfn)
    assert migrate_window(m, pfn >> m.mem.pageblock_order) == 4
    assert m.counter("cause_contig_range_nomem") == 1
    assert m.counter("thp_migration_split") == m.counter("thp_split_page") == 0
    assert {m.word(pfn + k) for k in range(4)} == {m.desc_word(Type.FILE, desc)}
    if obstacle == "lock":
        m.on(1).folio_unlock(desc)
    else:
        m.on(1).folio_put(desc)
    m.lru_add_drain()
    assert m.refs(desc) == 4
