"""Grace periods."""

import pytest

from tests.kernels import kit


def test_a_section_is_odd(machine):
    m = machine
    m.rcu_read_lock()
    assert m["rcu_seq"][0] == 1
    m.rcu_read_unlock()
    assert m["rcu_seq"][0] == 2


def test_without_a_reader_there_is_no_wait(machine):
    machine.on(1).synchronize_rcu()
    assert machine.counter("met_rcu_waited_for_reader") == 0


@pytest.mark.meets("rcu_waited_for_reader")
def test_a_section_that_began_before_is_waited_for_and_one_after_is_not(machine):
    m = machine
    m.on(2).rcu_read_lock()
    child = kit.in_child(lambda: m.on(1).synchronize_rcu())
    kit.until(lambda: m.counter("met_rcu_waited_for_reader") > 0)
    m.on(2).rcu_read_unlock()
    m.on(2).rcu_read_lock()  # another one
    assert kit.wait(child) == 0
    m.on(2).rcu_read_unlock()
