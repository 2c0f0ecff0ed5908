"""Spin locks: ownership, statistics, and waiters that leave with a halted machine."""

from kernels.base.layout import EXIT_ABANDONED, LC_ZONE, NR_LOCK_CLASSES, Bug
from tests.kernels.kit import in_child, until, wait


def test_a_lock_is_taken_by_one_cpu(machine):
    m = machine
    assert m.spin_trylock(0, LC_ZONE)
    assert m["lock_word"][0] == 1
    assert not m.on(1).spin_trylock(0, LC_ZONE)
    assert not m.spin_trylock(0, LC_ZONE)
    m.spin_unlock(0)
    assert m.on(2).spin_trylock(0, LC_ZONE)
    assert m["lock_word"][0] == 3
    m.on(2).spin_unlock(0)
    assert m["lock_acquired"].reshape(3, NR_LOCK_CLASSES)[:, LC_ZONE].tolist() == [1, 0, 1]
    assert not m["lock_contended"].any()


def test_unlocking_another_cpus_lock_is_a_bug(machine):
    m = machine
    m.spin_lock(1, LC_ZONE)
    assert m.expect_bug(Bug.LOCK_OWNER, lambda: m.on(1).spin_unlock(1)) == (1, 1, 1, 2)


def test_unlocking_a_free_lock_is_a_bug(machine):
    assert machine.expect_bug(Bug.LOCK_OWNER, lambda: machine.spin_unlock(2)) == (0, 2, 0, 1)


def test_a_waiter_leaves_a_halted_machine(machine):
    m = machine
    m.on(1).spin_lock(0, LC_ZONE)
    m["halt"][0] = 1
    assert wait(in_child(lambda: m.spin_lock(0, LC_ZONE))) == EXIT_ABANDONED
    assert m["cpu_waits"][0] == 1, "the record of the lock that it waited for"
    assert m["lock_contended"].sum() == 1


def test_two_processes_exclude_each_other(machine):
    m = machine
    m.on(1).spin_lock(0, LC_ZONE)

    def take_and_copy():
        m.spin_lock(0, LC_ZONE)
        m["contents"][0] = m["contents"][1]
        m.spin_unlock(0)

    pid = in_child(take_and_copy)
    until(lambda: m["cpu_waits"][0] > 0)
    m["contents"][1] = 42
    m.on(1).spin_unlock(0)
    assert wait(pid) == 0
    assert m["contents"][0] == 42
    m["contents"][:2] = 0


def test_readers_share_and_keep_the_writer_out(machine):
    m = machine
    m.on(1).read_lock(0, LC_ZONE)
    m.on(2).read_lock(0, LC_ZONE)
    assert m["lock_word"][0] == -2
    assert not m.spin_trylock(0, LC_ZONE)
    m.on(1).read_unlock(0)
    m.on(2).read_unlock(0)
    assert m.spin_trylock(0, LC_ZONE)
    m.spin_unlock(0)


def test_releasing_a_share_of_a_free_lock_is_a_bug(machine):
    machine.expect_bug(Bug.LOCK_OWNER, lambda: machine.read_unlock(0))
    machine["lock_word"][0] = 0
