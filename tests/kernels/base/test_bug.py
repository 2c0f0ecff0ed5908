"""A broken invariant: its record, the halt, and what waits; and the points that widen windows."""

import pytest

from kernels.base.flavour import CHAOS
from kernels.base.layout import EXIT_ABANDONED, EXIT_BUG, Bug
from stress.machine.segment import set_param
from tests.kernels.kit import in_child, wait


def test_a_record_says_which_cpu_found_what(machine):
    m = machine
    assert m.expect_bug(Bug.STRANGER, lambda: m.on(2).record_bug(Bug.STRANGER, 77, -5, 1 << 40, 9)) == (2, 77, -5, 1 << 40)
    assert m["halt"][0] == 1
    assert m["bug_ns"][0] > 0
    assert m["bug_site"][0] == 9


def test_there_is_a_record_for_every_cpu_and_the_supervisor_and_no_more(machine):
    m = machine
    records = m.mem.nr_cpus + 1
    assert len(m["bug_code"]) == records
    for number in range(records + 1):
        assert wait(in_child(lambda number=number: m.record_bug(Bug.SHADOW, number, 0, 0, 0))) == EXIT_BUG
    assert m["bug_count"][0] == records + 1, "all are counted"
    assert m["bug_pfn"].tolist() == list(range(records))


@pytest.mark.parametrize("spins", [0, 3, 1 << 20], ids=["pause", "yield", "sleep"])
def test_a_turn_of_waiting_is_counted(machine, spins):
    assert machine.relax(spins) == spins + 1


@pytest.mark.parametrize("spins", [0, 3, 1 << 20], ids=["pause", "yield", "sleep"])
def test_a_cpu_that_waits_leaves_a_halted_machine(machine, spins):
    machine["halt"][0] = 1
    assert wait(in_child(lambda: machine.relax(spins))) == EXIT_ABANDONED


@pytest.mark.parametrize(("ppm", "yields"), [(0, 0), (1_000_000, 50)])
def test_chaos_happens_as_often_as_it_should(machine, ppm, yields):
    m = machine
    set_param(m.mem, "chaos_ppm", ppm)
    for _ in range(50):
        m.on(1).chaos_point()
    assert m["cpu_chaos"].tolist() == [0, yields if CHAOS else 0, 0]
