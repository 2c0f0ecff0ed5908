"""The transitions of the count alone."""

import pytest

from kernels.base.flavour import CHECKED
from kernels.base.layout import FROZEN, REFCOUNT_FROZEN_BIT, Bug
from stress.machine.segment import set_param


@pytest.mark.parametrize("count", [1, 2, 1000])
def test_get_unless_zero(machine, count):
    m = machine
    m["refcount"][9] = count
    assert m.ref_try_get(9)
    assert m.refs(9) == count + 1
    assert bool(m.ref_put_testzero(9, count)) is False
    assert m.ref_put_testzero(9, 1)
    assert not m.ref_try_get(9)
    assert m.refs(9) == 0


def test_a_freeze_needs_exactly_the_expected_count(machine):
    m = machine
    m["refcount"][4] = 3
    assert not m.ref_freeze(4, 2)
    assert not m.ref_freeze(4, 4)
    assert m.refs(4) == 3
    assert m.ref_freeze(4, 3)
    assert not m.ref_try_get(4), "frozen"
    m.ref_unfreeze(4, 2)
    assert m.refs(4) == 2
    assert m.counter("cmpxchg_failed") == 2
    m["refcount"][4] = 0


def test_ref_get_adds(machine):
    machine["refcount"][4] = 1
    machine.ref_get(4, 5)
    assert machine.refs(4) == 6
    machine["refcount"][4] = 0


@pytest.mark.skipif(not CHECKED, reason="the fast flavour leaves it to the next unfreeze")
def test_putting_too_much_is_a_bug(machine):
    m = machine
    m["refcount"][4] = 2
    assert m.expect_bug(Bug.REFCOUNT_UNDERFLOW, lambda: m.ref_put_testzero(4, 3))[2:] == (-1, 3), "what is left, what was put"


@pytest.mark.parametrize(("count", "refs"), [(1, 1), (0, 0), (0, -1)])
def test_unfreezing_a_live_count_or_to_zero_is_a_bug(machine, count, refs):
    m = machine
    m["refcount"][4] = count
    assert m.expect_bug(Bug.UNFREEZE_LIVE, lambda: m.ref_unfreeze(4, refs))[2:] == (count, refs)


@pytest.fixture
def frozen_bit(machine):
    set_param(machine.mem, "policy_refcount", REFCOUNT_FROZEN_BIT)
    machine["refcount"][:] = FROZEN
    return machine


def test_frozen_bit_refuses_and_takes_its_addition_back(frozen_bit):
    m = frozen_bit
    assert not m.ref_try_get(4)
    assert m.refs(4) == FROZEN
    m.ref_unfreeze(4, 2)
    assert m.ref_try_get(4)
    assert m.refs(4) == 3
    assert not m.ref_put_testzero(4, 1)
    assert m.ref_put_testzero(4, 2), "the last one froze it"
    assert m.refs(4) == FROZEN


def test_frozen_bit_a_freeze_needs_exactly_the_expected_count(frozen_bit):
    m = frozen_bit
    m["refcount"][4] = 3
    assert not m.ref_freeze(4, 2)
    assert m.ref_freeze(4, 3)
    assert m.refs(4) == FROZEN
    m.ref_unfreeze(4, 1)
    assert m.refs(4) == 1


def test_frozen_bit_zero_is_alive_until_it_is_frozen(frozen_bit):
    m = frozen_bit
    m["refcount"][4] = 0  # a put has subtracted, and not frozen yet
    assert m.ref_try_get(4), "a get revives it"
    assert m.refs(4) == 1
    assert m.ref_put_testzero(4, 1), "and the put of that reference frees"


def test_in_every_flavour_a_count_below_zero_is_a_bug_of_the_next_unfreeze(machine):
    m = machine
    m["refcount"][4] = -1
    assert m.expect_bug(Bug.UNFREEZE_LIVE, lambda: m.ref_unfreeze(4, 1))[2:] == (-1, 1)


@pytest.mark.skipif(not CHECKED, reason="the fast flavour leaves it to the next unfreeze")
def test_frozen_bit_putting_too_much_is_a_bug(frozen_bit):
    m = frozen_bit
    m["refcount"][4] = 2
    assert m.expect_bug(Bug.REFCOUNT_UNDERFLOW, lambda: m.ref_put_testzero(4, 3))[2:] == (-1, 3)


def test_frozen_bit_a_live_count_is_not_unfrozen(frozen_bit):
    m = frozen_bit
    m["refcount"][4] = 0
    assert m.expect_bug(Bug.UNFREEZE_LIVE, lambda: m.ref_unfreeze(4, 1))[2:] == (0, 1)
