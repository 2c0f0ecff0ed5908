"""Each atomic against plain arithmetic, on fields of 64 and of 32 bits, compiled and interpreted alike."""

import pytest

from tests.kernels import entries

ORDERS = ("relaxed", "acquire", "release", "acq_rel", "seq_cst")
ARITHMETIC = {
    "fetch_add": lambda old, v: old + v,
    "fetch_or": lambda old, v: old | v,
    "fetch_and": lambda old, v: old & v,
    "exchange": lambda old, v: v,
}
LIMITS = {"contents": 1 << 62, "refcount": 1 << 30}
pytestmark = pytest.mark.parametrize("field", ["contents", "refcount"])


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", ARITHMETIC)
@pytest.mark.parametrize("value", [1, -1, 0b1010, -(1 << 30)])
def test_read_modify_write_returns_the_old_word(machine, field, name, order, value):
    m = machine
    for old in (0, 0b0110, LIMITS[field] - 1, -LIMITS[field]):
        m.op(f"{field}.write", 5, old)
        assert m.op(f"{field}.{name}_{order}", 5, value) == old
        assert m.op(f"{field}.read", 5) == m[field][5] == ARITHMETIC[name](old, value)
    m[field][:8] = 0


@pytest.mark.parametrize("order", ORDERS)
def test_cas_changes_only_the_expected_word(machine, field, order):
    m = machine
    m[field][3] = -7
    assert m.op(f"{field}.cas_{order}", 3, 7, 9) == -7
    assert m[field][3] == -7
    assert m.op(f"{field}.cas_{order}", 3, -7, 9) == -7
    assert m[field][3] == 9
    m[field][3] = 0


def test_loads_and_stores(machine, field):
    m = machine
    for store in ("relaxed", "release"):
        for value in (0, -1, LIMITS[field]):
            m.op(f"{field}.store_{store}", 4, value)
            assert {m.op(f"{field}.load_{load}", 4) for load in ("relaxed", "acquire")} == {value}
    m[field][4] = 0


def test_neighbours_are_left_alone(machine, field):
    m = machine
    before = m[field].copy()
    m.op(f"{field}.store_release", 6, -1)
    m.op(f"{field}.fetch_add_seq_cst", 6, 1)
    assert (m[field] == before).all()


def test_every_atomic_has_a_number(field):
    made = {name for name in entries.OPS if name.startswith(f"{field}.") and name.endswith(ORDERS)}
    assert len(made) == 4 * 5 + 5 + 2 + 2
