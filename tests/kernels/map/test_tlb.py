"""Translations that persist until they are flushed, and what a flush waits for."""

import os

import pytest

from kernels.base.layout import PTE_ACCESSED, PTE_DIRTY, PTE_PROTNONE, PTE_WRITE
from stress.machine.segment import set_param
from tests.kernels.kit import in_child, until, wait


@pytest.mark.meets("stale_tlb_met_flush")
def test_a_translation_persists_until_a_flush(machine):
    m = machine
    pfn = m.touch(0, 3)
    m["pte"][3] = 0  # behind the TLB's back
    m.section_enter(0)
    assert m.translate(0, 3, 1) == pfn, "a stale translation is used until the flush"
    m.section_exit()
    assert m.on(1).translate(0, 3, 0) == -1, "another CPU walks"
    m.flush_space(0)
    assert m.translate(0, 3, 0) == -1
    assert m.counter("met_stale_tlb_met_flush") == 1
    m["pte"][3] = pfn << 10 | 1 | PTE_WRITE | 1 << 8


def test_a_flush_of_one_space_leaves_the_others(machine):
    m = machine
    mine, other = m.touch(0, 3), m.touch(1, 3)
    m.flush_space(1)
    saved = m["pte"][[3, 64 + 3]].copy()
    m["pte"][[3, 64 + 3]] = 0
    assert m.translate(0, 3, 0) == mine
    assert m.translate(1, 3, 0) == -1
    m["pte"][[3, 64 + 3]] = saved
    assert m.translate(1, 3, 0) == other


def test_a_walk_sets_accessed_and_dirty(machine):
    m = machine
    m.touch(0, 3)
    m["pte"][3] &= ~(PTE_DIRTY | PTE_ACCESSED)
    m.flush_space(0)
    m.translate(0, 3, 0)
    assert m.pte(0, 3) & (PTE_DIRTY | PTE_ACCESSED) == PTE_ACCESSED
    m.translate(0, 3, 1)
    assert m.pte(0, 3) & PTE_DIRTY, "a clean translation walks again to write"


def test_faults_of_a_walk(machine):
    m = machine
    m.touch(0, 3)
    m["pte"][3] &= ~(PTE_WRITE | PTE_DIRTY)
    m.flush_space(0)
    assert m.translate(0, 3, 1) == -1
    assert m.translate(0, 3, 0) >= 0
    m["pte"][3] |= PTE_PROTNONE
    m.flush_space(0)
    assert m.translate(0, 3, 0) == -1
    m["pte"][3] &= ~PTE_PROTNONE


def test_deferred_flushes_gather_spaces(machine):
    m = machine
    before = m["tlb_generation"].copy()
    pending = 0
    for space in (2, 5, 2):
        pending = m.defer_flush(space, pending)
    assert pending == 2
    assert (m["tlb_generation"] == before).all()
    assert m.flush_deferred(pending) == 0
    assert (m["tlb_generation"] - before).tolist() == [0, 0, 1, 0, 0, 1, 0, 0]
    m.flush_deferred(0)
    assert m.counter("nr_tlb_remote_flush") == 1


def test_a_section_elsewhere_is_not_waited_for(machine):
    m = machine
    m.on(1).section_enter(4)
    m.flush_space(0)
    assert m.counter("met_shootdown_waited") == 0
    m.on(1).section_exit()


@pytest.mark.meets("shootdown_waited")
def test_a_flush_waits_for_the_section_of_another_cpu(machine):
    m = machine
    m.on(1).section_enter(0)
    pid = in_child(lambda: m.flush_space(0))
    until(lambda: m.counter("met_shootdown_waited") > 0)
    assert os.waitpid(pid, os.WNOHANG) == (0, 0), "it waits"
    m.on(1).section_exit()
    m.on(1).section_enter(0)  # another section, of the new generation
    assert wait(pid) == 0
    m.on(1).section_exit()


def test_an_ipi_costs(machine):
    m = machine
    set_param(m.mem, "ipi_ns", 20_000)
    start = m.cycles()
    m.pay_ipi()
    assert m.cycles() - start >= 20_000
