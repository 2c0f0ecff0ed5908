"""Migration of a list of folios with callbacks, as NUMA balancing does it: onto one node, or back onto the LRU."""

import pytest

from kernels.base.layout import FL_ISOLATED, FL_LRU, Mode, Reason, Type
from tests.kernels.kit import free_lists

REASON = Reason.NUMA_MISPLACED


def isolated(m, nr_folios):
    """So many pages of a task, isolated in this order; their frames and their descriptors."""
    pfns = [m.touch(0, vpage) for vpage in range(nr_folios)]
    m.drain()
    for k, pfn in enumerate(pfns):
        assert m.claim_folio(pfn, m.word(pfn), REASON, k)
    m.lru_del_batch(nr_folios)
    return pfns, m["folio_list"][:nr_folios].tolist()


def migrate(m, nr_folios, nid=1):
    left = m.migrate_folios(nr_folios, nid, Mode.ASYNC, REASON)
    m.lru_add_drain()
    assert not (m["flags"] & FL_ISOLATED).any()
    assert not m["lru_isolated"].any()
    return left


def frames(m, nr_folios):
    return [m.pte(0, vpage) >> 10 for vpage in range(nr_folios)]


def end(m, nr_folios):
    assert all(m.task_access(0, vpage, 1) == 0 for vpage in range(nr_folios) if m.pte(0, vpage))
    m.zap_range(0, 0, nr_folios)
    assert m.free_frames() == 512
    assert len(free_lists(m)) == 2


def test_all_move_to_the_node_with_one_flush(machine):
    m = machine
    isolated(m, 4)
    flushes = m.counter("nr_tlb_remote_flush")
    assert migrate(m, 4) == 0
    assert min(frames(m, 4)) >= 256
    assert m.counter("nr_tlb_remote_flush") == flushes + 1
    assert m.counter("migrated_numa_misplaced") == m.counter("pgmigrate_success") == 4
    end(m, 4)


def test_a_folio_that_its_task_has_unmapped_is_freed_and_not_left(machine):
    m = machine
    pfns, descs = isolated(m, 3)
    m.on(1).zap_range(0, 1, 1)
    assert m.refs(descs[1]) == 1
    assert migrate(m, 3) == 0
    assert m.counter("cause_numa_misplaced_released") == 1
    assert m.counter("migrated_numa_misplaced") == 2
    assert m.word(pfns[1]) != m.desc_word(Type.ANON, descs[1])
    end(m, 3)


@pytest.mark.parametrize("obstacle", ["reference", "lock"])
def test_what_is_in_use_goes_back_to_the_lru_and_the_others_move(machine, obstacle):
    m = machine
    pfns, descs = isolated(m, 3)
    free = m["desc_top"][0] + m["desc_cached"].sum()
    if obstacle == "reference":
        assert m.on(1).try_get_pfn(pfns[1]) == descs[1]
    else:
        assert m.on(1).folio_trylock(descs[1])
    assert migrate(m, 3) == 1
    cause = {"reference": "refcount", "lock": "lock"}[obstacle]
    assert m.counter(f"cause_numa_misplaced_{cause}") == m.counter("failed_numa_misplaced") == 1
    assert [pfn == before for pfn, before in zip(frames(m, 3), pfns, strict=True)] == [False, True, False]
    assert m["flags"][descs[1]] & FL_LRU
    if obstacle == "reference":
        m.on(1).folio_put(descs[1])
    else:
        m.on(1).folio_unlock(descs[1])
    assert m.refs(descs[1]) == 1
    assert m["desc_top"][0] + m["desc_cached"].sum() == free, "its target was put, and two sources"
    end(m, 3)


def test_a_node_without_room_gets_nothing(machine):
    m = machine
    pfns, descs = isolated(m, 2)
    m["zone_high"][1] = 257
    assert migrate(m, 2) == 2
    assert m.counter("cause_numa_misplaced_nomem") == m.counter("failed_numa_misplaced") == 2
    assert frames(m, 2) == pfns
    assert [m.refs(desc) for desc in descs] == [1, 1]
    end(m, 2)
