"""NUMA balancing: hints, the two-stage filter, the rate limit."""

import pytest

from kernels.base.layout import PTE_PROTNONE
from stress.machine.segment import set_param


def hinted(m, cpu, space=0, vpage=5):
    """A page of node 0 (CPU 0's) with a hint, touched by `cpu`; where it is afterwards."""
    m["numa_scan"][space] = vpage
    assert m.task_numa_work(space, 1) == 1
    assert m.pte(space, vpage) & PTE_PROTNONE
    pfn = m.on(cpu).touch(space, vpage)
    assert not m.pte(space, vpage) & PTE_PROTNONE
    m.on(cpu).lru_add_drain()
    return pfn


@pytest.fixture
def page(machine):
    pfn = machine.touch(0, 5)
    machine.lru_add_drain()
    assert pfn < 256
    return machine, pfn


def test_two_faults_in_a_row_move_it(page):
    m, pfn = page
    assert hinted(m, 1) == pfn, "the first fault only remembers"
    moved = hinted(m, 1)
    assert moved >= 256
    assert m.counter("numa_pages_migrated") == m.counter("pgpromote_candidate") == 1
    assert hinted(m, 1) == moved
    assert m.counter("numa_hint_faults_local") == 1


def test_faults_from_two_nodes_in_turn_move_nothing(page):
    m, pfn = page
    for cpu in (1, 0, 1, 2, 1, 0):
        assert hinted(m, cpu) == pfn
    assert m.counter("pgpromote_candidate") == 0


def test_the_rate_limit_holds(page):
    m, pfn = page
    set_param(m.mem, "numa_rate_limit", 0)
    m["zone_numa_window"][:] = 1 << 60
    assert [hinted(m, 1) for _ in range(3)] == [pfn] * 3
    assert m.counter("pgpromote_candidate") == 2


def test_nothing_moves_to_a_full_node(page):
    m, pfn = page
    m["zone_high"][1] = 1 << 20
    assert [hinted(m, 1) for _ in range(3)] == [pfn] * 3


def test_a_pinned_page_stays(page):
    m, pfn = page
    desc = m.gup_fast(0, 5, 1)
    assert [hinted(m, 1) for _ in range(3)] == [pfn] * 3
    assert m.counter("cause_numa_misplaced_refcount") > 0
    m.unpin_folio(desc)


@pytest.mark.meets("hint_fault_raced")
def test_a_hint_that_is_gone(page):
    m, _ = page
    assert m.do_numa_page(0, 5) == 0
    assert m.counter("met_hint_fault_raced") == 1


def test_scanning_wraps_around(machine):
    m = machine
    for vpage in (0, 47):
        m.touch(0, vpage)
    m["numa_scan"][0] = 40
    assert m.task_numa_work(0, 16) == 2
    assert m["numa_scan"][0] == 8
    for vpage in (0, 47):
        m.touch(0, vpage)
